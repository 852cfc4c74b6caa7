"""A run with something of everything, made up: models, traffic, callables, failures, samples.

Times, powers and tokens follow simple formulas; nothing is random.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from math import sin
from pathlib import Path
from typing import Any

from pytest_lem.backends.protocol import Request
from pytest_lem.case import Case, call_case, infer_case, serve_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.energy.sampling.archive import write_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Source, Track
from pytest_lem.errors import FailureKind
from pytest_lem.flags import Flag, Reason
from pytest_lem.measure.round import Measurement, Phase, Round, Work
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.record import Record, SeriesRecord
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, write_run
from pytest_lem.results.session import session_of
from pytest_lem.results.store import Store
from pytest_lem.workloads.workload import Workload

GPU = "GPU-11111111-aaaa"
NASTY = "t::test[<script>document.title='hacked'</script>\"'&\u202etxt.exe]"
NASTY_TEXT = (
    "</script><script>document.title='hacked'</script><img src=x onerror=\"document.title=1\">"
)
#: Boards, and how many of their columns, of the cases of a steady run.
STEADY = ((1, 1), (1, 5), (8, 1), (8, 5))
_STEADY_BOARD = {
    "power_w": 100.0,
    "sm_clock_mhz": 1980.0,
    "temperature_c": 45.0,
    "utilisation": 0.97,
    "throttle_bits": float(0x4),
}
_REQUESTED = {
    "preset": "standard",
    "measure": {"rounds": 3, "min_window_s": 10.0},
    "backends": {"vllm": {"enforce_eager": True}},
}
_APPLIED = {"device": "cuda", "backend_version": "1.0", "model_sha256": "0" * 64}
_ORIGINS = {
    "preset": "default",
    "measure.rounds": "--lem-set measure.rounds",
    "measure": "lem.yaml",
    "backends": "lem.yaml",
}


def write_fleet(
    folder: Path, *, seconds: float = 60.0, factor: float = 1.0, number: int = 20
) -> Store:
    """Write a run into the store of a folder; `factor` scales the energy."""
    store = Store(folder)
    run = _run(number)
    directory = store.runs / run.id
    records = list(_records(factor))
    for record in records:
        if record.case.kind != "call" and record.status == "ok":
            _sample(record, directory, seconds)
    devices = {GPU: {"name": "Board X1", "driver": "580.10", "power_limit_w": 700.0}}
    environment = {
        "cpu": "CPU 9000",
        "cpu_count_usable": 16,
        "memory_bytes": 2**37,
        "python": "3.11.7",
    }
    run_file = RunFile(run=run, environments={"e": environment}, devices=devices, records=records)
    write_run(run_file, directory / "run.json")
    store.keep(session_of(run, records, {}), directory)
    return store


def write_steady(folder: Path) -> Store:
    """Write a run whose devices change nothing: a case for each of `STEADY`, in that order."""
    store, run = Store(folder), _run(20)
    directory = store.runs / run.id
    records = [_model("vllm", "bfloat16", size, 60.0, 1.0) for size in range(1, len(STEADY) + 1)]
    for record, (boards, count) in zip(records, STEADY, strict=True):
        values = dict(list(_STEADY_BOARD.items())[:count])
        tracks = {f"GPU-{n}{n}": _steady(values) for n in range(boards)}
        if count == len(_STEADY_BOARD):
            tracks["machine"] = _steady({"frequency_mhz": 3200.0, "utilisation": 0.1})
        _write_samples(record, directory, tracks)
    write_run(RunFile(run=run, records=records), directory / "run.json")
    store.keep(session_of(run, records, {}), directory)
    return store


def write_history(store: Store, sessions: int = 9) -> None:
    """Save earlier sessions under the name `main`, whose energy scatters a little."""
    for number in range(sessions):
        session = session_of(_run(number + 1), list(_records(0.9 + 0.01 * (number % 3))), {})
        for entry in session.entries:
            entry.state = "joined"
        store.save("main", session)


def _run(number: int) -> Run:
    return Run(
        id=f"202601{number:02}T030405-abcdef",
        started=f"2026-01-{number:02}T03:04:05+00:00",
        started_monotonic=0.0,
        finished=f"2026-01-{number:02}T03:54:05+00:00",
        exit_status=1,
        arguments=["--lem-preset=standard"],
        preset="standard",
        meters={"nvml": "energy counters of the boards", "rapl": "package-0"},
        versions={"pytest-lem": "0.1.0", "pytest": "9.2.0"},
    )


def _records(factor: float) -> Iterator[Record]:
    for backend, cost in (("vllm", 1.0), ("transformers", 2.5)):
        for precision, saving in (("bfloat16", 1.0), ("float8", 0.7)):
            for batch in (1, 8, 32):
                joules = factor * cost * saving * 60.0 / batch**0.7
                yield _model(backend, precision, batch, joules, cost)
    for rate in (2, 8, 16):
        yield _traffic(rate, factor * (20.0 / rate + 0.2 * rate))
    yield _call("t::test_sort", 8.0 * factor)
    yield _call("t::test_parse", 2.0 * factor, tier=Tier.ESTIMATED, flags={Flag.ESTIMATED})
    yield _call(NASTY, 3.0 * factor)
    yield _call("t::test_dark", None)
    yield _call("t::test_hot", 4.0 * factor, reasons=[Reason.THERMAL_SLOWDOWN])
    failure = (FailureKind.OOM, "the model needs 90 GB and the board has 80; take a smaller batch")
    yield build_record(
        _infer("vllm", "float32", 64), Measurement(), _context("t::f"), failure=failure
    )


def _model(backend: str, precision: str, batch: int, joules: float, cost: float) -> Record:
    rounds = [
        Round(
            seq=seq,
            start_s=20.0 + 12 * seq,
            end_s=20.0 + 12 * seq + 4.0 * cost,
            energies=[_energy(joules * batch * 64 * (1 + 0.01 * seq), GPU)],
            work=Work(requests=batch, input_tokens=5 * batch, output_tokens=64 * batch),
            requests=[_request(20.0 + 12 * seq, i, cost) for i in range(batch)],
        )
        for seq in range(3)
    ]
    phases = [
        Phase(name="load", start_s=2.0, end_s=9.0, energies=[_energy(900.0, GPU)]),
        Phase(name="warm-up", start_s=10.0, end_s=19.0),
    ]
    found = Measurement(
        rounds=rounds,
        phases=phases,
        text=NASTY_TEXT,
        applied={**_APPLIED, "precision": precision, "batch_size": batch},
        peak_device_memory_bytes=2**33,
    )
    return build_record(_infer(backend, precision, batch), found, _context(f"t::{backend}-{batch}"))


def _traffic(rate: int, joules: float) -> Record:
    case = serve_case(
        backend="vllm",
        model="org/small",
        precision="bfloat16",
        label=f"poisson-{rate}",
        workload=Workload(name="chat").canonical(1),
        traffic={"rate": rate, "arrivals": "poisson"},
        slo={"ttft_s": 1.0},
        options={},
    )
    count = rate * 10
    rounds = [
        Round(
            seq=seq,
            start_s=20.0 + 12 * seq,
            end_s=30.0 + 12 * seq,
            energies=[_energy(joules * count, GPU)],
            work=Work(
                requests=count,
                due_requests=count,
                failed_requests=0,
                good_requests=count - rate // 4,
                input_tokens=count,
                output_tokens=64 * count,
            ),
            requests=[_request(20.0 + 12 * seq, i, 1.0 + rate / 16) for i in range(min(count, 40))],
        )
        for seq in range(3)
    ]
    return build_record(
        case, Measurement(rounds=rounds, applied=dict(_APPLIED)), _context(f"t::serve-{rate}")
    )


def _call(
    name: str,
    joules: float | None,
    *,
    tier: Tier = Tier.COUNTER,
    flags: Any = (),
    reasons: Any = (),
) -> Record:
    domain = Domain.ESTIMATE if tier is Tier.ESTIMATED else Domain.PACKAGE
    rounds = [
        Round(
            seq=0,
            start_s=10.0,
            end_s=12.0,
            energies=[_energy(joules, "package-0", domain, tier)],
            work=Work(calls=4),
            reasons=list(reasons),
        )
    ]
    return build_record(
        call_case(name), Measurement(rounds=rounds, flags=set(flags)), _context(name)
    )


def _infer(backend: str, precision: str, batch: int) -> Case:
    return infer_case(
        backend=backend,
        model="org/small",
        precision=precision,
        batch_size=batch,
        workload=Workload(name="default").canonical(batch),
        options={},
    )


def _context(nodeid: str) -> Context:
    return Context(nodeid=nodeid, prompt=f"Say: {NASTY}", requested=_REQUESTED, origins=_ORIGINS)


def _energy(
    joules: float | None, device: str, domain: Domain = Domain.GPU, tier: Tier = Tier.COUNTER
) -> Energy:
    return Energy(
        domain=domain,
        device=device,
        tier=tier,
        value_j=joules,
        u_random_j=joules and joules * 0.01,
        u_systematic_j=joules and joules * 0.02,
        reason=None if joules else "the sensor slept",
    )


def _request(start_s: float, number: int, cost: float) -> dict[str, Any]:
    sent_s = start_s + 0.2 * number
    first_s = sent_s + 0.05 * cost * (1 + 0.3 * sin(number))
    times_s = [first_s + 0.02 * cost * step for step in range(64)]
    request = Request(
        input_tokens=5,
        token_ids=list(range(64)),
        reported_tokens=64,
        sent_s=sent_s,
        token_times_s=times_s,
        done_s=times_s[-1],
        batch=1,
    )
    return asdict(request)


def _sample(record: Record, directory: Path, seconds: float) -> None:
    """Write a series: power that rises with the work, one peak, a slow-down, and a gap."""
    names = ("power_w", "sm_clock_mhz", "temperature_c", "utilisation", "throttle_bits")
    track = Track(names, Source(name="power", averaging_s=0.1))
    for i in range(int(seconds * 10)):
        time_s = 2.0 + i / 10
        if 40.0 < time_s < 42.0:
            continue
        is_busy = any(r.t0 <= time_s <= r.t1 for r in record.rounds)
        power = 690.0 if i == 333 else 320.0 + 9 * sin(i) if is_busy else 90.0 + sin(i)
        bits = 0x4 if 300 < i < 340 else 0x1
        track.add(
            time_s, [power, 1980.0 - 300 * (bits == 4), 45 + 10 * is_busy, is_busy * 0.97, bits]
        )
    _write_samples(record, directory, {GPU: track})


def _steady(values: dict[str, float]) -> Track:
    track = Track(tuple(values), Source(name="power", averaging_s=0.1))
    for i in range(600):
        track.add(2.0 + i / 10, list(values.values()))
    return track


def _write_samples(record: Record, directory: Path, tracks: dict[str, Track]) -> None:
    name = f"series/{record.case.digest[:12]}.npz"
    write_series(Series(tracks, interval_s=0.1), directory / name)
    count = sum(len(track.times_s) for track in tracks.values())
    record.series = SeriesRecord(path=name, interval_s=0.1, achieved_interval_s=0.1, samples=count)
