"""The top of the page: what was measured, where, with what, when, and how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from pytest_lem.energy.reading import TIERS, Tier
from pytest_lem.reports.figures import UNKNOWN as _NOT_SAID
from pytest_lem.reports.figures import scaled
from pytest_lem.reports.html.markup import Markup, element
from pytest_lem.reports.html.places import without_folders
from pytest_lem.reports.html.values import counted
from pytest_lem.reports.html.view import View
from pytest_lem.reports.material import StoredRun
from pytest_lem.results.runfile import RunFile

_ENDINGS = {
    0: "0: all tests passed",
    1: "1: some tests failed",
    2: "2: interrupted",
    3: "3: an internal error of pytest",
    4: "4: pytest was not used as it can be",
    5: "5: no test was collected",
}
_KINDS = {"infer": "offline batches", "serve": "under traffic", "call": "callables"}


def heading(runs: Sequence[StoredRun], views: Sequence[View]) -> Markup:
    """Return the title and the facts of the run, or of each of several."""
    title = element("h1", "Energy of ", element("span", _subject(views), class_="subject"))
    if len(runs) == 1:
        return element("header", title, _facts(runs[0].run_file, views))
    parts = (
        element(
            "section",
            element("h2", f"Run {run.id}"),
            _facts(run.run_file, [view for view in views if view.run is run]),
            aria_label=f"Run {run.id}",
        )
        for run in runs
    )
    return element("header", title, *parts)


def _facts(run_file: RunFile, views: Sequence[View]) -> Markup:
    facts = [*_what(run_file, views), *_where(run_file), *_how(run_file)]
    pairs = [(element("dt", name), element("dd", value)) for name, value in facts if value]
    return element("dl", *(element("div", *pair) for pair in pairs), class_="facts")


def _subject(views: Sequence[View]) -> str:
    """Return the models, or how many callables there are."""
    models = dict.fromkeys(str(m) for v in views if (m := v.record.case.settings.model))
    if models:
        names = [name.rstrip("/").rpartition("/")[2] for name in models]
        return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if names[3:] else "")
    return counted(len(views), "callable") if views else "a run without cases"


def _what(run_file: RunFile, views: Sequence[View]) -> Iterator[tuple[str, str]]:
    kinds = Counter(view.record.case.kind for view in views)
    found = [f"{_KINDS.get(kind, kind)}: {n}" for kind, n in kinds.items()]
    yield "measured", f"{counted(len(views), 'case')} ({', '.join(found)})" if found else "no case"
    backends = sorted({str(b) for v in views if (b := v.record.case.settings.backend)})
    yield "backends", ", ".join(backends)
    run = run_file.run
    yield "run", run.id
    yield "time", f"{run.started} to {run.finished or 'an end that is not recorded'}"
    status = run.exit_status
    ended = "the run did not finish, so cases may be missing"
    yield "exit status", ended if status is None else _ENDINGS.get(status, str(status))
    yield "preset", run.preset or ""
    yield "options", " ".join(map(without_folders, run.arguments))


def _where(run_file: RunFile) -> Iterator[tuple[str, str]]:
    for facts in run_file.environments.values():
        yield "machine", ", ".join(_machine(facts))
        git = facts.get("git") or {}
        if git.get("commit"):
            yield "commit", git["commit"][:12] + (", files changed" if git.get("dirty") else "")
    boards = Counter(_board(facts) for facts in run_file.devices.values())
    shown = [name if n == 1 else f"{n} x {name}" for name, n in boards.items()]
    yield "GPUs", "; ".join(shown) or "none that was seen"


def _machine(facts: dict[str, Any]) -> Iterator[str]:
    yield str(facts.get("cpu") or "a CPU that does not tell its name")
    if count := facts.get("cpu_count_usable"):
        yield f"{count} CPUs"
    if memory := facts.get("memory_bytes"):
        yield scaled(memory, "B")
    yield from (str(facts[name]) for name in ("os_release", "kernel") if facts.get(name))
    if container := facts.get("container"):
        yield f"in a container ({container})"
    if python := facts.get("python"):
        yield f"Python {python}"


def _board(facts: dict[str, Any]) -> str:
    parts = [str(facts.get("name") or "a GPU that does not tell its name")]
    if driver := facts.get("driver"):
        parts.append(f"driver {driver}")
    if limit := facts.get("power_limit_w"):
        parts.append(f"limit {limit:g} W")
    return ", ".join(parts)


def _how(run_file: RunFile) -> Iterator[tuple[str, str]]:
    meters = run_file.run.meters
    yield "meters", "; ".join(f"{name}: {what}" for name, what in meters.items()) or _NOT_SAID
    tiers = Counter(str(m.tier) for r in run_file.records if (m := _energy(r)) and m.tier)
    ranked = sorted(tiers, key=lambda tier: TIERS.index(Tier(tier)))
    words = [f"{_TIERS.get(tier, tier)} ({counted(tiers[tier], 'case')})" for tier in ranked]
    yield "how sure", "; ".join(words) or "no energy is known"
    packages = next((f.get("packages") for f in run_file.environments.values()), None) or {}
    versions = {**packages, **run_file.run.versions}
    yield "versions", ", ".join(f"{name} {versions[name]}" for name in sorted(versions))


def _energy(record: Any) -> Any:
    names = ("energy_per_request_j", "energy_per_call_j")
    found = (record.metrics.get(name) for name in names)
    return next((m for m in found if m is not None and m.value is not None), None)


_TIERS: dict[str, str] = {
    Tier.COUNTER: "counter: energy counters of the hardware",
    Tier.POWER: "power: sampled power, integrated",
    Tier.ESTIMATED: "estimated: CPU time and an assumed power, marked ~",
}
