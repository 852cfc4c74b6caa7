"""The gate in a session: what fails a test, what fails the run, what joins a history."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

SUITE = """
    from burn import burn

    def test_one(energy):
        energy(burn)

    def test_two(energy):
        energy(burn)
"""
#: A hundred times longer or shorter is what no other load on this machine brings about.
SPEED = "--lem-fail-on=call_duration_s:50"
SAVE, COMPARE = "--lem-save=main", "--lem-baseline=main"


@pytest.fixture(scope="module")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where the first test leaves its store for the others, which begin with a copy."""
    return tmp_path_factory.mktemp("night") / ".lem"


@pytest.fixture
def saved(suite: Any, lem: Any, first_night: Path) -> Any:
    """Return a function that runs the suite, which was saved once."""
    store = suite.path / ".lem"
    if first_night.exists():
        suite.makepyfile(test_it=SUITE)
        shutil.copytree(first_night, store, symlinks=True)
    else:
        lem(SUITE, SAVE).assert_outcomes(passed=2)
        shutil.copytree(store, first_night, symlinks=True)
    return lambda *arguments: lem(None, *arguments)


def verdicts(run_file: Any) -> dict[str, list[str]]:
    """Return the verdicts of a run by case."""
    found: dict[str, list[str]] = {}
    for comparison in run_file.comparisons:
        found.setdefault(comparison.case.partition("::")[2], []).append(comparison.verdict)
    return found


def test_a_first_night_begins_a_history(lem: Any, stored: Any, sessions: Any) -> None:
    """Saved and compared with itself, an empty store gates nothing and fails nothing."""
    result = lem(SUITE, SAVE, COMPARE, SPEED)

    result.assert_outcomes(passed=2)
    assert result.ret == 0
    assert verdicts(stored()) == {"test_one": ["provisional"], "test_two": ["provisional"]}
    assert {reason for c in stored().comparisons for reason in c.reasons} == {"first_session"}
    assert [entry.state for entry in sessions()[0].entries] == ["joined", "joined"]
    result.stdout.fnmatch_lines(["*gate: baseline main (0 sessions), call_duration_s:50*"])
    result.stdout.fnmatch_lines(["saved to main: 2 of 2 cases"])


def test_what_got_slower_fails_its_test(
    saved: Any, history: Any, stored: Any, sessions: Any
) -> None:
    """Measured twice, told in one sentence, kept out of the history."""
    history(0.01)

    result = saved(SAVE, COMPARE, SPEED)

    result.assert_outcomes(failed=2)
    assert result.ret == 1
    assert verdicts(stored()) == {"test_one": ["regressed"], "test_two": ["regressed"]}
    comparison = stored().comparisons[0]
    assert comparison.p < 0.01
    assert comparison.p_repeated < 0.01
    assert comparison.sessions == 8
    result.stdout.fnmatch_lines(
        ["test_it::test_one: call_duration_s is +* worse than main (8 sessions); 50 % is allowed"]
    )
    kinds = [(r.failure_kind, r.repetition) for r in stored().records]
    assert kinds == [("gate", 1), ("gate", 2)] * 2
    assert [entry.state for entry in sessions()[-1].entries] == ["waiting", "waiting"]


def test_what_got_faster_waits_for_a_person(saved: Any, history: Any, sessions: Any) -> None:
    """It fails nothing, and does not become the baseline by itself."""
    history(100)

    result = saved(SAVE, COMPARE, SPEED)

    result.assert_outcomes(passed=2)
    assert [entry.verdict for entry in sessions()[-1].entries] == ["improved", "improved"]
    assert [entry.state for entry in sessions()[-1].entries] == ["waiting", "waiting"]
    said = " ".join(result.stdout.str().split())  # it is folded where the terminal is narrow
    assert "2 differ from their history and wait for `lem baseline accept main`" in said


def test_what_did_not_change_passes_and_joins(saved: Any, history: Any, sessions: Any) -> None:
    """Where the gate can keep its promise, that is a pass."""
    history()

    result = saved(SAVE, COMPARE, "--lem-fail-on=call_duration_s:900", "--lem-promise=5000")

    result.assert_outcomes(passed=2)
    assert [entry.verdict for entry in sessions()[-1].entries] == ["pass", "pass"]
    assert [entry.state for entry in sessions()[-1].entries] == ["joined", "joined"]
    result.stdout.fnmatch_lines(["2 figures of 2 cases against main: 2 pass; changes from *"])


