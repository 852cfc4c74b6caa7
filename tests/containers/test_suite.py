"""The folder in which an image runs, put together by its Dockerfile, and pytest in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from images import ROOT, image
from test_images import NAMES

NGRAM = ROOT / "tests/ngram"


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """Copy what the Dockerfile of vLLM copies to where it runs."""
    vllm, folder = image("vllm"), tmp_path / "suite"
    folder.mkdir()
    for sources, target in vllm.copies:
        if target.startswith(vllm.workdir):
            place = folder / target.removeprefix(vllm.workdir).strip("/")
            for source in sources:
                if (ROOT / source).is_dir():
                    shutil.copytree(ROOT / source, place)
                else:
                    shutil.copy(ROOT / source, place)
    return folder


def _pytest(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run pytest there, with the folders of the image beside it."""
    surroundings = ("LEM_", "PYTEST_", "GITHUB_", "COLUMNS")
    env = {k: v for k, v in os.environ.items() if not k.startswith(surroundings)}
    cache = folder.parent / "cache"
    env |= {"LEM_LOCK_DIR": str(folder.parent / "locks"), "XDG_CACHE_HOME": str(cache)}
    env |= {"HF_HOME": str(cache / "huggingface"), "PYTHONDONTWRITEBYTECODE": "1"}
    program = Path(sys.executable).with_name("pytest")
    return subprocess.run(
        [program, *arguments],
        cwd=folder,
        env={**env, "PYTHONPATH": str(NGRAM)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", NAMES)
def test_what_an_image_runs_collects_its_cases(name: str, suite: Path) -> None:
    """Every case is of its backend; the one complaint, if any, is that the engine is missing."""
    _, *arguments = image(name).command
    done = _pytest(suite, *arguments, "--collect-only", "-q")
    backend = name.replace("-", "_")
    cases = [line for line in done.stdout.splitlines() if "::test_" in line]
    assert len(cases) >= 3, done.stdout + done.stderr
    assert all(f"[{backend}" in case for case in cases)
    complaints = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert all(f"the backend `{backend}` needs" in line for line in complaints), complaints


def test_the_suite_runs_where_only_the_image_is(suite: Path) -> None:
    """Nothing of the checkout is missing, and results lie where the volume is."""
    model = f"--lem-model={NGRAM / 'model'}"
    done = _pytest(
        suite, "benchmarks/", "--lem-backend=ngram", model, "--lem-smoke", "--lem-meter=estimated"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    runs = list((suite / ".lem/runs").glob("*/run.json"))
    assert len(runs) == 1
