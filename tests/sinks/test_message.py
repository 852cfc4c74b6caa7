"""What webhooks are told."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from pytest_lem.case import call_case
from pytest_lem.config.webhook import Part
from pytest_lem.errors import FailureKind
from pytest_lem.measure.round import Measurement
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.run import Run
from pytest_lem.sinks.message import News, message_of

RUN = Run(id="20260102T030405-abcdef", started="2026-01-02T03:04:05+00:00", started_monotonic=0.0)


@pytest.fixture
def news():
    """Return a function that makes news of a good and a failed case, and of a verdict."""
    failure = (FailureKind.OOM, "no memory is left")
    records = [
        build_record(call_case("a"), Measurement(), Context(nodeid="t::a")),
        build_record(call_case("b"), Measurement(), Context(nodeid="t::b"), failure=failure),
    ]
    comparison = Comparison(
        case="a",
        metric="energy_per_call_j",
        baseline="main",
        candidate=RUN.id,
        verdict="regressed",
        message="12 % worse",
    )
    return lambda event, **fields: News(
        event=event, project="shop", run=RUN, records=records, comparisons=[comparison], **fields
    )


def test_every_part_can_be_asked_for(news):
    """By the names in the settings, and no others are sent."""
    message = message_of(news("end"), get_args(Part))
    assert set(message) == {"event", *get_args(Part)}
    assert json.loads(json.dumps(message, allow_nan=False)) == message
    assert message_of(news("end"), ["failed"]) == {"event": "end", "failed": 1}


def test_what_is_not_known_yet_is_null(news):
    """A run that goes on has no exit status."""
    message = message_of(news("failure"), ["exit_status", "finished", "tests"])
    assert message == {"event": "failure", "exit_status": None, "finished": None, "tests": None}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ("start", "shop: run 20260102T030405-abcdef has started with 3 tests"),
        ("failure", "shop: run 20260102T030405-abcdef: b failed: no memory is left"),
        ("gate", "shop: run 20260102T030405-abcdef: a: 12 % worse"),
        ("end", "shop: run 20260102T030405-abcdef has ended: 2 measured, 1 failed; 1 regressed"),
    ],
)
def test_the_text_says_it_in_a_sentence(news, event, text):
    """For a channel that shows nothing else."""
    assert message_of(news(event, tests=3), ["text"])["text"] == text


def test_failures_and_verdicts_are_lists(news):
    """With why, in one sentence."""
    message = message_of(news("end"), ["failures", "comparisons", "verdicts"])
    assert message["failures"] == [
        {"case": "b", "nodeid": "t::b", "kind": "oom", "message": "no memory is left"}
    ]
    assert message["verdicts"] == {"regressed": 1}
    assert message["comparisons"][0]["verdict"] == "regressed"
    assert message["comparisons"][0]["ratio"] is None


def test_long_lists_are_cut(news):
    """The count is that of all."""
    many = news("end")
    many.records = [many.records[1]] * 60
    message = message_of(many, ["failed", "failures"])
    assert (message["failed"], len(message["failures"])) == (60, 50)