def test_a_promise_that_cannot_be_kept_is_provisional(
    saved: Any, history: Any, stored: Any
) -> None:
    """Nothing fails, and the least change that would be found is printed."""
    history()

    result = saved(COMPARE, SPEED, "--lem-set=gate.session_cv=1.0")

    result.assert_outcomes(passed=2)
    assert verdicts(stored()) == {"test_one": ["provisional"], "test_two": ["provisional"]}
    assert "too_coarse" in stored().comparisons[0].reasons
    assert stored().comparisons[0].mde > 1.0 == stored().comparisons[0].promise
    result.stdout.fnmatch_lines(["*2 provisional; changes from *"])


def test_estimated_energy_fails_closed(saved: Any, stored: Any) -> None:
    """A baseline alone gates energy, which nobody measured here; the way out is named."""
    result = saved(COMPARE)

    result.assert_outcomes(failed=2)
    found = {(c.metric, c.verdict) for c in stored().comparisons}
    assert ("energy_per_call_j", "invalid") in found
    result.stdout.fnmatch_lines(
        ["*energy_per_call_j cannot be judged against main: the energy is*"]
    )


def test_an_estimate_may_be_gated_by_consent(saved: Any, history: Any, stored: Any) -> None:
    """The change is split into power and speed."""
    history(0.01)

    saved(
        COMPARE, "--lem-fail-on=energy_per_call_j:50", "--lem-set=gate.estimates=true"
    ).assert_outcomes(failed=2)

    parts = stored().comparisons[0].attribution
    energy, power, speed = (1 + parts[f"{name}_pct"] / 100 for name in ("energy", "power", "speed"))
    assert energy == pytest.approx(power / speed)


def test_an_estimate_beside_a_speed_does_not_keep_it_out(saved: Any, sessions: Any) -> None:
    """Saved without a gate, the case joins by what can be judged of it."""
    saved(SAVE, "--lem-set=gate.session_cv=1.0")

    assert len(sessions()) == 2
    assert [entry.state for entry in sessions()[-1].entries] == ["joined", "joined"]


def test_a_change_is_kept_out_without_a_gate_as_well(
    saved: Any, history: Any, sessions: Any
) -> None:
    """Saving alone asks the history before it grows, and fails nothing."""
    history(0.01)

    saved(SAVE).assert_outcomes(passed=2)

    assert [entry.state for entry in sessions()[-1].entries] == ["waiting", "waiting"]


def test_the_marker_comes_before_the_command_line(lem: Any, history: Any, stored: Any) -> None:
    """Its rules take the place of the session's for its test."""
    lem(
        """
        import pytest
        from burn import burn

        @pytest.mark.energy(fail_on="call_duration_s:50")
        def test_one(energy):
            energy(burn)

        @pytest.mark.energy(fail_on=["call_duration_s:99999999"])
        def test_two(energy):
            energy(burn)
        """,
        SAVE,
    )
    history(0.01)

    lem(None, COMPARE, "--lem-fail-on=call_duration_s:99999999").assert_outcomes(passed=1, failed=1)

    assert verdicts(stored())["test_one"] == ["regressed"]
    assert [c.theta for c in stored().comparisons] == [0.5, 999999.99]


def test_a_body_that_ran_once_is_judged_more_strictly(lem: Any, history: Any, stored: Any) -> None:
    """It cannot be measured again, so one test has the level of two."""
    lem("import pytest\nfrom burn import burn\n@pytest.mark.energy\ndef test_body(): burn()", SAVE)
    history(0.01)

    lem(None, COMPARE, SPEED).assert_outcomes(failed=1)

    [comparison] = stored().comparisons
    assert comparison.alpha == pytest.approx(1e-4)
    assert comparison.p_repeated is None
    assert len(stored().records) == 1


def test_a_test_that_fails_by_itself_is_not_judged_as_well(
    lem: Any, stored: Any, sessions: Any
) -> None:
    """Its own failure is told, and what it measured does not join."""
    source = "from burn import burn\ndef test_one(energy):\n    energy(burn)\n    assert {}"
    lem(source.format("True"), SAVE)

    lem(source.format("False"), SAVE, COMPARE, SPEED).assert_outcomes(failed=1)

    assert stored().records[0].failure_kind == "test"
    assert [entry.state for entry in sessions()[-1].entries] == ["never"]


