"""How much of its scatter a repetition shares with its session."""

from __future__ import annotations

import hashlib
import random
from math import exp

import pytest

from pytest_lem.gate.baseline import Baseline, baseline_of
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.sharing import sharing
from pytest_lem.results.entry import Entry, Figure
from pytest_lem.results.record import Comparability
from pytest_lem.results.session import Session

METRIC = "call_duration_s"
FACTS = {"f": Comparability(refuse={}, warn={}, hash="f")}


def history(groups: list[list[float]]) -> Baseline:
    """Return a history with the logarithms of the measurements of each session of one case."""
    digest = hashlib.sha256(b"case").hexdigest()
    sessions = []
    for number, logs in enumerate(groups):
        entry = Entry(
            key="case", digest=digest, kind="call", nodeid="test.py::case", settings={},
            comparability="f", origin="measured", status="ok", validity="valid", tier="estimated",
            figures={METRIC: Figure(1.0, 0.0)}, measurements={METRIC: [exp(x) for x in logs]},
            state="joined",
        )  # fmt: skip
        sessions.append(Session(run=f"r{number}", started="", facts=FACTS, entries=[entry]))
    return baseline_of("main", sessions, UnderTest([]))


def test_sessions_that_differ_share_everything() -> None:
    """Measurements that agree within each session leave all scatter to the sessions."""
    found = sharing(history([[0.0, 0.0], [0.1, 0.1], [0.3, 0.3]]), [METRIC])

    assert found is not None
    assert found.share == pytest.approx(1.0)
    assert found.figures == 1


def test_measurements_that_differ_share_nothing() -> None:
    """Sessions with the same mean have no effect of their own."""
    found = sharing(history([[0.0, 0.2], [0.1, 0.1], [0.2, 0.0]]), [METRIC])

    assert found is not None
    assert found.share == pytest.approx(0.0)


@pytest.mark.parametrize(("session", "repetition"), [(0.02, 0.02), (0.03, 0.01), (0.01, 0.03)])
def test_the_share_is_that_of_the_variances(session: float, repetition: float) -> None:
    """Of many sessions with known scatters, the share that was put in comes out."""
    random_ = random.Random(7)
    groups = []
    for _ in range(4000):
        effect = random_.gauss(0, session)
        groups.append([effect + random_.gauss(0, repetition) for _ in range(2)])

    found = sharing(history(groups), [METRIC])

    expected = session**2 / (session**2 + repetition**2)
    assert found is not None
    assert found.share == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("groups", [[], [[0.1], [0.2]], [[0.1, 0.2], [0.3]]])
def test_without_repeated_sessions_it_is_not_known(groups: list[list[float]]) -> None:
    """One session with cycles, or none, cannot tell the two scatters apart."""
    assert sharing(history(groups), [METRIC]) is None
