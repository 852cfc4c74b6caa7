"""The section about counters."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.cli.doctor import counters
from pytest_lem.cli.doctor.gpus import Board
from pytest_lem.cli.doctor.trial import Trial
from pytest_lem.energy.gpu.driver import DriverFault
from pytest_lem.flags import Reason

SOUND = Trial(
    source="measured",
    is_disturbed=False,
    tick_s=0.1,
    tick_p90_s=0.101,
    rest_w=70,
    limit_w=700,
    half_width_s=0.0005,
)
UNTESTED = Trial(source="not_tested", is_disturbed=None, limit_w=700)


class Trials:
    """What is known of boards, and what a trial would show."""

    def __init__(self, **tried: Trial) -> None:
        self._tried = tried

    def known(self, uuids: list[str]) -> dict[str, Trial]:
        return dict.fromkeys(uuids, UNTESTED)

    def run(self, uuids: list[str]) -> dict[str, Trial]:
        return {uuid: self._tried[uuid] for uuid in uuids}


def board(uuid: str = "a", **changes: Any) -> Board:
    facts = {"busy_percent": 0, "visible": True, **changes}
    fault = facts.pop("fault", None)
    return Board(label=f"GPU {uuid}", uuid=uuid, facts=facts, fault=fault, tenancy=None)


def look(boards, *, mine=(), has_rapl=False, **tried):
    return counters.look(boards, Trials(**tried), mine=mine, has_rapl=has_rapl)


def text_of(section, label):
    return next(row.text for row in section.rows if row.label == label)


def test_a_tried_board_has_its_figures():
    """For people and for programs, which get a part of 1 rather than percent."""
    section = look([board()], mine=["a"], a=SOUND)
    assert text_of(section, "GPU a").splitlines() == [
        "reading does not disturb it (tested now)",
        "tick 100 ms, p90 101 ms",
        "expected U (k = 2, random part) for 700 W, the limit, from 70 W:",
        "1 % in 1 s, 0.21 % in 5 s, 0.1 % in 10 s",
    ]
    fact = section.facts[0]
    assert (fact["meter"], fact["device"], fact["observer"]) == ("nvml", "a", "measured")
    assert (fact["rest_w"], fact["load_w"], fact["tick_median_s"]) == (70, 700, 0.1)
    assert [one["window_s"] for one in fact["uncertainty"]] == [1, 5, 10]
    assert fact["uncertainty"][0]["relative"] == SOUND.ticking.relative_uncertainty(1)


def test_a_board_that_was_not_tried_says_so():
    """It has no figures, for none is known."""
    section = look([board()])
    assert text_of(section, "GPU a") == "not tested"
    assert section.facts[0]["observer"] == "not_tested"
    assert section.facts[0]["uncertainty"] is None


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"visible": False}, "not tested: CUDA does not show it here"),
        ({"visible": None}, "not tested: whether CUDA shows it here cannot be told"),
        ({"busy_percent": 90}, "not tested: somebody works on it"),
        ({"fault": DriverFault(Reason.NO_COUNTER)}, "the counter cannot be read"),
    ],
)
def test_a_board_that_cannot_be_tried_says_why(changes, text):
    """Others' boards and boards at work are left alone."""
    assert text_of(look([board(**changes)]), "GPU a") == text


def test_a_disturbed_counter_is_told():
    """Its ticks are unknown, so the longest known tick is assumed."""
    trial = Trial(source="cached", is_disturbed=True, rest_w=70, limit_w=700)
    lines = text_of(look([board()], mine=["a"], a=trial), "GPU a").splitlines()
    assert lines[0] == (
        "reading disturbs it (tested before), so that its ticks are not searched for"
    )
    assert lines[1] == "tick not measured, 0.1 s is assumed"


def test_trouble_in_a_test_is_a_problem():
    """It says on which board."""
    trial = Trial(source="measured", is_disturbed=None, limit_w=700, trouble="it stands still")
    section = look([board()], mine=["a"], a=trial)
    assert section.problems == ["GPU a: it stands still"]
    assert section.facts[0]["uncertainty"] is None


def test_rapl_and_the_estimate_need_no_test():
    """One has its documented refresh, the other its stated half range."""
    section = look([], has_rapl=True)
    rapl, estimate = section.facts
    assert rapl["tick_median_s"] == 0.001
    assert rapl["uncertainty"][0]["relative"] == pytest.approx(0.00082, abs=0.00001)
    (relative,) = {one["relative"] for one in estimate["uncertainty"]}
    assert relative == pytest.approx(2 * 0.7 / 3**0.5)
    assert "70 %" in text_of(section, "estimate")
    assert [fact["meter"] for fact in look([]).facts] == ["estimated"]
