"""A run of 10,000 records as CSV, afterwards, by `lem report`: cases, and their rounds.

The whole process, from the start of Python to the last line of the file. The records have two
rounds each; cases are read from the session beside the run file, rounds from the run file itself.
Memory is the largest resident set.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pairing import Figure, difference

from pytest_lem.case import call_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run
from pytest_lem.results.session import session_of
from pytest_lem.results.store import Store

_RECORDS, _ROUNDS = 10_000, 2
_SHEETS = {"cases": (), "rounds": ("--rows=rounds",)}


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Write each sheet a few times, and print what the whole process took."""
    figures = []
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        # In a process of its own: a child's largest resident set begins with that of its parent.
        subprocess.run([sys.executable, __file__, scratch], check=True)
        store = Store(Path(scratch))
        for name, options in _SHEETS.items():
            found = [_report(store, *options) for _ in range(3 if quick else 6)]
            time_s = difference((0.0, s) for s, _, _ in found)
            memory = difference((0.0, mb) for _, mb, _ in found)
            note = f"{found[0][2] / 1e6:.1f} MB of CSV"
            figures += [
                Figure(f"{name} of {_RECORDS} records: time", "s", time_s, note=note),
                Figure(f"{name} of {_RECORDS} records: memory", "MB", memory),
            ]
    return figures


def _report(store: Store, *options: str) -> tuple[float, float, int]:
    """Return seconds, peak MB and bytes of one file."""
    lem = Path(sys.executable).with_name("lem")
    output = store.root / "out.csv"
    command = [lem, "report", "latest", "--format=csv", f"--output={output}", f"--store={store}"]
    start_s = os.times().elapsed
    process = subprocess.Popen([*command, *options])
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError("lem report could not run; the lines above say why")
    return os.times().elapsed - start_s, used.ru_maxrss / 1000, output.stat().st_size


def _write(store: Store) -> None:
    run = Run(id="run", started="2026-01-01", started_monotonic=0.0)
    run.exit_status = 0
    records = [_record(number) for number in range(_RECORDS)]
    write_run(RunFile(run=run, records=records), store.runs / run.id / "run.json")
    store.keep(session_of(run, records, {}), store.runs / run.id)


def _record(number: int) -> Record:
    energy = Energy(
        domain=Domain.PACKAGE,
        device="package-0",
        tier=Tier.COUNTER,
        value_j=8.0 + number / _RECORDS,
        u_random_j=0.1,
        u_systematic_j=0.0,
    )
    rounds = [
        Round(seq=n, start_s=5.0 * n, end_s=5.0 * n + 4, energies=[energy], work=Work(calls=4))
        for n in range(_ROUNDS)
    ]
    name = f"benchmarks/test_sort.py::test_sort[{number}]"
    return build_record(call_case(name), Measurement(rounds=rounds), Context(nodeid=name))


if __name__ == "__main__":
    _write(Store(Path(sys.argv[1])))
