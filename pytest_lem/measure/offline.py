"""Offline batches: the work of a window is there when it begins, and ends it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_lem.backends.host.pool import Loaded
from pytest_lem.energy.conditions import Reading
from pytest_lem.energy.panel import Panel
from pytest_lem.flags import Flag
from pytest_lem.measure.asking import Asking, audit
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Measurement, Phase, Round, Work, round_of
from pytest_lem.measure.slo import Slo
from pytest_lem.measure.warmup import BIN_S, Bin, WarmUp
from pytest_lem.workloads.workload import Workload

_log = logging.getLogger(__name__)

PREFILL = "prefill"


class Offline:
    """Runs batches, repeated until a window is long enough."""

    def __init__(
        self, plan: InferPlan, panel: Panel, rests: Rests, measurement: Measurement
    ) -> None:
        self._plan = plan
        self._panel = panel
        self._rests = rests
        self._measurement = measurement
        self._asking = Asking(plan, measurement)
        self._repetitions = 1

    def prepare(self, loaded: Loaded) -> None:
        """Have the workload tokenised and batched."""
        self._asking.prepare(loaded, self._plan.workload, self._plan.batch_size)

    def warm_up(self, loaded: Loaded) -> None:
        """Find the repetitions of a window. A warm host runs once, to find their length."""
        method = self._plan.method
        max_s = 0 if loaded.is_warm else method.warmup_max_s
        warm_up = WarmUp(cv=method.warmup_cv, max_s=max_s, calm_s=method.warmup_calm_s)
        repetitions = 1
        while not warm_up.is_over:
            start_s, end_s = self._run(loaded, repetitions)
            warm_up.add(
                Bin(
                    start_s=start_s,
                    end_s=end_s,
                    repetitions=repetitions,
                    power_w=self._panel.power_w(start_s, end_s),
                    temperature_c=self._panel.temperature_c(start_s, end_s),
                )
            )
            if self._panel.has_sensor:
                repetitions = warm_up.repetitions_for(BIN_S)
        if not loaded.is_warm and not warm_up.is_steady and method.warmup_max_s > 0:
            self._measurement.flags.add(Flag.UNSTEADY)
        _log.debug("warm-up: %s", warm_up)
        loaded.is_warm = True
        self._repetitions = warm_up.repetitions_for(method.min_window_s)

    def round(self, loaded: Loaded, seq: int) -> tuple[Round, Reading]:
        """Measure one window."""
        found, reading, collected = self._window(
            loaded, seq, self._plan.workload, self._repetitions
        )
        self._asking.keep(collected)
        return found, reading

    def measure_prefill(self, loaded: Loaded) -> None:
        """Measure the same requests with a single output token, which the prefill makes.

        Prompts are computed anew each time: the backends measured here keep no prefix cache.
        """
        workload = replace(
            self._plan.workload, output_tokens=1, min_output_tokens=None, requests=None
        )
        self._asking.prepare(loaded, workload, self._plan.batch_size)
        start_s, end_s = self._run(loaded, 1)
        warm_up = WarmUp(cv=1.0, max_s=0.0)
        warm_up.add(Bin(start_s=start_s, end_s=end_s))
        repetitions = warm_up.repetitions_for(self._plan.method.min_window_s)
        for seq in range(self._plan.method.rounds):
            window, reading, _ = self._window(loaded, seq, workload, repetitions)
            self._measurement.reasons |= set(window.reasons)
            self._measurement.flags |= reading.flags
            self._measurement.phases.append(
                Phase(
                    name=PREFILL,
                    start_s=window.start_s,
                    end_s=window.end_s,
                    energies=window.energies,
                    work=window.work,
                )
            )

    def _window(
        self, loaded: Loaded, seq: int, workload: Workload, repetitions: int
    ) -> tuple[Round, Reading, dict[str, Any]]:
        self._rests.before_round()
        self._asking.arm(loaded)
        edges = self._panel.begin()
        start_s, end_s = self._run(loaded, repetitions)
        reading = self._panel.end(edges, start_s, end_s)
        collected = self._asking.ask(loaded, "collect", "collected")
        requests = collected["requests"]
        work, reasons = _work(requests, self._plan.slo), audit(requests, workload)
        found = round_of(seq, start_s, end_s, reading, work, requests=requests, reasons=reasons)
        return replace(found, processes=collected.get("processes", [])), reading, collected

    def _run(self, loaded: Loaded, repetitions: int) -> tuple[float, float]:
        ran = self._asking.ask(loaded, "run", "ran", repetitions=repetitions)
        return ran["start_s"], ran["end_s"]


def _work(requests: Sequence[Mapping[str, Any]], slo: Slo) -> Work:
    lengths = [request["input_tokens"] for request in requests]
    return Work(
        requests=len(requests),
        input_tokens=None if None in lengths else sum(lengths),
        output_tokens=sum(request["output_tokens"] for request in requests),
        good_requests=sum(map(slo.is_met_by, requests)) if slo.is_set else None,
    )
