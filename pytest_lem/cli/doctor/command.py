"""The command: all sections together, shown to a person or to a program."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from pytest_lem.cli.doctor import backends, counters, cpu, gpus, machine, meters
from pytest_lem.cli.doctor.findings import Findings, Section, failed
from pytest_lem.cli.doctor.gpus import Board
from pytest_lem.cli.doctor.trial import Trials
from pytest_lem.clock import MonotonicClock
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.exclusive import Claim, Locks
from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.energy.reading import Tier
from pytest_lem.results import environment


def run(*, is_quick: bool, is_json: bool, required: str | None) -> int:
    """Look at everything and print it; return 1 when something does not work, else 0."""
    examination = Examination(is_quick=is_quick)
    findings = examination.findings(Tier(required) if required else None)
    if is_json:
        print(json.dumps(findings.plain(), indent=2, allow_nan=False))  # noqa: T201 - the output
    else:
        from pytest_lem.cli.doctor.rendering import show

        show(findings, sys.stdout)
    return 1 if findings.problems else 0


class Examination:
    """One look at this machine, section by section; later ones use what earlier ones found."""

    def __init__(self, *, is_quick: bool) -> None:
        self._is_quick = is_quick
        self._driver = Driver()
        self._found: meters.Found = {}
        self._boards: list[Board] = []

    def findings(self, required: Tier | None = None) -> Findings:
        """Make all sections. One that fails says so, and the others go on."""
        looks: dict[str, Callable[[], Section]] = {
            "meters": self._meters,
            "devices": self._devices,
            "counters": self._counters,
            "cpu": lambda: cpu.look(_machine(), self._found.get("rapl")),
            "backends": lambda: backends.look(is_quick=self._is_quick),
            "machine": lambda: machine.look(_machine()),
        }
        try:
            sections = [_made(name, look) for name, look in looks.items()]
        finally:
            self._driver.close()
        return Findings(sections=sections, sources=meters.sources(self._found), required=required)

    def _meters(self) -> Section:
        section, self._found = meters.look()
        return section

    def _devices(self) -> Section:
        section, self._boards = gpus.look(self._driver, os.environ)
        return section

    def _counters(self) -> Section:
        rapl = self._found.get("rapl")
        mine = [] if self._is_quick else [board for board in self._boards if board.is_testable]
        if mine:
            _tell("testing the counters of the GPUs, which takes up to 15 s (--quick: no test)")
        # Whoever measures on these boards meanwhile would find them disturbed.
        claim = Claim(gpus=tuple(board.uuid for board in mine), gpus_mode="exclusive")
        with Locks(_tell).hold(claim) if mine else nullcontext():
            return counters.look(
                self._boards,
                Trials(driver=self._driver, clock=MonotonicClock(), verdicts=Verdicts()),
                mine=[board.uuid for board in mine],
                has_rapl=rapl is not None and rapl.is_available,
            )


def _made(name: str, look: Callable[[], Section]) -> Section:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a fault in one section must not hide the others
        return failed(name, error)


def _machine() -> dict[str, Any]:
    return environment.machine(Path("/"))  # no checkout is asked for


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)  # noqa: T201 - what is printed is the output
