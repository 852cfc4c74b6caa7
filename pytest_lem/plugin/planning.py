"""From a test and its arguments to what is measured: layers, settings, plan, case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.case import SHORT, Case, CaseKind, digest, infer_case, serve_case
from pytest_lem.config.grid import Combination
from pytest_lem.config.layers import Layers
from pytest_lem.config.models import Settings
from pytest_lem.config.resolve import Resolved
from pytest_lem.config.traffic import BY_NAME
from pytest_lem.config.workload import WorkloadSettings
from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.measure.online import SHORTEST_S
from pytest_lem.measure.plan import InferPlan, TrafficPlan
from pytest_lem.measure.slo import Slo
from pytest_lem.plugin.availability import has_interpreter, lacking_precision, missing_backend
from pytest_lem.plugin.items import combination, param
from pytest_lem.plugin.markers import mark_of
from pytest_lem.plugin.options import AXES, LOAD_AXES
from pytest_lem.plugin.session import LemSession
from pytest_lem.plugin.settings import axis_values, options_of
from pytest_lem.registry import BACKENDS, find, load
from pytest_lem.workloads.dataset import with_dataset
from pytest_lem.workloads.traffic import Traffic, read_times
from pytest_lem.workloads.workload import Workload

#: Parameters of a test that the fixture takes by their name, and the settings they stand for.
_PARAMETERS = {
    **{name: (name,) for name in (*AXES, "workload", "traffic", "slo")},
    **{name: ("traffic", name) for name in BY_NAME},
}
#: Prompts of a dataset that traffic takes by turns, unless it is told how many.
_MOST_PROMPTS = 1000


@dataclass(frozen=True, slots=True)
class Planned:
    """A case with its settings and the plan to measure it."""

    case: Case
    plan: InferPlan
    resolved: Resolved


def layers_for(
    session: LemSession,
    item: pytest.Item,
    arguments: Mapping[str, Any],
    swept: Combination | None = None,
) -> Layers:
    """Lay combination, marker, parameters and arguments of a test over those of the session.

    `swept` is the combination, where it is another one than the test's own.
    """
    layers = session.layers.copy()
    swept = swept or combination(item)
    if swept:
        swept.lay_over(layers)
    mark = mark_of(item)
    for path, value in (("rounds", mark.rounds), ("min_window_s", mark.min_window)):
        if value is not None:
            layers.put(("measure", path), value, "marker")
    if mark.slo is not None:
        layers.put(("slo",), dict(mark.slo), "marker")
    for name, place in _PARAMETERS.items():
        is_swept = swept is not None and swept.sets(".".join(place))
        if (value := param(item, name)) is not None and not is_swept:
            layers.put(place, _fields(value), _origin(session.config, name))
    for name, value in arguments.items():
        if value is not None and name != "options":
            layers.put((name,), _fields(value), "argument")
    if options := arguments.get("options"):
        chosen = layers.leaves.get(("backend",))
        backend = chosen.value if chosen else session.base.settings.backend
        layers.put(("backends", str(backend)), dict(options), "argument")
    return layers


def plan(session: LemSession, layers: Layers) -> Planned:
    """Validate layers and plan the case; raises LemError (`config`) for what cannot be."""
    resolved = session.resolve(layers)
    settings = resolved.settings
    backend = _backend(settings, layers)
    options = asdict(resolved.options_of(settings.backend, options_of))
    workload, online = _work(settings)
    if sentence := _undivided(settings, options, workload):
        raise config_error(sentence)
    precision = settings.precision or backend.precisions[0]
    spec = LoadSpec(
        backend=settings.backend,
        model=settings.model,
        precision=precision,
        options=options,
        max_batch_size=_largest_batch(session, settings),
    )
    defaults = asdict(backend.Options())
    case = _case(
        settings,
        precision,
        workload,
        online,
        {name: value for name, value in options.items() if value != defaults[name]},
    )
    infer_plan = InferPlan(
        spec=spec,
        backend_class=find(BACKENDS, settings.backend).value,
        python=options.get("python"),
        workload=workload,
        batch_size=settings.batch_size,
        method=session.method(resolved),
        timeout_s=settings.measure.timeout_s,
        gpu_uuids=session.visible_gpus if options.get("device") != "cpu" else (),
        online=online,
        slo=Slo(**settings.slo.model_dump()),
        is_server=getattr(backend, "is_server", False),
        case_key=case.key,
        is_strict=settings.strict,
        is_scored=settings.quality.perplexity and not session.is_off,
        is_cold=settings.measure.isolation == "case",
    )
    return Planned(case, infer_plan, resolved)


def _work(settings: Settings) -> tuple[Workload, TrafficPlan | None]:
    """Return what is asked of the model, and the traffic in which it comes, if it does."""
    workload = Workload.from_plain(settings.workload.model_dump())
    asked = settings.traffic
    if sentence := asked.problem or _unstamped(settings):
        raise config_error(sentence)
    if asked.arrivals is None:
        return with_dataset(workload, settings.dataset, settings.batch_size), None
    workload = with_dataset(workload, settings.dataset, _MOST_PROMPTS)
    workload = replace(workload, requests=workload.requests or len(workload.prompts))
    traffic = Traffic(
        arrivals=asked.arrivals,
        concurrency=asked.concurrency,
        rate=asked.rate,
        burstiness=asked.burstiness,
        times_s=_times(settings),
        max_concurrency=asked.max_concurrency,
        ramp_s=asked.ramp_s,
    )
    online = TrafficPlan(
        traffic=traffic, seed=settings.seed, drain_s=asked.drain_s, most_failed=asked.most_failed
    )
    return workload, online


def _unstamped(settings: Settings) -> str | None:
    """Return a sentence where a limit is on times that are not taken; no request could keep it."""
    limits = settings.slo.model_dump(include={"ttft_s", "tpot_s"}, exclude_none=True)
    if settings.workload.streaming or not limits:
        return None
    return (
        f"slo.{next(iter(limits))} is a limit on the times of tokens, which are taken with "
        "workload.streaming: true only; switch it on, or limit slo.e2e_s"
    )


def _undivided(settings: Settings, options: Mapping[str, Any], workload: Workload) -> str | None:
    """Return a sentence where a batch has too few requests for each process to have one."""
    count = options.get("processes") or 1
    least = min(map(len, workload.batches(settings.batch_size)))
    if least >= count:
        return None
    return (
        f"a batch of {least} cannot be divided among the {count} processes of "
        f"`backends.{settings.backend}.processes`, which each need a request; raise `batch_size` "
        "(or `workload.requests`, which leaves less for the last batch), or lower `processes`"
    )


def _times(settings: Settings) -> tuple[float, ...] | None:
    """Return the times of a replay; raises LemError (`data`) if they end before a window would."""
    asked, window_s = settings.traffic, max(settings.measure.min_window_s, SHORTEST_S)
    if asked.timestamps is None:
        return None
    times = read_times(Path(asked.timestamps).expanduser())
    if times[-1] < asked.ramp_s + window_s:
        raise LemError(
            f"the timestamps in {asked.timestamps} last {times[-1]:g} s, and ramp and window need "
            f"{asked.ramp_s + window_s:g} s (traffic.ramp_s, measure.min_window_s)",
            kind=FailureKind.DATA,
        )
    return times


def _case(
    settings: Settings,
    precision: str,
    workload: Workload,
    online: TrafficPlan | None,
    options: Mapping[str, Any],
) -> Case:
    common = {"backend": settings.backend, "model": settings.model, "precision": precision}
    if online is None:
        size = settings.batch_size
        return infer_case(
            **common, batch_size=size, workload=workload.canonical(size), options=options
        )
    return serve_case(
        **common,
        workload=workload.canonical(1),
        traffic=online.traffic.canonical(),
        label=online.traffic.label,
        slo=settings.slo.model_dump(),
        options=options,
    )


def unplanned_case(item: pytest.Item, arguments: Mapping[str, Any]) -> Case:
    """Return a case named by what was asked for, where the settings make no valid one."""
    chosen = combination(item)
    asked = {".".join(path): found.value for path, found in chosen.values.items()} if chosen else {}
    asked |= {name: param(item, name) for name in AXES}
    given = [*((name, param(item, name)) for name in _PARAMETERS), *arguments.items()]
    asked |= {name: value for name, value in given if value is not None}
    if options := asked.get("options"):  # known by a digest, since they may hold a secret
        asked["options"] = digest(repr(options))[:SHORT]
    axes = {name: asked.get(name) for name in AXES}
    words = [str(value) for value in axes.values() if value is not None]
    words += [f"{name}={asked[name]}" for name in BY_NAME if name in asked]
    settings: dict[str, Any] = {
        name: None if value is None else str(value) for name, value in axes.items()
    }
    settings["batch_size"] = axes["batch_size"] if isinstance(axes["batch_size"], int) else None
    settings["asked"] = {name: repr(value) for name, value in asked.items()}
    kind: CaseKind = "serve" if any(map(_is_of_traffic, asked)) else "infer"
    return Case(kind=kind, label="/".join([kind, *words]), settings=settings)


def _is_of_traffic(name: str) -> bool:
    """Tell whether a parameter, an argument or an axis of a sweep says how requests arrive."""
    return name in BY_NAME or name.partition(".")[0] == "traffic"


def _origin(config: pytest.Config, name: str) -> str:
    """Say where a parameter's value comes from: the command line may stand behind it."""
    found = axis_values(config, name) if name in AXES else None
    return f"{found.origin}, parametrize" if found else "parametrize"


