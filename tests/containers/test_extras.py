"""Extras that exclude each other do, by real resolvers, and are declared once."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from itertools import combinations
from pathlib import Path

import pytest
from images import CONFLICTS, EXTRAS, PROJECT, ROOT
from index import build, facts, of_library

#: For each extra that excludes TensorRT-LLM, a library of which they need different versions.
REASONS = [("vllm", "torch"), ("transformers", "transformers"), ("datasets", "datasets")]
PAIRS = [frozenset(pair) for pair in combinations(sorted(EXTRAS), 2)]


def _ids(pair: frozenset[str]) -> str:
    return "+".join(sorted(pair))


@pytest.fixture(scope="session")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of wheels that ask for what the real ones ask for."""
    folder = tmp_path_factory.mktemp("index")
    build(folder, PROJECT["project"])
    return folder


def _run(command: list[str | Path], cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a resolver that sees no index of the machine and none of its settings."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "UV_"))}
    env |= {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1", "NO_COLOR": "1"}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def _pip(index: Path, *extras: str) -> subprocess.CompletedProcess[str]:
    wanted = f"{PROJECT['project']['name']}[{','.join(extras)}]"
    options = ["--dry-run", "--ignore-installed", "--no-index", "--find-links", index]
    return _run([sys.executable, "-m", "pip", "install", *options, wanted], index)


def _uv(cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("uv")
    return _run([program, *arguments, "--offline", "--no-cache"], cwd)


def _compile(index: Path, cwd: Path, extras: frozenset[str]) -> subprocess.CompletedProcess[str]:
    (cwd / "in.txt").write_text(f"{PROJECT['project']['name']}[{','.join(extras)}]\n")
    return _uv(cwd, "pip", "compile", "--no-index", "--find-links", str(index), "in.txt")


def _project(folder: Path, index: Path, text: str) -> Path:
    """Write a project of these settings that resolves from the index; groups are not its matter."""
    text = re.sub(r"^\[dependency-groups\].*?(?=^\[)", "", text, flags=re.DOTALL | re.MULTILINE)
    text = text.replace("[tool.uv]\n", f"[tool.uv]\npackage = false\nfind-links = ['{index}']\n"
                        "no-index = true\n")  # fmt: skip
    (folder / "pyproject.toml").write_text(text)
    return folder


@pytest.mark.parametrize("extra", ["transformers", "vllm", "tensorrt-llm"])
def test_an_engine_alone_can_be_installed(extra: str, index: Path) -> None:
    """What follows is no news of an index in which nothing can be resolved."""
    done = _pip(index, extra)
    assert done.returncode == 0, done.stderr
    assert f"pytest-lem-{PROJECT['project']['version']}" in done.stdout


@pytest.mark.parametrize("pair", CONFLICTS, ids=_ids)
def test_pip_refuses_what_excludes_each_other_and_names_both(
    pair: frozenset[str], index: Path
) -> None:
    """In one message. Which of their libraries it blames is pip's own affair: see the next test."""
    done = _pip(index, *pair)
    assert done.returncode == 1
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR: Cannot install")]
    assert len(errors) == 1, done.stderr
    assert f"pytest-lem[{','.join(sorted(pair))}]" in errors[0]


@pytest.mark.parametrize(("extra", "library"), REASONS)
def test_no_version_of_a_library_is_good_for_both(extra: str, library: str) -> None:
    """The reason for each conflict, in the words of the distributions."""
    theirs = [found for (name, _), lines in facts().items() if name == extra
              for found in of_library(lines, library)]  # fmt: skip
    mine = of_library(PROJECT["project"]["optional-dependencies"][extra], library)
    (wanted,) = of_library(facts()["tensorrt-llm", "1.2.1"], library)
    known = [version for name, version in facts() if name == library]
    assert any(wanted.contains(version, prereleases=True) for version in known)
    assert theirs or mine
    for specifier in theirs or mine:
        assert any(specifier.contains(version) for version in known)
        assert not any((specifier & wanted).contains(v, prereleases=True) for v in known)


def test_each_conflict_has_its_reason() -> None:
    """And each reason its conflict."""
    assert {frozenset(("tensorrt-llm", extra)) for extra, _ in REASONS} == set(CONFLICTS)


@pytest.mark.parametrize("pair", PAIRS, ids=_ids)
def test_the_declared_conflicts_are_all_there_are(
    pair: frozenset[str], index: Path, tmp_path: Path
) -> None:
    """Each pair that is declared cannot be resolved, and each that is not can be."""
    done = _compile(index, tmp_path, pair)
    assert (done.returncode != 0) == (pair in CONFLICTS), done.stderr


@pytest.mark.parametrize("pair", CONFLICTS, ids=_ids)
def test_uv_says_once_that_extras_exclude_each_other(
    pair: frozenset[str], index: Path, tmp_path: Path
) -> None:
    """With its own words for a declared conflict, before it looks at any version."""
    folder = _project(tmp_path, index, (ROOT / "pyproject.toml").read_text())
    locked = _uv(folder, "lock")
    assert locked.returncode == 0, locked.stderr
    options = [word for extra in sorted(pair) for word in ("--extra", extra)]
    done = _uv(folder, "sync", "--frozen", "--dry-run", *options)
    assert done.returncode != 0
    assert done.stderr.count("incompatible") == 1, done.stderr
    assert all(extra in done.stderr for extra in pair)


@pytest.mark.parametrize("pair", CONFLICTS, ids=_ids)
def test_each_declared_conflict_is_needed(
    pair: frozenset[str], index: Path, tmp_path: Path
) -> None:
    """Without its line uv finds no versions for all extras at once."""
    text = (ROOT / "pyproject.toml").read_text()
    first, second = sorted(pair)
    line = f'  [{{ extra = "{first}" }}, {{ extra = "{second}" }}],\n'
    swapped = f'  [{{ extra = "{second}" }}, {{ extra = "{first}" }}],\n'
    assert line in text or swapped in text
    folder = _project(tmp_path, index, text.replace(line, "").replace(swapped, ""))
    assert _uv(folder, "lock").returncode != 0


def test_the_page_names_what_excludes_each_other_once() -> None:
    """In one sentence, by the names of the extras."""
    page = (ROOT / "docs/backends.md").read_text().replace("\n", " ")
    sentences = [s for s in re.split(r"(?<=\.)\s", page) if "exclude" in s]
    assert len(sentences) == 1, sentences
    assert set(re.findall(r"`([\w-]+)`", sentences[0])) & EXTRAS == frozenset.union(*CONFLICTS)


def test_facts_are_about_what_the_extras_ask_for() -> None:
    """Each engine has its facts; a file whose name is not a distribution would prove nothing."""
    names = {name for name, _ in facts()}
    assert {"torch", "transformers", "vllm", "tensorrt-llm", "datasets"} <= names
    assert all(lines for lines in facts().values())
