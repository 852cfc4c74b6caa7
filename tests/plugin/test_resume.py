"""Resuming: what was measured already is not measured again, and nothing else is taken for it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SPEED = "--lem-fail-on=call_duration_s:90"
SOURCE = """
    import pytest
    from burn import burn

    def count(name):
        with open(f"{name}.txt", "a") as file:
            file.write("x")

    def test_call(energy):
        assert energy(lambda: [count("call"), burn(), 42][-1]) == 42

    @pytest.mark.energy
    def test_body():
        count("body")
        burn()

    def test_window(energy):
        with energy.window("w"):
            count("window")
            burn()
"""


@pytest.fixture
def runs(suite: Any) -> Callable[[str], int]:
    """Return a function that tells how often a part of the suite has run."""

    def count(name: str) -> int:
        path = Path(suite.path, f"{name}.txt")
        return len(path.read_text()) if path.exists() else 0

    return count


def test_measured_cases_are_taken_over(lem: Any, stored: Any, runs: Callable[[str], int]) -> None:
    """A callable runs once for its value, a body not at all; the figures are those of before."""
    lem(SOURCE).assert_outcomes(passed=3)
    before = {r.case.key: r.metrics["call_duration_s"].value for r in stored().records}
    called = runs("call")

    result = lem(None, "--lem-resume")

    result.assert_outcomes(passed=3)
    assert {r.origin for r in stored().records} == {"resumed"}
    assert before == {r.case.key: r.metrics["call_duration_s"].value for r in stored().records}
    assert (runs("call"), runs("body"), runs("window")) == (called + 1, 1, 2)
    result.stdout.fnmatch_lines(["lem: resuming *, which has 3 cases", "*test_call (resumed): *"])


def test_a_chain_of_resumed_runs_loses_nothing(lem: Any, stored: Any) -> None:
    """What was taken over can be taken over once more."""
    lem(SOURCE)
    lem(None, "--lem-resume", "-k", "call or body")
    lem(None, "--lem-resume", "-k", "call or body").assert_outcomes(passed=2, deselected=1)

    assert {r.origin for r in stored().records} == {"resumed"}
    assert all(stored().environments[r.environment] for r in stored().records)


def test_a_killed_run_is_resumed_from_its_journal(
    suite: Any, lem: Any, stored: Any, runs: Callable[[str], int]
) -> None:
    """What it had finished is in the journal; the case in which it died is measured."""
    suite.makepyfile(
        test_it="""
        import os, signal
        from burn import burn

        def test_first(energy):
            energy(burn)

        def test_second(energy):
            if not os.environ.get("SPARE"):
                os.kill(os.getpid(), signal.SIGKILL)
            energy(burn)
        """
    )
    assert suite.runpytest_subprocess("-s").ret == -9

    suite._monkeypatch.setenv("SPARE", "1")
    lem(None, "--lem-resume").assert_outcomes(passed=2)

    assert [record.origin for record in stored().records] == ["resumed", "measured"]


@pytest.mark.parametrize(
    "change",
    [
        ("--lem-set=measure.rounds=3",),
        ("--lem-set=energy.watts_per_cpu=9",),
        ("--lem-meter=simulated",),
        ("--lem-cycles=2",),
    ],
    ids=lambda value: value[0],
)
def test_what_is_not_the_same_is_measured(lem: Any, stored: Any, change: tuple[str, ...]) -> None:
    """Another method, another constant, another meter, another cycle: no record fits."""
    lem(SOURCE)

    lem(None, "--lem-resume", *change)

    assert "resumed" not in {record.origin for record in stored().records}


def test_a_changed_test_is_measured(lem: Any, stored: Any) -> None:
    """Its source is a part of what makes two measurements the same."""
    lem(SOURCE)

    lem(SOURCE.replace("== 42", "is not None"), "--lem-resume")

    origins = {r.nodeid.rpartition("::")[2]: r.origin for r in stored().records}
    assert origins == {
        "test_call": "measured", "test_body": "resumed", "test_window": "resumed",
    }  # fmt: skip


@pytest.mark.parametrize(("again", "outcome"), [("true", "passed"), ("false", "failed")])
def test_what_failed_is_measured_again_unless_told_otherwise(
    lem: Any, stored: Any, again: str, outcome: str
) -> None:
    """Left as it is, it fails its test with the sentence of before."""
    source = "from burn import burn\ndef test_it(energy):\n    energy(burn)\n    assert {}\n"
    lem(source.format("open('ok.txt')")).assert_outcomes(failed=1)
    Path("ok.txt").write_text("")

    result = lem(None, "--lem-resume", f"--lem-set=resume_failed={again}")

    result.assert_outcomes(**{outcome: 1})
    if outcome == "failed":
        result.stdout.fnmatch_lines(["*ok.txt* (resumed; it was not run again)"])


def test_a_model_is_not_loaded_again(engine: Any, stored: Any) -> None:
    """The stored result is returned, and the test's own assertions run on it."""
    source = """
        def test_it(inference):
            result = inference()
            assert result.output_tokens {} 0
    """
    engine.makepyfile(source.format(">"))
    engine.runpytest_inprocess("--lem-json=run.json").assert_outcomes(passed=1)
    first = stored().records[0]

    engine.runpytest_inprocess("--lem-json=run.json", "--lem-resume").assert_outcomes(passed=1)

    assert stored().records[0].origin == "resumed"
    assert stored().records[0].rounds == first.rounds
    assert not list(engine.path.glob(f".lem/runs/{stored().run.id}/logs/load-*"))


def test_nothing_to_resume_is_no_mistake(lem: Any, stored: Any) -> None:
    """The first run of a campaign may say that it resumes."""
    lem(SOURCE, "--lem-resume").assert_outcomes(passed=3)

    assert {record.origin for record in stored().records} == {"measured"}


def test_a_resumed_figure_is_compared(lem: Any, history: Any, stored: Any) -> None:
    """A gate judges it, and measures for real what it flags."""
    lem(SOURCE, "--lem-save=main")
    history(0.01)

    result = lem(
        None,
        "--lem-resume",
        "--lem-baseline=main",
        "--lem-fail-on=call_duration_s:50",
        "-k",
        "call",
    )

    result.assert_outcomes(failed=1, deselected=2)
    assert [r.origin for r in stored().records] == ["resumed", "measured"]


def test_a_resumed_figure_counts_once(lem: Any, stored: Any, sessions: Any) -> None:
    """Saved again and again it stays one session of the history, and no history of its own."""
    lem(SOURCE, "--lem-save=main", "-k", "call")
    for _ in range(2):
        lem(None, "--lem-resume", "--lem-save=main", "-k", "call")
    first = sessions()[0].run
    assert [entry.measured_in for one in sessions() for entry in one.entries] == [
        None,
        first,
        first,
    ]

    again = lem(None, "--lem-resume", "--lem-baseline=main", "-k", "call", SPEED)
    again.assert_outcomes(passed=1, deselected=2)
    assert [c.reasons for c in stored().comparisons] == [["only_itself"]]

    lem(None, "--lem-baseline=main", "-k", "call", SPEED)
    assert [c.sessions for c in stored().comparisons] == [1]
