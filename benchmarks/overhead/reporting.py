"""The page of a run of 200 cases, by `lem report --html`: ten minutes of samples every 100 ms each.

The whole process, from the start of Python to the last byte of the page. Every case has the samples
of one board, seven columns, drawn at random with a peak now and then. Memory is the largest
resident set.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
from dataclasses import asdict
from math import sin
from pathlib import Path

from pairing import Figure, difference

from pytest_lem.backends.protocol import Request
from pytest_lem.case import infer_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.energy.sampling.archive import write_series
from pytest_lem.energy.sampling.board_probe import BoardProbe
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.measure.round import Measurement, Phase, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record, SeriesRecord
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run
from pytest_lem.results.session import session_of
from pytest_lem.results.store import Store
from pytest_lem.workloads.workload import Workload

_CASES, _SECONDS, _INTERVAL_S = 200, 600.0, 0.1
_BOARD = "GPU-0"
_BATCH, _TOKENS, _ROUNDS = 16, 64, 5


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Make the page a few times, and print what the whole process took."""
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        store = write_synthetic(Path(scratch))
        found = [_report(store) for _ in range(3 if quick else 6)]
    size = f"page of {_CASES} cases"
    return [
        Figure(f"{size}: time", "s", difference((0.0, s) for s, *_ in found)),
        Figure(f"{size}: CPU", "s", difference((0.0, s) for _, s, *_ in found)),
        Figure(f"{size}: memory", "MB", difference((0.0, mb) for *_, mb, _ in found)),
        Figure(f"{size}: size", "MB", difference((0.0, mb) for *_, mb in found), "<= 15"),
    ]


def write_synthetic(root: Path) -> Store:
    """Write the run into the store of a folder."""
    store, run = Store(root), Run(id="run", started="2026-01-01", started_monotonic=0.0)
    run.exit_status = 0
    folder, chance = store.runs / run.id, random.Random(0)
    records = [_record(number, folder, chance) for number in range(_CASES)]
    devices = {_BOARD: {"name": "Board", "driver": "580.1"}}
    write_run(RunFile(run=run, records=records, devices=devices), folder / "run.json")
    store.keep(session_of(run, records, {}), folder)
    return store


def _report(store: Store) -> tuple[float, float, float, float]:
    """Return seconds, CPU seconds, peak MB and the size of one page in MB."""
    lem, page = Path(sys.executable).with_name("lem"), store.root / "out.html"
    command = [lem, "report", "latest", f"--html={page}", f"--store={store}"]
    start_s = os.times().elapsed
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status):
        raise RuntimeError("lem report could not run; the lines above say why")
    took_s, cpu_s = os.times().elapsed - start_s, used.ru_utime + used.ru_stime
    return took_s, cpu_s, used.ru_maxrss / 1000, page.stat().st_size / 1e6


def _record(number: int, folder: Path, chance: random.Random) -> Record:
    case = infer_case(
        backend=("vllm", "transformers")[number % 2],
        model="some/model",
        precision=("bfloat16", "float8")[number // 2 % 2],
        batch_size=number // 4 + 1,
        workload=Workload(name="default").canonical(1),
        options={},
    )
    rounds = [_round(seq, chance) for seq in range(_ROUNDS)]
    phases = [Phase(name="load", start_s=0.0, end_s=60.0)]
    settings = {"measure": {f"setting_{i}": i for i in range(60)}, "seed": number}
    context = Context(nodeid=f"test.py::test[{number}]", requested=settings, origins={"seed": "x"})
    found = Measurement(rounds=rounds, phases=phases, applied={"device": "cuda"})
    record = build_record(case, found, context)
    name = f"series/{number}.npz"
    write_series(_series(chance), folder / name)
    count = int(_SECONDS / _INTERVAL_S)
    record.series = SeriesRecord(
        path=name, interval_s=_INTERVAL_S, achieved_interval_s=_INTERVAL_S, samples=count
    )
    return record


def _round(seq: int, chance: random.Random) -> Round:
    joules, start_s = chance.lognormvariate(7, 0.1), 100.0 + 90 * seq
    energy = Energy(domain=Domain.GPU, device=_BOARD, tier=Tier.COUNTER, value_j=joules,
                    u_random_j=1.0, u_systematic_j=10.0)  # fmt: skip
    return Round(
        seq=seq,
        start_s=start_s,
        end_s=start_s + 60,
        energies=[energy],
        work=Work(requests=_BATCH, input_tokens=_BATCH * 5, output_tokens=_BATCH * _TOKENS),
        requests=[_request(start_s, chance) for _ in range(_BATCH)],
    )


def _request(start_s: float, chance: random.Random) -> dict[str, object]:
    first_s = start_s + chance.lognormvariate(-3, 0.3)
    times_s = [first_s + 0.02 * step for step in range(_TOKENS)]
    return asdict(
        Request(input_tokens=5, token_ids=[1] * _TOKENS, reported_tokens=_TOKENS, sent_s=start_s,
                token_times_s=times_s, done_s=times_s[-1], batch=_BATCH)
    )  # fmt: skip


def _series(chance: random.Random) -> Series:
    track = Track(BoardProbe.columns)
    for i in range(int(_SECONDS / _INTERVAL_S)):
        power_w = 700.0 if chance.random() < 0.001 else chance.gauss(300, 20)
        clock_mhz = round(chance.gauss(1900, 30) / 15) * 15
        heat_c = 50 + round(10 * sin(i / 900))
        row = (
            power_w,
            clock_mhz,
            2600,
            heat_c,
            round(chance.random(), 2),
            2**33,
            4 * (i % 700 < 9),
        )
        track.add(i * _INTERVAL_S, row)
    return Series({_BOARD: track}, interval_s=_INTERVAL_S)
