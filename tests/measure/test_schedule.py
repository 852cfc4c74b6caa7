"""The order of windows: even, complete, and blind to what drifts."""

from __future__ import annotations

import pytest

from pytest_lem.measure.schedule import A, B, Turn, group_of, schedule

COUNTS = [(7, 2), (10, 2), (20, 2), (10, 3), (7, 7)]


@pytest.mark.parametrize("is_together", [True, False])
@pytest.mark.parametrize(("pairs", "loads"), COUNTS)
def test_each_side_has_one_window_of_each_pair(
    pairs: int, loads: int, *, is_together: bool
) -> None:
    """Nothing is measured twice, and nothing is left out."""
    segments = schedule(pairs, loads, is_together=is_together)
    turns = [turn for segment in segments for turn in segment.turns]
    assert sorted(turns) == sorted(Turn(side, n) for side in (A, B) for n in range(pairs))


@pytest.mark.parametrize("is_together", [True, False])
@pytest.mark.parametrize(("pairs", "loads"), COUNTS)
def test_both_sides_are_loaded_equally_often(pairs: int, loads: int, *, is_together: bool) -> None:
    """A pair's windows are of the same loading, counted on each side."""
    segments = schedule(pairs, loads, is_together=is_together)
    for side in (A, B):
        own = [segment for segment in segments if side in segment.loads]
        assert len(own) == loads
        for number, segment in enumerate(own):
            pairs_of = {turn.pair for turn in segment.turns if turn.side == side}
            assert pairs_of
            assert {group_of(pair, pairs, loads) for pair in pairs_of} == {number}


def test_together_the_sides_lead_by_turns() -> None:
    """A B, B A, A B, so that an even drift cancels within four windows."""
    first, second = schedule(4, 2, is_together=True)
    assert [turn.side for turn in first.turns + second.turns] == list("ABBAABBA")
    assert first.loads == second.loads == (A, B)


def test_one_at_a_time_the_order_is_turned_for_each_load() -> None:
    """A A B B, then B B A A: the middle of both sides is the middle of the job."""
    segments = schedule(4, 2, is_together=False)
    assert [segment.loads for segment in segments] == [(A,), (B,), (B,), (A,)]
    turns = [turn for segment in segments for turn in segment.turns]
    assert [turn.side for turn in turns] == list("AABBBBAA")
    middles = [sum(n for n, turn in enumerate(turns) if turn.side == side) / 4 for side in (A, B)]
    assert middles[0] == middles[1]
