"""What is stored about a machine, and what is not."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pytest_lem.results.environment import VARIABLES, git, gpus, machine, python_facts


def test_no_variable_beside_the_allowed_ones_is_ever_stored(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Secrets in the environment, names and values, do not reach a file."""
    for name in ("HF_TOKEN", "AWS_SECRET_ACCESS_KEY", "LEM_SECRET", "OMP_NUM_THREADS_SECRET"):
        monkeypatch.setenv(name, f"hush-{name.lower()}")
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    found = machine(tmp_path)
    text = json.dumps([found, python_facts()])
    assert "hush" not in text
    assert "SECRET" not in text
    assert found["variables"]["OMP_NUM_THREADS"] == "3"
    assert set(found["variables"]) <= set(VARIABLES)


def test_variables_that_are_not_set_are_not_there(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An unset variable is told from an empty one."""
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    monkeypatch.setenv("KMP_AFFINITY", "")
    variables = machine(tmp_path)["variables"]
    assert "MKL_NUM_THREADS" not in variables
    assert variables["KMP_AFFINITY"] == ""


def test_the_host_is_known_by_a_hash_only(tmp_path: Path) -> None:
    """Two runs on one machine can be told to be so, without its name."""
    found = machine(tmp_path)
    assert len(found["host_hash"]) == 12
    assert platform.node() not in found.values()
    assert machine(tmp_path)["host_hash"] == found["host_hash"]


def test_the_machine_is_described_as_the_system_sees_it(tmp_path: Path) -> None:
    """Facts agree with the system's own accounts, and all is plain JSON."""
    found = machine(tmp_path)
    assert (found["os"], found["kernel"]) == (platform.system(), platform.release())
    assert found["memory_bytes"] == psutil.virtual_memory().total
    assert found["cpu_count_usable"] == len(os.sched_getaffinity(0))
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_python_and_its_packages_are_named() -> None:
    """Versions of an allow-list of packages, those that decide about energy."""
    facts = python_facts()
    assert facts["python"] == sys.version.split()[0]
    assert facts["packages"]["pytest"] == pytest.__version__
    assert "psutil" not in facts["packages"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a git checkout of one commit."""
    (tmp_path / "file").write_text("one")
    for command in (
        ["init", "--quiet"],
        ["add", "file"],
        ["-c", "user.name=n", "-c", "user.email=e", "commit", "--quiet", "-m", "one"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


def test_the_commit_is_stored_with_whether_files_differ(checkout: Path) -> None:
    """Untracked files do not make a checkout dirty, changed ones do."""
    (checkout / "new").write_text("untracked")
    clean = git(checkout)
    (checkout / "file").write_text("two")
    assert git(checkout) == {**clean, "dirty": True}
    assert clean["dirty"] is False
    assert len(clean["commit"]) == 40


def test_outside_a_checkout_there_is_no_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repository, and no git at all, is None and no error."""
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git(tmp_path) is None


def test_gpus_are_those_that_the_driver_lists() -> None:
    """Each is known by its UUID with its facts; without a driver there is none, and no error."""
    facts = {
        "name", "driver", "cuda", "vbios", "memory_bytes", "power_limit_w", "max_sm_clock_mhz",
        "persistence_mode", "ecc", "mig", "application_sm_clock_mhz",
        "application_memory_clock_mhz", "compute_mode", "virtualization",
    }  # fmt: skip
    for uuid, gpu in gpus().items():
        assert uuid.startswith("GPU-")
        assert set(gpu) == facts
