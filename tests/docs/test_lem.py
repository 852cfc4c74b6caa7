"""Every `lem` command of the pages runs, on what the smoke job of docs/ci.md has left.

That job is run as the page has it, with the backend `ngram` of these tests in place of an engine.
Paths that a page makes up are mapped to the folder; nothing else is changed.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from pageblocks import ROOT, blocks_of, of
from shellwords import commands_of

# Tests that run in one process must not import a class twice.
import pytest_lem.reports.delimited
import pytest_lem.reports.html
import pytest_lem.reports.parquet  # noqa: F401
from pytest_lem.cli.main import main


def _is_run(words: list[str]) -> bool:
    """Leave out what takes seconds (tests/cli/doctor has it) or MLflow (tests/engines/mlflow)."""
    is_slow = words[1] == "doctor" and not {"--quick", "[DIR]"} & set(words)
    return not is_slow and not any("push" in word for word in words)


#: By what is typed: the page, and the words.
COMMANDS = {
    shlex.join(command.words[1:]): (block.page, command.words[1:])
    for block in of("sh")
    for command in commands_of(block.text)
    if command.words[:1] == ["lem"] and _is_run(command.words)
}
MAPPED = {
    "/srv/lem": ".lem",
    "[DIR]": "suite",
    "../store/run.json": "energy.json",
}
#: Two runs that pages name; the first is the baseline.
RUNS = ("20260101T0300", "20260102T0300")
#: What ends otherwise than with 0: an estimate is not gated, nothing waits in a history that has
#: just begun, and a run without a gate has no verdict.
STATUS = {"--baseline": 1, "accept": 1, "bisect": 125}
SUITE = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 2])
def test_generate(inference, batch_size):
    inference()
"""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the smoke job twice, and return its folder."""
    folder = tmp_path_factory.mktemp("job")
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks/test_generate.py").write_text(SUITE)
    (folder / "energy.yaml").write_text("cost: {pue: 1.2}\n")
    surroundings = ("LEM_", "PYTEST_")
    job = {name: v for name, v in os.environ.items() if not name.startswith(surroundings)} | {
        "LEM_BACKEND": "ngram",
        "LEM_MODEL": str(ROOT / "tests/ngram/model"),
        "LEM_LOCK_DIR": str(folder / "locks"),
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        "PYTEST_ADDOPTS": "-p lem",
        "PYTHONPATH": os.pathsep.join(
            [str(ROOT / "tests/ngram"), os.environ.get("PYTHONPATH", "")]
        ),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }
    smoke = next(block for block in blocks_of(ROOT / "docs/ci.md") if block.language == "sh")
    for save in ({"LEM_SAVE": "main"}, {}):
        done = subprocess.run(
            ["bash", "-e"], input=smoke.text, cwd=folder, env=job | save,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    assert {"energy.json", "energy.xml"} <= {path.name for path in folder.iterdir()}
    return folder


@pytest.mark.parametrize("command", COMMANDS.values(), ids=COMMANDS)
def test_a_command_of_lem_runs(
    command: tuple[Path, list[str]],
    left: Path,
    reader: pytest.MonkeyPatch,
    install: Callable[[Path], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """It ends as the page says, and never in a traceback."""
    page, words = command
    install(page)
    reader.chdir(left)
    runs = sorted(path.name for path in left.glob(".lem/runs/*") if path.is_dir())
    for old, new in (*MAPPED.items(), *zip(RUNS, runs, strict=True)):
        words = [word.replace(old, new) for word in words]
    expected = next((s for part, s in STATUS.items() if any(part in word for word in words)), 0)
    status = main(words)
    output = capsys.readouterr()
    assert status == expected, output.out + output.err
