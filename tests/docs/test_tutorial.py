"""The tutorial does what it says, step by step, in the order of the page.

The shell runs its commands as they stand. `LEM_PRESET` stands over the page's own `pytest.ini`, so
that windows are short; installing is left out; in place of a model that is downloaded, the backend
`ngram` of these tests runs.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from pageblocks import ROOT, Block, blocks_of

from pytest_lem import read_run

PAGE = ROOT / "docs/tutorial.md"


class Step(NamedTuple):
    """A block of commands, its exit status, and what it printed."""

    text: str
    status: int
    output: str


def _follow(blocks: list[Block], folder: Path) -> Iterator[Step]:
    """Save what is to be saved, and run what is to be run, but for what installs."""
    for block in blocks:
        if block.file:
            text = block.text.replace('backend="transformers"', 'backend="ngram"')
            folder.joinpath(block.file).write_text(text)
            if block.file == "look.py":
                yield _run("python look.py", folder)
        elif block.language == "sh" and "pip install" not in block.text:
            yield _run(block.text, folder)


def _run(script: str, folder: Path) -> Step:
    # A module that is written anew within a second must not be taken from its old bytecode.
    env = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        ["bash", "-e"], input=script, cwd=folder, env=env,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return Step(script, done.returncode, done.stdout + done.stderr)


@pytest.fixture
def steps(folder: pytest.Pytester, reader: pytest.MonkeyPatch, ngram: Path) -> list[Step]:
    """Follow the whole page."""
    reader.setenv("LEM_MODEL", str(ngram))
    return list(_follow(blocks_of(PAGE), folder.path))


def test_the_tutorial_works(steps: list[Step], folder: pytest.Pytester) -> None:
    """A table, a file, a budget and a gate that fail with what the page shows, and a model."""
    first, report, look, budget, save, worse, model = steps
    assert [step.status for step in steps] == [0, 0, 0, 1, 0, 1, 0]
    assert "1 passed" in first.output
    assert "J/call" in first.output
    assert "test_words::test_count" in report.output
    assert folder.path.joinpath("words.csv").read_text().startswith("run,key")
    assert look.output.startswith("test_words::test_count ")
    assert look.output.endswith(" J/call estimated\n")
    assert "over the energy budget" in budget.output
    assert "main" in save.output
    assert "REGRESSED" in worse.output
    assert "2 passed" in model.output
    (record,) = read_run(folder.path / "run.json").records
    assert (record.case.key, record.status) == ("test_words::test_count", "ok")
