"""Run files of earlier minor versions, as this release would have written them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_lem.energy.reading import Domain
from pytest_lem.results.comparability import comparability
from pytest_lem.results.record import Record

if TYPE_CHECKING:
    from pytest_lem.results.runfile import RunFile

#: From this minor version on, the facts that must agree have the names of today.
_NAMED_FACTS = 2


def needs_migration(schema_version: str) -> bool:
    """Tell whether a run file of a version is brought up to date when it is read."""
    return int(schema_version.partition(".")[2] or 0) < _NAMED_FACTS


def migrate(run_file: RunFile) -> None:
    """Bring the facts that must agree up to date, from what the records say beside them."""
    if not needs_migration(run_file.schema_version):
        return
    for record in run_file.records:
        if record.comparability:
            record.comparability = comparability(
                meters=record.comparability.refuse.get("meters") or {},
                environment=run_file.environments.get(record.environment or "", {}),
                applied=record.applied,
                devices=run_file.devices,
                measure=record.requested.get("measure"),
                counted=sorted(_counted(record)),
                workers=record.isolation.workers if record.isolation else 1,
            )


def _counted(record: Record) -> set[str]:
    """Return the devices whose energy made the main figure of a record on a CPU."""
    energies: list[Any] = [e for r in record.rounds for e in r.energies if e.domain != Domain.GPU]
    measured = [e for e in energies if e.domain != Domain.ESTIMATE]
    return {energy.device for energy in measured or energies}