def _backend(settings: Settings, layers: Layers) -> Any:
    name = settings.backend
    backend = load(BACKENDS, name)
    missing = missing_backend(name, has_interpreter=has_interpreter(layers, name))
    if sentence := missing or lacking_precision(name, settings.precision):
        raise config_error(sentence)
    if settings.traffic.arrivals and not hasattr(backend, "sender"):
        raise config_error(
            f"the backend `{name}` runs offline batches only; measure traffic with `openai`, which "
            "starts a server or finds one, or take traffic.arrivals out"
        )
    refused = [field for field in backend.refuses if _is_set(settings.workload, field)]
    if refused:
        raise config_error(
            f"the backend `{name}` cannot follow `workload.{refused[0]}`; leave it out, or take "
            "another backend"
        )
    return backend


def _is_set(workload: WorkloadSettings, field: str) -> bool:
    return bool(getattr(workload, field) != WorkloadSettings.model_fields[field].default)


def _largest_batch(session: LemSession, settings: Settings) -> int:
    """Return the largest batch of the tests that share this load, as far as collected."""
    key = tuple(getattr(settings, name) for name in LOAD_AXES)
    return max(settings.batch_size, session.largest_batch.get(key, 1))


def _fields(value: Any) -> Any:
    """Return a workload as the settings know it: only what differs from the defaults."""
    if isinstance(value, Workload):
        default = Workload().plain()
        return {k: v for k, v in value.plain().items() if v != default[k]}
    return dict(value) if isinstance(value, Mapping) else value
