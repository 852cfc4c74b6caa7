"""The steps of measuring, told with `-vv`."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest

pytestmark = pytest.mark.usefixtures("engine")

ONE = """
def test_one(inference):
    inference()

def test_two(energy):
    energy(list)
"""
#: Time of day with milliseconds, module, message.
STEP = re.compile(r"^ +(?:\| )?(\d\d:\d\d:\d\d\.\d{3}) (\S+)  (.+)$", re.MULTILINE)


def _steps(result: Any) -> list[tuple[str, str, str]]:
    return STEP.findall(result.stdout.str())


@pytest.mark.parametrize("arguments", [("-vv",), ("-vv", "-s")], ids=str)
def test_each_step_has_its_time_and_its_module(lem: Any, arguments: tuple[str, ...]) -> None:
    """From the host's start to its end, in order."""
    result = lem(ONE, *arguments)
    result.assert_outcomes(passed=2)
    steps = _steps(result)
    assert [time for time, _, _ in steps] == sorted(time for time, _, _ in steps)
    told = [(module, re.sub(r"[\d.]+", "#", message)) for _, module, message in steps]
    places = [
        told.index(step)
        for step in [
            ("backends.host.pool", "host of load-#: process #, ngram"),
            ("measure.round", "load: # s"),
            ("measure.round", "warmup: # s"),
            ("measure.round", "round #: process-tree ~# J in # s"),
            ("backends.host.pool", "host of load-# has ended"),
        ]
    ]
    assert places == sorted(places)
    assert any(module == "measure.offline" and "warm-up: " in text for module, text in told)
    assert any(module == "energy.panel" and "(estimated)" in text for module, text in told)


def test_the_steps_of_a_worker_come_with_the_report(lem: Any) -> None:
    """Its own terminal is nobody's."""
    result = lem("def test_one(energy):\n    energy(list)\n", "-vv", "-n1")
    result.assert_outcomes(passed=1)
    assert [message[:8] for _, module, message in _steps(result) if module == "measure.round"] == [
        "round 1:",
        "round 2:",
    ]


@pytest.mark.parametrize("arguments", [(), ("-v",), ("-q",)], ids=str)
def test_steps_are_told_to_who_asks(lem: Any, arguments: tuple[str, ...]) -> None:
    """Not before `-vv`, and loggers are as they were."""
    logger = logging.getLogger("pytest_lem")
    before = (logger.level, list(logger.handlers))
    result = lem(ONE, *arguments)
    result.assert_outcomes(passed=2)
    assert _steps(result) == []
    lem(ONE, "-vv")
    assert (logger.level, list(logger.handlers)) == before


def test_an_invalid_round_says_why(lem: Any) -> None:
    """The reason stands behind the figures."""
    source = "def test_one(inference):\n    inference(options={'faults': 'miscount@report'})\n"
    messages = [message for _, module, message in _steps(lem(source, "-vv")) if "round" in module]
    assert any(message.endswith("INVALID: token_count") for message in messages), messages
