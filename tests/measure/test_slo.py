"""Limits on latency, and the latencies themselves."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.measure.slo import Slo, due_s, e2e_s, tpot_s, ttft_s

Make = Callable[..., dict[str, Any]]


def test_latencies_by_hand(request_of: Make) -> None:
    """Sent at 10: the first token after 0.5 s, then 0.75 s for three more."""
    request = request_of(10.0, 10.5, 10.75, 11.0, 11.25)
    assert (due_s(request), ttft_s(request), tpot_s(request), e2e_s(request)) == (
        10.0,
        0.5,
        0.25,
        1.25,
    )


def test_latencies_count_from_when_a_request_was_due(request_of: Make) -> None:
    """Time that it waited for the load generator is time that its user waited."""
    request = request_of(10.0, 10.5, 10.75, scheduled_s=9.0)
    assert (due_s(request), ttft_s(request), e2e_s(request)) == (9.0, 1.5, 1.75)
    assert tpot_s(request) == 0.25


def test_pieces_of_several_tokens_are_divided_by_their_tokens(request_of: Make) -> None:
    """Two pieces with five tokens: four of them after the first, in a second."""
    request = request_of(0.0, 1.0, 2.0, output_tokens=5)
    assert tpot_s(request) == 0.25


def test_what_is_not_there_is_unknown(request_of: Make) -> None:
    """One token has no time per further token, and an answer in one piece has no first token."""
    assert tpot_s(request_of(0.0, 1.0)) is None
    whole = request_of(0.0, output_tokens=8, done_s=3.0)
    assert (ttft_s(whole), tpot_s(whole), e2e_s(whole)) == (None, None, 3.0)


@pytest.mark.parametrize(
    ("limits", "is_met"),
    [
        ({}, True),
        ({"ttft_s": 0.5}, True),
        ({"ttft_s": 0.49}, False),
        ({"tpot_s": 0.25}, True),
        ({"tpot_s": 0.24}, False),
        ({"e2e_s": 1.25}, True),
        ({"e2e_s": 1.24}, False),
        ({"ttft_s": 0.5, "tpot_s": 0.25, "e2e_s": 1.25}, True),
        ({"ttft_s": 0.5, "tpot_s": 0.25, "e2e_s": 1.0}, False),
        ({"ttft_s": 0.4, "tpot_s": 0.25, "e2e_s": 1.25}, False),
    ],
)
def test_a_good_request_keeps_every_limit(
    request_of: Make, limits: dict[str, float], is_met: bool
) -> None:
    """A limit itself is still within it."""
    slo = Slo(**limits)
    assert slo.is_met_by(request_of(10.0, 10.5, 10.75, 11.0, 11.25)) is is_met
    assert slo.is_set is bool(limits)


def test_a_failed_request_is_never_good(request_of: Make) -> None:
    """However fast it failed."""
    assert not Slo(ttft_s=10.0).is_met_by(request_of(0.0, error="HTTP 429"))
    assert not Slo().is_met_by(request_of(0.0, error="HTTP 429"))


def test_one_token_breaks_no_limit_on_further_ones(request_of: Make) -> None:
    """It has none; nor has an answer without any."""
    assert Slo(tpot_s=1e-9).is_met_by(request_of(0.0, 1.0))
    assert Slo(tpot_s=1e-9).is_met_by(request_of(0.0, output_tokens=0))


@pytest.mark.parametrize(
    ("name", "is_met"), [("ttft_s", False), ("tpot_s", False), ("e2e_s", True)]
)
def test_what_is_not_known_is_not_kept(request_of: Make, name: str, is_met: bool) -> None:
    """Without streaming only the whole latency can be good."""
    request = request_of(0.0, output_tokens=8)
    assert Slo(**{name: 100.0}).is_met_by(request) is is_met
