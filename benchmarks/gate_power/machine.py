"""A machine whose sessions scatter: entries and histories with the figures that it measures.

The logarithm of a figure is its truth, plus the luck of the session, plus that of the measurement,
both from a normal distribution.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from copy import copy
from math import exp, sqrt

from pytest_lem.case import digest, infer_case
from pytest_lem.gate.baseline import Baseline, baseline_of
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.rule import DEFAULTS
from pytest_lem.results.entry import Entry, Figure, flat_settings
from pytest_lem.results.record import CaseSettings, Comparability
from pytest_lem.results.session import Session

#: A night has fifty figures: energy per token and throughput of each case.
CASES = 25
RULES = DEFAULTS[:2]
ENERGY, SPEED = (rule.metric for rule in RULES)
#: Scatter of a measurement within a session, as a share; it is a part of that between sessions.
WITHIN_CV = 0.002

Luck = tuple[float, float]

_REFUSE = {"backend.version": "1", "model.sha256": "0" * 64, "gpu.count": 1, "gpu.name": ["Board"]}
FACTS = Comparability(refuse=_REFUSE, warn={"board": ["GPU-0"]}, hash=digest(_REFUSE))


class Machine:
    """Cases whose sessions scatter. No figure shares its luck with another one."""

    def __init__(self, session_cv: float, seed: str) -> None:
        self._rng = random.Random(seed)
        self._between = sqrt(session_cv**2 - WITHIN_CV**2)

    def luck(self) -> Luck:
        """Return what a session does to the two figures of a case."""
        return self._rng.gauss(0, self._between), self._rng.gauss(0, self._between)

    def measured(self, blank: Entry, luck: Luck, worse: Luck = (0.0, 0.0)) -> Entry:
        """Return a measurement; `worse` is how much worse the truth is, as logarithms."""
        energy, speed = (self._rng.gauss(one, WITHIN_CV) for one in luck)
        return with_figures(blank, exp(energy + worse[0]), exp(speed - worse[1]))

    def history(self, sessions: int) -> Baseline:
        """Return a history in which nothing has changed."""
        made = (self._session(f"{number:04}") for number in range(sessions))
        return baseline_of("nightly", made, UnderTest(()))

    def _session(self, name: str) -> Session:
        entries = [self.measured(blank, self.luck()) for blank in BLANKS]
        for entry in entries:
            entry.state = "joined"
        return session_of(name, entries)


def session_of(name: str, entries: Sequence[Entry]) -> Session:
    """Return a session of entries that share their facts."""
    return Session(run=name, started=name, facts={FACTS.hash: FACTS}, entries=list(entries))


def with_figures(blank: Entry, energy_j: float, tokens_per_s: float) -> Entry:
    """Return an entry with figures of its own."""
    found = copy(blank)
    found.figures = {ENERGY: Figure(energy_j, 0.001), SPEED: Figure(tokens_per_s, 0.0)}
    return found


def _blank(number: int) -> Entry:
    """Return an entry without figures. What cannot change a verdict is left out."""
    case = infer_case(
        backend="transformers",
        model=f"org/model-{number}",
        precision="bfloat16",
        batch_size=1,
        workload={"name": "plain"},
        options={},
    )
    return Entry(
        key=case.key,
        digest=case.digest,
        kind=case.kind,
        nodeid=f"test_energy.py::test_energy[{number}]",
        settings=flat_settings(CaseSettings(**case.settings)),
        comparability=FACTS.hash,
        origin="measured",
        status="ok",
        validity="valid",
        tier="counter",
        figures={},
    )


BLANKS = tuple(_blank(number) for number in range(CASES))
