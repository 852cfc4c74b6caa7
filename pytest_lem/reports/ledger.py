"""The ledger of a case: what each device drew in each phase and round, and over all rounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.derived import derived_lines
from pytest_lem.reports.figures import ESTIMATE_MARK, UNKNOWN, scaled
from pytest_lem.reports.fitting import kept
from pytest_lem.reports.grid import GAP, Column, grid
from pytest_lem.reports.marks import marked
from pytest_lem.results.record import EnergyRecord, PhaseRecord, Record, RoundRecord
from pytest_lem.results.statistics import expanded, root_sum, total

_HEADS = ("step", "time", "energy", "±", "power", "of", "tokens")
_NAMES = frozenset({"step", "of"})
#: What a narrow terminal gives up, the first first.
_DISPENSABLE = ("power", "tokens", "±", "time")
#: Characters of a device that are shown: enough of a UUID to tell boards apart.
_DEVICE_WIDTH = 12
_INDENT = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Line:
    """A stretch of time, or several, and what one device drew in it."""

    step: str
    seconds: float
    energy: EnergyRecord | None
    tokens: int | None

    def cells(self) -> list[str]:
        """Return the cells, in the order of the heads."""
        tokens = UNKNOWN if self.tokens is None else str(self.tokens)
        time = scaled(self.seconds, "s")
        energy = self.energy
        if energy is None:
            return [self.step, time, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, tokens]
        device = energy.device[:_DEVICE_WIDTH]
        if energy.value is None:
            return [self.step, time, UNKNOWN, UNKNOWN, UNKNOWN, device, tokens]
        mark = ESTIMATE_MARK if energy.tier == Tier.ESTIMATED else ""
        u_j = expanded(energy.u_random, energy.u_systematic)
        spread = UNKNOWN if u_j is None else scaled(u_j, "J")
        watts = f"{mark}{scaled(energy.value / self.seconds, 'W')}" if self.seconds else UNKNOWN
        return [
            self.step,
            time,
            f"{mark}{scaled(energy.value, 'J')}",
            spread,
            watts,
            device,
            tokens,
        ]


def ledger(record: Record, width: int) -> list[RenderableType]:
    """Return what a case generated and what is derived from it, warnings, and its steps.

    Each step has a line for each device. An invalid round has the sign of what is not to be
    trusted.
    """
    parts: list[RenderableType] = [Text(record.case.key, style="bold")]
    if record.sample:
        parts.append(_indented(Text(f"{record.sample.prompt!r} -> {record.sample.text!r}")))
    parts += [_indented(Text(line)) for line in derived_lines(record)]
    parts += [_indented(Text(f"{w.category}: {w.message}")) for w in record.warnings]
    cells = [line.cells() for line in _lines(record)]
    return [*parts, _indented(_table(cells, width - _INDENT))]


def _table(rows: Sequence[Sequence[str]], width: int) -> RenderableType:
    widths = {head: max(len(head), *(len(r[n]) for r in rows)) for n, head in enumerate(_HEADS)}
    shown = kept(widths, _DISPENSABLE, width + GAP)
    columns = [Column(head, is_number=head not in _NAMES) for head in shown]
    return grid(columns, [[row[_HEADS.index(head)] for head in shown] for row in rows], width)


def _lines(record: Record) -> Iterator[_Line]:
    for phase in record.phases:
        yield from _of(phase.name, phase)
    for r in record.rounds:
        name = f"round {r.seq + 1}{f' {r.side}' if r.side else ''}"
        yield from _of(marked(name, is_failed=False, is_invalid=r.validity == "invalid"), r)
    if len(record.rounds) > 1:
        for side in dict.fromkeys(r.side for r in record.rounds):
            yield from _over([r for r in record.rounds if r.side == side], side)


def _of(step: str, stretch: PhaseRecord | RoundRecord) -> Iterator[_Line]:
    """Yield a line for each device that was read over a stretch of time; without any, one."""
    tokens = stretch.work.output_tokens if stretch.work else None
    energies: list[EnergyRecord | None] = [*stretch.energies]
    for energy in energies or [None]:
        yield _Line(step=step, seconds=stretch.t1 - stretch.t0, energy=energy, tokens=tokens)


def _over(rounds: Sequence[RoundRecord], side: str | None) -> Iterator[_Line]:
    """Yield a line for each device with its sums over rounds."""
    step = f"all rounds{f' {side}' if side else ''}"
    seconds = sum(r.t1 - r.t0 for r in rounds)
    tokens = [r.work.output_tokens for r in rounds]
    counted = None if None in tokens else sum(t for t in tokens if t is not None)
    devices: dict[tuple[str, str], list[EnergyRecord]] = {}
    for energy in (e for r in rounds for e in r.energies):
        devices.setdefault((energy.domain, energy.device), []).append(energy)
    for found in devices.values():
        if len(found) == len(rounds):
            yield _Line(step=step, seconds=seconds, energy=_sum(found), tokens=counted)


def _sum(energies: Sequence[EnergyRecord]) -> EnergyRecord:
    """Return the sum of one device over windows: what is random adds up by squares."""
    worst = next((e for e in energies if e.tier == Tier.ESTIMATED), energies[0])
    return worst.model_copy(
        update={
            "value": total([e.value for e in energies]),
            "u_random": root_sum([e.u_random for e in energies]),
            "u_systematic": total([e.u_systematic for e in energies]),
        }
    )


def _indented(part: RenderableType) -> Padding:
    return Padding(part, (0, 0, 0, _INDENT), expand=False)
