"""The meters: every registered one, and what it can do here."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

from pytest_lem.cli.doctor.findings import Row, Section
from pytest_lem.cli.doctor.gpus import with_fix
from pytest_lem.config.models import EnergySettings
from pytest_lem.energy.meter import Availability, Meter
from pytest_lem.energy.panel import AUTO
from pytest_lem.energy.reading import Tier
from pytest_lem.registry import METERS, entries

#: What each meter found, by name.
Found = dict[str, Availability]


def look() -> tuple[Section, Found]:
    """Ask every registered meter what it can do, without side effects."""
    found: Found = {}
    facts: list[dict[str, Any]] = []
    problems: list[str] = []
    for name, entry in _ordered():
        try:
            meter = _made(entry)
            found[name] = meter.availability()
        except Exception as error:  # noqa: BLE001 - a stranger's code, whatever is wrong with it
            problems.append(_broken(name, entry, error))
            facts.append(_facts(name, None, None))
        else:
            facts.append(_facts(name, meter.method, found[name]))
    rows = [Row(fact["name"], _text(fact)) for fact in facts]
    return Section(name="meters", facts=facts, rows=rows, problems=problems), found


def sources(found: Found) -> dict[str, Tier]:
    """Return the meters that a run takes by itself, with their tiers."""
    usable = {n: found[n].tier for n in AUTO if n in found and found[n].is_available}
    if "rapl" in usable:
        usable.pop("estimated", None)
    return usable


def _ordered() -> list[tuple[str, EntryPoint]]:
    """Return the meters that a run takes by itself first, in its order."""
    registered = entries(METERS)
    names = [name for name in AUTO if name in registered]
    return [(n, registered[n]) for n in (*names, *sorted(set(registered) - set(AUTO)))]


def _made(entry: EntryPoint) -> Meter:
    meter: Meter = entry.load()(**EnergySettings().model_dump())
    return meter


def _facts(name: str, method: str | None, found: Availability | None) -> dict[str, Any]:
    return {
        "name": name,
        "auto": name in AUTO,
        "method": method,
        "tier": found.tier if found else None,
        "sentence": with_fix(found.sentence) if found else None,
        "code": found.code if found else None,
    }


def _text(fact: dict[str, Any]) -> str:
    if fact["tier"] is None:
        return "broken"
    text = f"{fact['tier']}: {fact['sentence']}"
    return text if fact["auto"] else f"{text} (only if named with --lem-meter)"


def _broken(name: str, entry: EntryPoint, error: Exception) -> str:
    return (
        f"the meter `{name}` ({entry.value}) is broken ({type(error).__name__}: {error}); install "
        "its package anew, or remove it"
    )
