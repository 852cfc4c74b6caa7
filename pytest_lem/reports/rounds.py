"""The sheet of rounds: a row for each measured window of a run."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from statistics import fmean
from typing import Any, NamedTuple

from pytest_lem.energy.reading import TIERS, Domain, Tier
from pytest_lem.reports.sheet import Column, Sheet
from pytest_lem.results.entry import flat_settings
from pytest_lem.results.record import EnergyRecord, Record, RoundRecord, WorkRecord
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.runstream import RunStream
from pytest_lem.results.statistics import root_sum, total

_SETTINGS = {"backend": str, "model": str, "precision": str, "batch_size": int}
#: Counts of work that need not be whole.
_FRACTIONAL = frozenset({"units", "flops"})


class Window(NamedTuple):
    """A round with the record that it stands in."""

    record: Record
    round: RoundRecord


def round_sheet(run_file: RunFile | RunStream) -> Sheet:
    """Return every round of every record, whatever became of it.

    The columns are always the same. Attempts that were repeated are there too, by their number.
    The rows can be gone through once; of a stream, a record is let go of when its rounds are over.
    """
    run = run_file.run.id
    columns = [
        Column("run", str, lambda _: run),
        *_of_case(),
        *_of_round(),
        *(column for domain in Domain for column in _of_domain(domain)),
        *_of_work(),
        *_of_conditions(),
    ]
    rows = (Window(record, r) for record in run_file.records for r in record.rounds)
    about = {"run": run, "definitions_version": run_file.definitions_version}
    return Sheet(columns=columns, rows=rows, about=about)


def record_columns(record_of: Callable[[Any], Record]) -> Iterator[Column]:
    """Yield what tells the records of a run apart."""

    def own(name: str, kind: type, value: Callable[[Record], Any]) -> Column:
        return Column(name, kind, lambda row: value(record_of(row)))

    yield own("key", str, lambda r: r.case.key)
    yield own("digest", str, lambda r: r.case.digest)
    yield own("nodeid", str, lambda r: r.nodeid)
    yield own("attempt", int, lambda r: r.attempt)
    yield own("repetition", int, lambda r: r.repetition)
    yield own("cycle", int, lambda r: r.cycle)


def _of_case() -> Iterator[Column]:
    def own(name: str, kind: type, value: Callable[[Record], Any]) -> Column:
        return Column(name, kind, lambda row: value(row.record))

    def setting(name: str, kind: type) -> Column:
        return own(name, kind, lambda record: getattr(record.case.settings, name))

    yield from record_columns(lambda row: row.record)
    yield own("kind", str, lambda r: r.case.kind)
    yield from (setting(name, kind) for name, kind in _SETTINGS.items())
    yield own("settings", str, lambda r: json.dumps(flat_settings(r.case.settings), sort_keys=True))
    yield own("worker", str, lambda r: r.worker)
    yield own("origin", str, lambda r: r.origin)
    yield own("status", str, lambda r: r.status)
    yield own("failure_kind", str, lambda r: r.failure_kind)
    yield own("case_validity", str, lambda r: r.validity)
    yield own("case_reasons", str, lambda r: " ".join(r.reasons))
    yield own("flags", str, lambda r: " ".join(r.flags))


def _of_round() -> Iterator[Column]:
    yield Column("round", int, lambda row: row.round.seq)
    yield Column("side", str, lambda row: row.round.side)
    yield Column("pair", int, lambda row: row.round.pair)
    yield Column("stage", int, lambda row: row.round.stage)
    yield Column("load_id", str, lambda row: row.round.load_id)
    yield Column("start_s", float, lambda row: row.round.t0)
    yield Column("end_s", float, lambda row: row.round.t1)
    yield Column("duration_s", float, lambda row: row.round.t1 - row.round.t0)
    yield Column("validity", str, lambda row: row.round.validity)
    yield Column("reasons", str, lambda row: " ".join(row.round.reasons))


def _of_domain(domain: Domain) -> Iterator[Column]:
    """Yield the sum over the devices of a domain: unknown as soon as one of them is."""
    name = f"energy_{domain}"

    def of(value: Callable[[list[EnergyRecord]], Any]) -> Callable[[Window], Any]:
        def cell(row: Window) -> Any:
            found = [e for e in row.round.energies if e.domain == domain]
            return value(found) if found else None

        return cell

    yield Column(f"{name}_j", float, of(lambda found: total([e.value for e in found])))
    yield Column(f"{name}_u_random_j", float, of(lambda f: root_sum([e.u_random for e in f])))
    yield Column(f"{name}_devices", int, of(len))
    yield Column(f"{name}_tier", str, of(_worst_tier))
    yield Column(f"{name}_reason", str, of(lambda f: next((e.reason for e in f if e.reason), None)))


def _worst_tier(energies: list[EnergyRecord]) -> str:
    return str(max((Tier(e.tier) for e in energies), key=TIERS.index))


def _of_work() -> Iterator[Column]:
    def count(name: str) -> Column:
        kind = float if name in _FRACTIONAL else int
        return Column(name, kind, lambda row: getattr(row.round.work, name))

    return (count(name) for name in WorkRecord.model_fields)


def _of_conditions() -> Iterator[Column]:
    """Yield means over the devices that tell, and the times of slowing down by cause, as JSON."""
    yield Column("power_sampled_w", float, lambda row: _mean(row.round.power, "mean_w"))
    yield Column("sm_clock_mhz", float, lambda row: _mean(row.round.clocks, "sm_mhz"))
    yield Column("start_c", float, lambda row: _mean(row.round.temperatures, "start_c"))
    yield Column("max_c", float, lambda row: _mean(row.round.temperatures, "max_c"))
    yield Column(
        "power_cap_share", float, lambda row: _mean(row.round.throttling, "power_cap_share")
    )
    yield Column("throttling", str, lambda row: _json(row.round.throttling))


def _mean(devices: Mapping[str, Any] | None, name: str) -> float | None:
    found = [v for facts in (devices or {}).values() if (v := (facts or {}).get(name)) is not None]
    return fmean(found) if found else None


def _json(value: Mapping[str, Any] | None) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
