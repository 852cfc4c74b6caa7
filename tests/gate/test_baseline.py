"""A baseline: which sessions count for a case, and what they make together."""

from __future__ import annotations

from collections.abc import Callable
from math import inf, log, nan
from statistics import fmean
from typing import Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.gate.baseline import Baseline, Found, baseline_of, key_of
from pytest_lem.gate.history import History
from pytest_lem.gate.key import UnderTest
from pytest_lem.results.entry import Figure

Make = Callable[..., Any]
ENERGY = "energy_per_output_token_j"
NOTHING = UnderTest([])


def _history(found: Found, metric: str = ENERGY, prior_cv: float = 0.02) -> History:
    history = found.history(metric, prior_cv)
    assert history is not None
    return history


def test_sessions_under_one_key_are_a_history(entry: Make, facts: Make, baseline: Make) -> None:
    """One logarithm for each session, the oldest first."""
    known: Baseline = baseline(*((entry(joules), facts()) for joules in (0.02, 2.1, 1.9)))
    found = known.find(entry(), facts())
    assert (known.sessions, bool(known.cases)) == (3, True)
    assert [past.night.run for past in found.past] == ["r0", "r1", "r2"]
    assert list(_history(found).logs) == [log(0.02), log(2.1), log(1.9)]
    assert (found.differing, found.is_ambiguous, found.on_same_board) == ((), False, True)


@pytest.mark.parametrize("state", ["waiting", "never"])
def test_only_what_has_joined_counts(entry: Make, facts: Make, baseline: Make, state: str) -> None:
    """What waits for a person, or never joins, is no part of a history, but of its sessions."""
    known = baseline((entry(2.0), facts()), (entry(9.0, state=state), facts()))
    assert list(_history(known.find(entry(), facts())).logs) == [log(2.0)]
    alone = baseline((entry(9.0, state=state), facts()))
    assert (alone.sessions, bool(alone.cases)) == (1, False)
    assert not alone.find(entry(), facts()).past


def test_a_case_that_nobody_knows_has_no_history(entry: Make, facts: Make, baseline: Make) -> None:
    """Another batch size is another case, and nothing is said to differ from it."""
    known = baseline((entry(), facts()))
    found = known.find(entry(settings={"batch_size": 16}), facts())
    assert (list(found.past), list(found.differing), found.is_ambiguous) == ([], [], False)
    assert found.history(ENERGY, 0.02) is None


def test_a_renamed_test_keeps_its_history(entry: Make, facts: Make, baseline: Make) -> None:
    """Neither the node id nor the source is in the key."""
    known = baseline((entry(nodeid="t.py::old", source_sha256="aa"), facts()))
    assert known.find(entry(nodeid="t.py::new", source_sha256="bb"), facts()).past


def test_facts_that_differ_keep_a_history_apart(entry: Make, facts: Make, baseline: Make) -> None:
    """They are told from those of the latest session, each from what to what."""
    known = baseline(
        (entry(), facts({"backend.version": "0.9"})), (entry(), facts({"backend.version": "1.0"}))
    )
    found = known.find(entry(), facts({"backend.version": "1.1", "gpu.name": ["Other"]}))
    assert not found.past
    assert [str(difference) for difference in found.differing] == [
        "backend.version: 1.0 -> 1.1", "gpu.name: Board -> Other",
    ]  # fmt: skip


def test_sessions_of_another_key_are_left_out(entry: Make, facts: Make, baseline: Make) -> None:
    """A history goes on after a change was taken back."""
    known = baseline(
        (entry(2.0), facts()),
        (entry(9.0), facts({"backend.version": "2.0"})),
        (entry(2.2), facts()),
    )
    found = known.find(entry(), facts())
    assert list(_history(found).logs) == [log(2.0), log(2.2)]


