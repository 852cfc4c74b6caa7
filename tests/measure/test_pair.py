"""Two sides by turns, in real hosts of a backend in pure Python, with given energies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_lem.backends.host.pool import HostPool
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.errors import LemError
from pytest_lem.flags import Flag
from pytest_lem.measure.infer import InferRun
from pytest_lem.measure.method import Method
from pytest_lem.measure.pair import PairPlan, PairRun
from pytest_lem.measure.plan import InferPlan
from pytest_lem.workloads.workload import Workload

PAIRS = 4


def _hosts() -> list[psutil.Process]:
    """Return the hosts that are alive."""
    children = psutil.Process().children()
    return [p for p in children if p.status() != psutil.STATUS_ZOMBIE and "child.py" in
            " ".join(p.cmdline())]  # fmt: skip


class Sides:
    """Makes the runs of both sides, and notes which hosts were there at once."""

    def __init__(self, ngram: Path, folder: Path, metered: Any, rests: Any) -> None:
        self.pools = {side: HostPool(folder, f"{side}-") for side in "AB"}
        self.options: dict[str, dict[str, Any]] = {"A": {}, "B": {}}
        self.most = 0
        self._ngram = ngram
        self._panel, self.meter = metered
        self._rests = rests

    def make(self, side: str) -> InferRun:
        """Begin the run of a side: two requests of four tokens a window, not warmed up."""
        options = {"python": None, "order": 4, "cpu_s": 0.0, "faults": "", **self.options[side]}
        spec = LoadSpec(
            backend="ngram", model=str(self._ngram), precision="float64", options=options
        )
        plan = InferPlan(
            spec=spec,
            backend_class="ngram_backend:NgramBackend",
            python=None,
            workload=Workload(prompts=("The sun", "A river"), output_tokens=4),
            batch_size=2,
            method=Method(rounds=1),
            timeout_s=60.0,
        )
        return InferRun(plan, self.pools[side], self._panel, self._rests(plan.method, self._panel))

    def end(self, side: str) -> None:
        """End the host of a side, having counted those that are alive."""
        self.most = max(self.most, len(_hosts()))
        self.pools[side].close()


@pytest.fixture
def sides(ngram: Path, tmp_path: Path, metered: Any, rests: Any) -> Iterator[Sides]:
    """Return the two sides, whose hosts end with the test."""
    made = Sides(ngram, tmp_path / "logs", metered(), rests)
    yield made
    for pool in made.pools.values():
        pool.close()


@pytest.fixture
def run_of(sides: Sides) -> Callable[..., PairRun]:
    """Make the run of a pair on two loads a side."""

    def make(*, is_together: bool = True) -> PairRun:
        return PairRun(PairPlan(loads=2, is_together=is_together), sides.make, sides.end)

    return make


@pytest.mark.parametrize("is_together", [True, False])
def test_pairs_come_back_by_the_loads_they_ran_on(
    run_of: Any, sides: Sides, *, is_together: bool
) -> None:
    """Every window knows its side, pair, stage and load, and stands in the record of its side."""
    run = run_of(is_together=is_together)
    groups = run.measure(1, PAIRS)
    assert [len(group) for group in groups] == [2, 2]
    for number, group in enumerate(groups, 1):
        for a, b in group:
            assert (a.side, b.side) == ("A", "B")
            assert a.pair == b.pair
            assert (a.load_id, b.load_id) == (f"A-load-{number}", f"B-load-{number}")
    for side in "AB":
        found = run.measurements[side]
        assert [r.seq for r in found.rounds] == list(range(PAIRS))
        assert {r.stage for r in found.rounds} == {1}
        assert [phase.name for phase in found.phases].count("load") == 2
    assert sides.most == (2 if is_together else 1)


def test_together_the_windows_alternate(run_of: Any) -> None:
    """A B, B A, by the clock."""
    ((first, second), (third, fourth)) = run_of().measure(1, PAIRS)
    rounds = sorted((r for pair in (first, second, third, fourth) for r in pair),
                    key=lambda r: r.start_s)  # fmt: skip
    assert "".join(r.side for r in rounds) == "ABBAABBA"
    assert all(a.end_s <= b.start_s for a, b in pairwise(rounds))


def test_a_second_stage_has_loads_of_its_own(run_of: Any) -> None:
    """None of them has served the first, and its windows are counted on."""
    run = run_of()
    first, second = run.measure(1, 2), run.measure(2, PAIRS)
    loads = [{r.load_id for group in stage for pair in group for r in pair}
             for stage in (first, second)]  # fmt: skip
    assert loads[0].isdisjoint(loads[1])
    assert [r.seq for r in run.measurements["A"].rounds] == list(range(2 + PAIRS))
    assert [r.stage for r in run.measurements["A"].rounds] == [1] * 2 + [2] * PAIRS


def test_the_meters_are_turned_to_whose_turn_it_is(run_of: Any, sides: Sides) -> None:
    """And stay open where one side has two windows in a row: A B B A is three turns."""
    run_of().measure(1, PAIRS)
    events = [event for event in sides.meter.events if event != "close"]
    last = next(n for n in range(len(events), 0, -1) if events[n - 1].startswith("open"))
    windows = [event.partition(" ") for event in events[last - 8 : last + 2]]
    assert "".join(word[0] for word, _, _ in windows) == "beobebeobe"
    (first, second) = (pid for word, _, pid in windows if word == "open")
    assert first != second


def test_a_side_that_fails_leaves_what_was_measured(run_of: Any, sides: Sides) -> None:
    """The error comes through, both hosts end, and the windows before it are kept."""
    sides.options["B"]["faults"] = "sigkill@run:2"
    run = run_of()
    with pytest.raises(LemError) as caught:
        run.measure(1, PAIRS)
    assert caught.value.kind == "engine"
    for found in run.measurements.values():
        assert [r.pair for r in found.rounds] == [0]
    assert not _hosts()


def test_a_side_that_works_while_it_should_rest_is_flagged(
    run_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its CPU time is looked at around each window of the other."""
    used_s = iter(range(1000))
    monkeypatch.setattr("pytest_lem.measure.pair.cpu_seconds", lambda _: next(used_s))
    run = run_of()
    run.measure(1, 2)
    assert Flag.OTHER_SIDE_BUSY in run.measurements["A"].flags


def test_sides_that_rest_are_not_flagged(run_of: Any) -> None:
    """As hosts do that wait for a message."""
    run = run_of()
    run.measure(1, 2)
    assert all(Flag.OTHER_SIDE_BUSY not in found.flags for found in run.measurements.values())
