"""From a plan to a loaded model: checks, a host, its imports, the load itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from pytest_lem.backends.host.pool import HostPool, Loaded
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.shape import shape_of
from pytest_lem.backends.structure import structure_of
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.panel import Panel
from pytest_lem.flags import Flag
from pytest_lem.measure.cold import ColdStart
from pytest_lem.measure.leftover import Leftover
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.preflight.check import doubts_about
from pytest_lem.measure.preflight.job import Job
from pytest_lem.measure.preflight.machine import Machine
from pytest_lem.measure.round import Measurement, Phase, metered_phase

CATEGORY = "Preflight"
#: Options that hand through what may change the model, so that its files do not say what loads.
_OPEN_OPTIONS = ("model_kwargs", "engine_args", "llm_args")

#: Looks at the machine and at the GPUs that a plan may use.
Look = Callable[[Sequence[str]], Machine]


class Loading:
    """Loads the model of one case, and meters each step as a phase of `found`."""

    def __init__(
        self,
        plan: InferPlan,
        pool: HostPool,
        panel: Panel,
        found: Measurement,
        *,
        look: Look | None,
        leftover: Leftover | None,
    ) -> None:
        self._plan = plan
        self._pool = pool
        self._panel = panel
        self._found = found
        self._look = look
        self._leftover = leftover

    def load(self, cold: ColdStart | None = None) -> Loaded:
        """Return the model in its host; raises LemError as the checks and `Host.ask` do.

        What is resident ends first, since this load may need its memory.
        """
        self.end()
        self._check()
        facts = cold.make_cold(self._plan.spec.model) if cold else None
        loaded = self._start(cold.variables if cold else {})
        self._import_and_load(loaded)
        if facts:
            loaded.applied["cold_start"] = facts
        return loaded

    def end(self) -> None:
        """End the resident host, and note what it and those before it have left behind."""
        self._pool.close()
        if self._leftover and (warned := self._leftover.take()):
            self._found.warnings += warned
            self._found.flags.add(Flag.MEMORY_LEFT)

    def _check(self) -> None:
        if self._look is None or self._plan.is_server:  # which has its own view of it
            return
        plan, spec = self._plan, self._plan.spec
        is_open = any(map(spec.options.get, _OPEN_OPTIONS))
        job = Job(
            spec=spec,
            workload=plan.workload,
            shape=None if is_open else shape_of(spec.model),
            machine=self._look(plan.gpu_uuids),
        )
        for sentence in doubts_about(job):
            self._found.warnings.append({"category": CATEGORY, "message": sentence})
            self._found.flags.add(Flag.PREFLIGHT)

    def _start(self, variables: dict[str, str]) -> Loaded:
        plan = self._plan
        if self._leftover:
            self._leftover.note(plan.gpu_uuids)
        # There is no host yet, whose process could be followed.
        self._panel.open(Scope(pids=(os.getpid(),), gpu_uuids=plan.gpu_uuids))
        loaded: Loaded = self._phase(
            "start", lambda: self._pool.start(plan.spec, python=plan.python, variables=variables)
        )
        loaded.case_key = plan.case_key
        self._found.load_id = loaded.load_id
        return loaded

    def _import_and_load(self, loaded: Loaded) -> None:
        plan = self._plan
        self._panel.open(Scope(pids=(loaded.host.pid,), gpu_uuids=plan.gpu_uuids))
        imported = self._ask(loaded, "import", "imported")
        loaded.environment = {name: imported[name] for name in ("packages", "python")}
        spec = {**asdict(plan.spec), "options": dict(plan.spec.options)}
        applied = self._ask(loaded, "load", "loaded", spec=spec)["applied"]
        self._found.phases += [
            Phase(name=f"load/{span['name']}", start_s=span["start_s"], end_s=span["end_s"])
            for span in applied.pop("spans", ())
        ]
        loaded.applied = {**applied, "structure": _structure(plan.spec, applied)}

    def _ask(self, loaded: Loaded, kind: str, answer: str, **fields: Any) -> Any:
        """Ask for a step, as a phase of the same name."""
        ask, plan = loaded.host.ask, self._plan
        fields |= {"backend": plan.backend_class, "timeout_s": plan.timeout_s}
        return self._phase(kind, lambda: ask(kind, answer, **fields))

    def _phase(self, name: str, work: Callable[[], Any]) -> Any:
        result, _ = metered_phase(self._panel, name, work, self._found)
        return result


def _structure(spec: LoadSpec, applied: Mapping[str, Any]) -> dict[str, Any]:
    """Return the structure of what was loaded, as its files tell it, or the reason why not."""
    if name := next(filter(spec.options.get, _OPEN_OPTIONS), None):
        return {"reason": f"backends.{spec.backend}.{name} may have changed them"}
    location = applied.get("model_location", spec.model)
    if location is None:
        return {"reason": "its server does not show the files"}
    return structure_of(location, applied.get("model_revision"))
