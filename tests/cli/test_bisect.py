"""`lem bisect`, by itself and under git."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lem.cli.main import main
from pytest_lem.errors import FailureKind
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run

PAGE = Path(__file__).parents[2] / "docs" / "ci.md"
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.fixture
def judge(here, said):
    """Return a function that writes a run file with verdicts and gives status and output."""

    def run(*verdicts, records=(), exit_status=0):
        comparisons = [
            verdict if isinstance(verdict, Comparison) else compared(verdict)
            for verdict in verdicts
        ]
        content = Run(id="r", started="now", started_monotonic=0.0, exit_status=exit_status)
        file = RunFile(run=content, records=list(records), comparisons=comparisons)
        write_run(file, Path("run.json"))
        status, out, err = said("bisect", "run.json")
        assert err == []
        return status, out

    return run


def compared(verdict, case="t::f", **fields):
    """Return a comparison of the duration of a call."""
    return Comparison(
        case=case, nodeid=case, metric="call_duration_s", baseline="good", candidate="r",
        verdict=verdict, message="as it is", **fields
    )  # fmt: skip


def test_what_is_fine_is_good(judge):
    """Better is fine as well."""
    expected = (0, ["good: 2 figures compared, none regressed"])
    assert judge("pass", "improved") == expected
    assert judge("pass", "improved", exit_status=1) == expected


def test_a_regression_is_bad_whatever_else_there_is(judge, measured):
    """It is named."""
    broken = measured("b", failure=(FailureKind.ENGINE, "it died"))
    found = judge("pass", "invalid", compared("regressed", "t::g"), records=[broken], exit_status=2)
    assert found == (1, ["bad: t::g: as it is"])


@pytest.mark.parametrize(
    "verdict", ["inconclusive", "invalid", "incomparable", "missing", "provisional", "of_later"]
)
def test_an_undecided_verdict_is_skipped(judge, verdict):
    """One is enough, and an unknown one is none either way."""
    assert judge("pass", verdict) == (125, [f"skip: t::f: {verdict}: as it is"])


def test_what_could_not_be_found_says_how_it_could(judge):
    """A provisional verdict by itself would leave people without a way out."""
    status, (line,) = judge(compared("provisional", reasons=["too_coarse"]))
    assert status == 125
    assert "more sessions of history lower it" in line


@pytest.mark.parametrize("exit_status", [None, 2, 3, 4, 5])
def test_a_run_that_did_not_end_well_is_skipped(judge, exit_status):
    """What was not run may be what got worse."""
    status, (line,) = judge("pass", exit_status=exit_status)
    assert status == 125
    assert line in {"skip: the run did not finish", f"skip: pytest ended with status {exit_status}"}


def test_a_run_without_a_gate_is_skipped(judge):
    """Nothing was compared, so nothing is fine."""
    assert judge() == (
        125, ["skip: nothing was compared; give --lem-baseline or --lem-ab to pytest"]
    )  # fmt: skip


def test_a_test_that_failed_by_itself_is_skipped(judge, measured):
    """Its sentence is told; an attempt that was repeated with success is forgotten."""
    broken = measured("b", failure=(FailureKind.TEST, "assert 0"))
    assert judge("pass", records=[broken]) == (125, ["skip: b: test: assert 0"])
    again = measured("b")
    again.attempt = 2
    assert judge("pass", records=[broken, again])[0] == 0


def test_the_last_attempt_counts(judge):
    """A test that pytest-rerunfailures ran again has been judged anew."""
    found = [compared("regressed", attempt=1), compared("pass", attempt=2)]
    assert judge(*found)[0] == 0
    assert judge(*reversed(found))[0] == 0


def test_a_file_that_is_not_there_is_skipped(here, said):
    """The commit does not build; a damaged one tells as little."""
    assert said("bisect", "gone.json") == (
        125, [], ["skip: cannot read the run file gone.json: No such file or directory"]
    )  # fmt: skip
    Path("half.json").write_text('{"run":')
    assert said("bisect", "half.json")[0] == 125


@pytest.mark.parametrize("arguments", [[], ["a", "b"], ["a", "--fail-on", "x"]])
def test_a_mistake_ends_the_search(arguments, capsys):
    """Status 2 would call every commit bad."""
    with pytest.raises(SystemExit) as ended:
        main(["bisect", *arguments])
    assert ended.value.code == 128
    assert "lem bisect: error: " in capsys.readouterr().err


FINE, SLOW = 0.01, 0.3
SOURCE = """
import time

def work():
    start = time.process_time()
    while time.process_time() - start < {seconds}:
        pass
"""
SUITE = """
from package import work

def test_work(energy):
    energy(work)
"""
#: What each commit makes of the package; the one that git tries first does not even compile.
COMMITS = [FINE, FINE, "def work(:", FINE, SLOW, SLOW]


@pytest.fixture
def history(tmp_path, monkeypatch):
    """Make a repository in which a function becomes thirty times slower; return its folder."""
    repository = tmp_path / "repository"
    (repository / "benchmarks").mkdir(parents=True)
    monkeypatch.chdir(repository)
    home = {"HOME": tmp_path, "GIT_CONFIG_NOSYSTEM": 1, "PYTHONPATH": repository}
    who = {f"GIT_{w}_{x}": "a@b.c" for w in ("AUTHOR", "COMMITTER") for x in ("NAME", "EMAIL")}
    short = {"LEM_PRESET": "smoke", "LEM_METER": "estimated", "LEM_SET": "energy.sample_s=0"}
    # Whatever a busy machine does to the scatter, a verdict is `pass` or `regressed`.
    unused = ("hypothesispytest", "asyncio", "benchmark", "xdist", "rerunfailures", "timeout")
    quick = {
        "LEM_PROMISE": "1000000",
        "PYTEST_ADDOPTS": " ".join(f"-p no:{name}" for name in unused),
    }
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    for name, value in {**home, **who, **short, **quick, "PATH": path}.items():
        monkeypatch.setenv(name, str(value))
    for name in [name for name in os.environ if name.startswith("GIT_") and name not in who]:
        monkeypatch.delenv(name)
    git("init", "--quiet", "--initial-branch=main")
    Path("benchmarks/test_it.py").write_text(SUITE)
    for number, state in enumerate(COMMITS):
        source = state if isinstance(state, str) else SOURCE.format(seconds=state)
        Path("package.py").write_text(f"# {number}\n{source}")
        git("add", ".")
        git("commit", "--quiet", "--message", f"commit {number}")
    git("tag", "v1.0", f"HEAD~{len(COMMITS) - 1}")
    return repository


def git(*arguments):
    """Run git here, and return what it prints."""
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def test_git_finds_the_commit(history, tmp_path):
    """By the two scripts of docs/ci.md, to the letter: a commit that is broken is skipped."""
    script, commands = (
        next(b for b in BLOCKS if word in b) for word in ("#!/bin/sh", "bisect run")
    )
    (tmp_path / "bisect.sh").write_text(script)
    done = subprocess.run(
        ["bash", "-e"], input=commands, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    culprit = git("rev-parse", "refs/bisect/bad").strip()
    assert git("show", "--no-patch", "--format=%s", culprit).strip() == "commit 4"
    assert f"{culprit} is the first bad commit" in done.stdout
    log = git("bisect", "log")
    assert "# skip: " in log
    assert "commit 2" in next(line for line in log.splitlines() if line.startswith("# skip: "))