def test_a_nightly_build_keeps_its_history(entry: Make, facts: Make, baseline: Make) -> None:
    """Its version carries a commit and is new each night; under test it keeps nothing apart."""
    nights = [(entry(), facts({"backend.version": f"1.0.dev+g{n}ab"})) for n in range(3)]
    tonight = facts({"backend.version": "1.0.dev+g3ab"})
    assert len(baseline(*nights, under_test=["backend.version"]).find(entry(), tonight).past) == 3
    assert not baseline(*nights).find(entry(), tonight).past


def test_what_is_not_under_test_still_keeps_apart(entry: Make, facts: Make, baseline: Make) -> None:
    """The differences leave out what is meant to differ."""
    known = baseline((entry(), facts()), under_test=["backend.version"])
    now = facts({"backend.version": "2.0", "gpu.name": ["Other"]})
    assert [str(d) for d in known.find(entry(), now).differing] == ["gpu.name: Board -> Other"]


def test_a_setting_under_test_is_compared_across_cases(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """Another precision finds the history, if it is named, and another model does not."""
    before, now = (entry(), facts()), entry(settings={"precision": "int8"})
    known = baseline(before, under_test=["precision"])
    assert known.find(now, facts()).past
    assert not known.find(entry(settings={"model": "org/large"}), facts()).past
    assert not baseline(before).find(now, facts()).past


def test_cases_of_one_session_under_one_key_are_ambiguous(
    entry: Make, facts: Make, session: Make
) -> None:
    """Two precisions in one run differ in nothing but what is under test."""
    both = [(entry(settings={"precision": name}), facts()) for name in ("float16", "int8")]
    under_test = UnderTest(["precision"])
    together = baseline_of("main", [session("r1", *both)], under_test)
    apart = baseline_of("main", [session("r1", both[0]), session("r2", both[1])], under_test)
    assert together.find(entry(), facts()).is_ambiguous
    assert not apart.find(entry(), facts()).is_ambiguous
    assert not baseline_of("main", [session("r1", *both)], NOTHING).find(*both[0]).is_ambiguous


def test_the_same_board_comes_first(entry: Make, facts: Make, baseline: Make) -> None:
    """With one session of it, those of other boards are left out."""
    known = baseline((entry(2.0), facts(board="GPU-a")), *[(entry(9.0), facts(board="GPU-b"))] * 5)
    found = known.find(entry(), facts(board="GPU-a"))
    assert found.on_same_board
    assert list(_history(found).logs) == [log(2.0)]
    assert _history(found).prior_cv == 0.02


def test_other_boards_count_once_each(entry: Make, facts: Make, baseline: Make) -> None:
    """Three sessions of one board and one of another are two figures, that scatter by 5 %."""
    on_b = [(entry(joules), facts(board="GPU-b")) for joules in (2.0, 2.2, 2.4)]
    known = baseline(*on_b, (entry(3.0), facts(board="GPU-c")))
    found = known.find(entry(), facts(board="GPU-a"))
    history = _history(found)
    assert not found.on_same_board
    assert history.logs == pytest.approx([fmean(map(log, (2.0, 2.2, 2.4))), log(3.0)])
    assert history.prior_cv == 0.05
    assert _history(found, prior_cv=0.08).prior_cv == 0.08


def test_each_figure_has_the_history_of_the_sessions_that_have_it(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """A night without a meter takes nothing from the throughput."""
    known = baseline((entry(2.0, 100.0), facts()), (entry(None, 90.0), facts()))
    found = known.find(entry(), facts())
    assert list(_history(found).logs) == [log(2.0)]
    assert list(_history(found, "output_throughput_tok_s").logs) == [log(100.0), log(90.0)]
    assert found.history("ttft_s", 0.02) is None


@pytest.mark.parametrize("value", [0.0, -1.0, 1e-40, 1e40, nan, inf, -inf])
def test_a_figure_that_is_none_is_left_out(
    entry: Make, facts: Make, baseline: Make, value: float
) -> None:
    """What has no logarithm is no baseline, and does not fail to be one."""
    for spoilt, logs in ([1], [log(2.0)]), ([0, 1], None):
        known: Baseline = baseline((entry(2.0), facts()), (entry(3.0), facts()))
        found = known.find(entry(), facts())
        for number in spoilt:
            found.past[number].entry.figures[ENERGY] = Figure(value, 0.5)
        history = found.history(ENERGY, 0.02)
        assert (history and list(history.logs)) == logs
        assert history is None or history.resolution == 0.0


def test_a_figure_that_was_not_to_be_trusted_is_left_out(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """The energy of a brief window is no part of a history, and the throughput is."""
    known = baseline((entry(2.0), facts()), (entry(9.0, 90.0, unjudged=[ENERGY]), facts()))
    found = known.find(entry(), facts())
    assert list(_history(found).logs) == [log(2.0)]
    assert list(_history(found, "output_throughput_tok_s").logs) == [log(100.0), log(90.0)]


def test_what_is_not_sound_is_left_out_whatever_its_state(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """A file that was edited may say that an invalid entry has joined."""
    known = baseline((entry(2.0), facts()), (entry(9.0, validity="invalid"), facts()))
    assert list(_history(known.find(entry(), facts())).logs) == [log(2.0)]


def test_what_was_taken_over_counts_once(entry: Make, facts: Make, baseline: Make) -> None:
    """Copies of one measurement say nothing of how sessions scatter."""
    copies = [(entry(2.0, measured_in="r0"), facts())] * 3
    known = baseline((entry(2.0), facts()), *copies, (entry(2.2), facts()))
    assert known.sessions == 5
    assert list(_history(known.find(entry(), facts())).logs) == [log(2.0), log(2.2)]
    killed = baseline(*[(entry(2.0, measured_in="killed"), facts())] * 2)
    assert list(_history(killed.find(entry(), facts())).logs) == [log(2.0)]


def test_what_was_taken_over_is_not_compared_with_itself(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """Neither with its original nor with another copy; others it is compared with."""
    known = baseline((entry(2.0), facts()), (entry(2.2), facts()))
    assert list(_history(known.find(entry(measured_in="r0"), facts())).logs) == [log(2.2)]
    alone = baseline((entry(2.0), facts()))
    found = alone.find(entry(measured_in="r0"), facts())
    assert (list(found.past), found.is_itself, found.history(ENERGY, 0.02)) == ([], True, None)
    assert not alone.find(entry(), facts()).is_itself


def test_the_coarsest_session_says_what_can_be_told(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """The resolution of a history is the largest of its sessions'."""
    known = baseline(*((entry(resolution=share), facts()) for share in (0.01, 0.04, 0.02)))
    assert _history(known.find(entry(), facts())).resolution == 0.04


def test_an_entry_without_facts_is_compared_with_nothing(
    entry: Make, facts: Make, session: Make
) -> None:
    """Records of other programs may have none; nobody can say whether they agree."""
    old = session("r1", (entry(), facts()))
    old.entries[0].comparability = ""
    found = baseline_of("main", [old], NOTHING).find(entry(), facts())
    assert found.history(ENERGY, 0.02) is None


def test_the_key_is_of_the_facts_that_must_agree() -> None:
    """It is the same in whatever order they come, and nulls are as good as absent."""
    assert key_of({"a": 1, "b": 2}, NOTHING) == key_of({"b": 2, "a": 1, "c": None}, NOTHING)
    assert key_of({"a": 1, "b": 2}, NOTHING) != key_of({"a": 1, "b": 3}, NOTHING)
    under_test = UnderTest(["backend.version"])
    assert key_of({"backend.version": 1}, under_test) == key_of({}, under_test)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_settings_that_are_no_data_are_refused(
    entry: Make, facts: Make, baseline: Make, value: float
) -> None:
    """In one sentence, where cases are told apart by their settings."""
    broken = entry()
    broken.settings = {**broken.settings, "batch_size": value}
    with pytest.raises(LemError, match="the settings of 'case' are no plain data"):
        baseline((broken, facts()), under_test=["backend"])
    assert baseline((broken, facts())).sessions == 1
