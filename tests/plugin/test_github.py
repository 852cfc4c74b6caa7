"""A run inside GitHub Actions: the page of the job, annotations in the log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.plugin import github

SUITE = """
    from burn import burn

    def test_one(energy):
        energy(burn)

    def test_two(energy):
        energy(burn)
"""
#: Enough rows for tables that are longer than the sentences around them.
MANY = """
    import pytest
    from burn import burn

    @pytest.mark.parametrize("n", range(8))
    def test_each(energy, n):
        energy(burn, 0.01)
"""
SPEED = "--lem-fail-on=call_duration_s:50"
SAVE, COMPARE = "--lem-save=main", "--lem-baseline=main"


@pytest.fixture
def page(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file for the summary of a step, which has something in it already."""
    path = suite.path / "summary.md"
    path.write_text("# before\n")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(path))
    return path


@pytest.fixture
def job(page: Path, suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run inside a job, whose checkout is one folder above the suite."""
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(suite.path.parent))


def annotated(result: pytest.RunResult) -> list[str]:
    """Return the annotations in the output of a run."""
    return [line for line in result.outlines if line.startswith(("::error", "::warning"))]


def test_a_regression_is_an_annotation_and_a_row(
    job: None, page: Path, lem: Any, history: Any, suite: Any
) -> None:
    """At the line of its test, by the path in the checkout; the page is appended to."""
    lem(SUITE, SAVE)
    history(0.01)
    page.write_text("# before\n")

    result = lem(None, COMPARE, SPEED)

    lines = annotated(result)
    assert len(lines) == 2
    start = f"::error file={suite.path.name}/test_it.py,line=3,title=energy regressed%3A "
    assert lines[0].startswith(f"{start}test_it%3A%3Atest_one::call_duration_s is +")
    assert lines[0].endswith("; 50 %25 is allowed")
    assert "/test_it.py,line=6,title=energy regressed%3A test_it%3A%3Atest_two::" in lines[1]
    text = page.read_text()
    assert text.startswith("# before\n\n\n**run ")
    assert "| ✗ test_it::test_one | \\~" in text
    assert "**gate: baseline main (8 sessions), call_duration_s:50**" in text
    assert "| REGRESSED | test_it::test_two | s/call | +" in text


def test_annotations_stand_below_the_tables(job: None, lem: Any, history: Any) -> None:
    """A table is whole, and pytest's own summary follows."""
    lem(SUITE, SAVE)
    history(0.01)
    outlines = lem(None, COMPARE, SPEED).outlines
    first = next(n for n, line in enumerate(outlines) if line.startswith("::error"))
    assert outlines[first - 1].startswith("run file: ")
    assert "short test summary info" in outlines[first + 2]


def test_a_run_without_a_gate_has_a_page_and_no_annotation(job: None, page: Path, lem: Any) -> None:
    """What was measured, and what to know about it."""
    assert annotated(lem(SUITE)) == []
    text = page.read_text()
    assert "| test_it::test_one | \\~" in text
    assert "- estimated: energy is an estimate" in text
    assert "verdict" not in text


def test_what_is_missing_is_told_once(job: None, page: Path, lem: Any) -> None:
    """As a verdict, in the file that is still there; the page has it too."""
    lem(SUITE, SAVE)
    page.unlink()
    result = lem("from burn import burn\ndef test_one(energy): energy(burn)", COMPARE, SPEED,
                 "--lem-promise=1000")  # fmt: skip
    [line] = annotated(result)
    assert "/test_it.py,title=energy missing%3A test_it%3A%3Atest_two::in main, but not" in line
    assert page.read_text().startswith("**run ")
    assert "| MISSING | test_it::test_two |" in page.read_text()


def test_a_problem_of_the_run_is_an_annotation(job: None, page: Path, lem: Any) -> None:
    """A gate that compared nothing has a sentence, in the log and on the page."""
    lem(SUITE, SAVE)
    page.write_text("")
    result = lem("def test_plain(): pass", COMPARE, SPEED)
    [line] = [line for line in annotated(result) if "compared nothing" in line]
    assert line.startswith("::error title=energy%3A the run::the gate against main compared")
    assert "- the gate against main compared nothing" in page.read_text()


def test_a_budget_is_an_annotation(job: None, lem: Any) -> None:
    """It needs no gate."""
    result = lem(
        "import pytest\nfrom burn import burn\n"
        "@pytest.mark.energy(max_joules=1e-9)\ndef test_dear(energy): energy(burn)"
    )
    [line] = annotated(result)
    assert "/test_it.py,line=3,title=energy failed%3A test_it%3A%3Atest_dear::over the" in line


def test_outside_of_a_job_there_is_no_annotation(page: Path, lem: Any, history: Any) -> None:
    """The page alone may be asked for."""
    lem(SUITE, SAVE)
    history(0.01)
    assert annotated(lem(None, COMPARE, SPEED)) == []
    assert "| REGRESSED |" in page.read_text()


def test_a_page_that_cannot_be_written_is_a_sentence(
    job: None, lem: Any, stored: Any, suite: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run passes, and its results are where they belong."""
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(suite.path))
    result = lem(SUITE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["lem: cannot write the summary of the job to * (Is a directory)"])
    assert len(stored().records) == 2


def test_a_run_that_measured_nothing_leaves_the_page_alone(job: None, page: Path, lem: Any) -> None:
    """A job that merely has the plugin installed is not bothered."""
    lem("def test_plain(): pass").assert_outcomes(passed=1)
    assert page.read_text() == "# before\n"


def test_two_runs_of_a_step_share_a_page(job: None, page: Path, lem: Any) -> None:
    """The second follows the first."""
    lem(SUITE)
    lem(None)
    assert page.read_text().startswith("# before\n")
    assert page.read_text().count("**run ") == 2


def test_workers_leave_it_to_the_controller(
    job: None, page: Path, lem: Any, history: Any, suite: Any
) -> None:
    """With pytest-xdist there is one page, and each annotation once."""
    lem(SUITE, SAVE)
    history(0.01)
    page.unlink()
    result = suite.runpytest_subprocess("-n2", COMPARE, SPEED)
    assert len(annotated(result)) == 2
    assert page.read_text().count("**run ") == 1


def test_two_sides_have_a_page(job: None, page: Path, lem: Any, engine: Any) -> None:
    """B is judged against A, by turns; the annotation is at the test."""
    engine.makepyfile(test_it="def test_it(inference):\n    inference()")
    result = lem(None, "--lem-ab=ngram.cpu_s:0.001,0.003", "--lem-set=pair.pairs=7",
                 "--lem-set=measure.min_window_s=0", "--lem-promise=1000",
                 "--lem-fail-on=output_throughput_tok_s:20")  # fmt: skip
    [line] = annotated(result)
    assert "/test_it.py,line=1,title=energy regressed%3A " in line
    text = page.read_text()
    assert "**paired: against ngram.cpu_s:0.001, by turns**" in text
    assert text.count("| REGRESSED |") == 1


def test_a_page_keeps_within_what_github_takes(
    page: Path, lem: Any, history: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Figures give way to verdicts, then lines at the end."""
    lem(MANY, SAVE)
    history(0.01)
    jobs: list[github.Job] = []
    with monkeypatch.context() as patch:
        patch.setattr(github.Job, "append_page", lambda job, _: jobs.append(job))
        lem(None, COMPARE, SPEED)

    def read(largest: int) -> str:
        monkeypatch.setattr(github, "LARGEST", largest)
        page.unlink()
        assert jobs[0].append_page(page) is None
        assert len(page.read_bytes()) <= largest
        return page.read_text()

    whole = read(github.LARGEST)
    assert "| case | J/call |" in whole
    assert read(len(whole.encode())) == whole
    verdicts = read(len(whole.encode()) - 1)
    assert "| case | J/call |" not in verdicts
    assert "- the figures are left out, since GitHub takes 1 MiB" in verdicts
    assert (verdicts.count("| REGRESSED |"), "cut here" in verdicts) == (8, False)
    part = read(len(verdicts.encode()) // 2)
    assert 0 < part.count("| REGRESSED |") < 8
    assert part.endswith("`lem report latest` has the rest\n")


def test_a_full_page_is_told(
    page: Path, lem: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one sentence, which fails nothing."""
    monkeypatch.setattr(github, "LARGEST", 60)
    result = lem(SUITE)
    assert result.ret == 0
    result.stdout.fnmatch_lines(["lem: the summary of the job has no room left for this run *"])
    assert len(stored().records) == 2


def test_nothing_of_it_is_imported_elsewhere(suite: pytest.Pytester) -> None:
    """A run outside of GitHub Actions does not pay for it."""
    suite.makeconftest(
        """
        import sys

        def pytest_unconfigure(config):
            names = ("pytest_lem.plugin.github", "pytest_lem.reports.annotations")
            print("imported", [name for name in names if name in sys.modules])
        """
    )
    suite.makepyfile(test_it=SUITE)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-s"], cwd=suite.path, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert "imported []" in done.stdout
