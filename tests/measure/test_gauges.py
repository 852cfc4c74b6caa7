"""What looks at an engine say of a window, by hand."""

from __future__ import annotations

import pytest

from pytest_lem.measure.gauges import engine_between

LOOKS = [
    {"time_s": 9.0, "running": 9.0, "preemptions": 1.0, "queue_s": 0.5, "queued": 2.0},
    {"time_s": 9.5, "running": 9.0, "preemptions": 2.0, "queue_s": 1.0, "queued": 4.0},
    {"time_s": 10.0, "running": 1.0, "waiting": 0.0, "kv_cache_share": 0.25, "preemptions": 3.0},
    {"time_s": 10.5, "running": 2.0, "waiting": 6.0, "kv_cache_share": 0.75, "preemptions": 4.0},
    {
        "time_s": 11.0,
        "running": 6.0,
        "kv_cache_share": 0.5,
        "preemptions": 7.0,
        "queue_s": 4.0,
        "queued": 10.0,
    },
    {"time_s": 12.0, "running": 90.0, "kv_cache_share": 1.0, "preemptions": 99.0},
]


def test_means_largest_values_and_growth() -> None:
    """Of those inside, the end not in it; counters grow from the last look before."""
    assert engine_between(LOOKS, 10.0, 12.0) == {
        "running": 3.0,
        "waiting": 3.0,
        "kv_cache_share": 0.75,
        "preemptions": 5.0,
        "queue_s": 3.0,
        "queued": 6.0,
    }


def test_without_a_look_before_counters_grow_from_the_first_inside() -> None:
    """A part is known, and stated as no more than that."""
    found = engine_between(LOOKS[2:], 10.0, 12.0)
    assert found is not None
    assert found["preemptions"] == 4.0
    assert "queue_s" not in found


@pytest.mark.parametrize("looks", [[], LOOKS[:2], LOOKS[5:], LOOKS[:2] + LOOKS[5:]])
def test_nothing_seen_inside_is_unknown(looks: list[dict[str, float]]) -> None:
    """It is not what was seen before or after."""
    assert engine_between(looks, 10.0, 12.0) is None


def test_what_a_server_does_not_tell_is_left_out() -> None:
    """It is not 0."""
    assert engine_between([{"time_s": 1.0, "waiting": 2.0}], 0.0, 2.0) == {"waiting": 2.0}