def test_other_circumstances_are_incomparable(saved: Any, sessions: Any, stored: Any) -> None:
    """The facts that differ are named; those under test are not held against it."""
    changed = "--lem-set=measure.min_window_s=0.01"

    result = saved(COMPARE, SPEED, changed)

    result.assert_outcomes(failed=2)
    assert verdicts(stored()) == {"test_one": ["incomparable"], "test_two": ["incomparable"]}
    assert stored().comparisons[0].differences == ["method.min_window_s: 0.0 -> 0.01"]
    result.stdout.fnmatch_lines(["*cannot be compared with main: *(method.min_window_s: *)"])

    under_test = saved(
        COMPARE,
        "--lem-fail-on=call_duration_s:99999",
        changed,
        "--lem-under-test=method.min_window_s",
    )
    under_test.assert_outcomes(passed=2)
    under_test.stdout.fnmatch_lines(["under test: method.min_window_s: 0.0 -> 0.01"])


def test_verdicts_that_fail_are_a_setting(saved: Any, history: Any) -> None:
    """Without `regressed` among them nothing fails."""
    history(0.01)

    quiet = "--lem-set=gate.fail_verdicts=[incomparable]"
    saved(COMPARE, SPEED, quiet).assert_outcomes(passed=2)


def test_a_rerun_is_judged_anew(saved: Any, history: Any, stored: Any) -> None:
    """pytest-rerunfailures runs a regressed test again, and only the last attempt is shown."""
    history(0.01)

    result = saved(COMPARE, SPEED, "-p", "rerunfailures", "--reruns=1", "-k", "one")

    assert result.parseoutcomes() == {"failed": 1, "rerun": 1, "deselected": 1}
    result.stdout.fnmatch_lines(["1 figure of 1 case against main: 1 regressed; *"])
    assert [c.verdict for c in stored().comparisons] == ["regressed"] * 2
    assert [(r.attempt, r.repetition) for r in stored().records] == [
        (1, 1), (1, 2), (2, 1), (2, 2),
    ]  # fmt: skip


def test_workers_judge_and_the_controller_saves(
    suite: Any, saved: Any, history: Any, stored: Any, sessions: Any
) -> None:
    """With pytest-xdist the verdicts, the failures and the history are the same."""
    history(0.01)

    result = suite.runpytest_subprocess("-n2", "--lem-json=run.json", SAVE, COMPARE, SPEED)

    result.assert_outcomes(failed=2)
    assert verdicts(stored()) == {"test_one": ["regressed"], "test_two": ["regressed"]}
    assert [entry.state for entry in sessions()[-1].entries] == ["waiting", "waiting"]


def test_it_stops_at_the_first_regression(saved: Any, history: Any, stored: Any) -> None:
    """-x sees an ordinary failure, and what was not run is not missing."""
    history(0.01)

    saved(COMPARE, SPEED, "-x").assert_outcomes(failed=1)

    assert verdicts(stored()) == {"test_one": ["regressed"]}


def test_a_marker_may_promise_less(lem: Any, history: Any, stored: Any) -> None:
    """Its promise takes the place of the session's for its test."""
    lem(
        """
        import pytest
        from burn import burn

        @pytest.mark.energy(promise=1000)
        def test_one(energy):
            energy(burn)

        def test_two(energy):
            energy(burn)
        """,
        SAVE,
    )
    history()

    lem(None, COMPARE, SPEED, "--lem-set=gate.session_cv=0.5").assert_outcomes(passed=2)

    assert verdicts(stored()) == {"test_one": ["pass"], "test_two": ["provisional"]}


def test_what_failed_last_can_be_run_alone(suite: Any, saved: Any, history: Any) -> None:
    """--lf runs what regressed, and does not miss the others."""
    history(0.01)
    with_cache = ("-o", "addopts=-p no:hypothesispytest", COMPARE, SPEED)
    suite.runpytest_subprocess(*with_cache, "-k", "one").assert_outcomes(failed=1, deselected=1)

    result = suite.runpytest_subprocess(*with_cache, "--lf")

    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*not in this run*")


def test_junit_has_single_values(suite: Any, saved: Any, history: Any) -> None:
    """Figures, what to think of them, and verdicts are properties of the test case."""
    history(0.01)
    saved(COMPARE, SPEED, "--junitxml=j.xml")

    text = (suite.path / "j.xml").read_text()

    assert 'name="lem.call_duration_s" value="' in text
    assert 'name="lem.call_duration_s.verdict" value="regressed"' in text
    assert "<failure message=" in text
    assert 'name="lem.energy_tier" value="estimated"' in text
    assert 'name="lem.origin" value="measured"' in text
    assert 'name="lem.flags" value="estimated, ' in text
    assert 'name="lem.failure_kind" value="gate"' in text
