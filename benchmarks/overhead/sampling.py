"""The sampling process: what it takes of a core, and what a workload feels of it.

CPU seconds are those of the process itself, as the system counts them, over some time at the
default rate. The workload keeps every CPU busy with hashing, so that nothing is left over for the
samples; its time with the process running is compared with its time without.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import psutil
from pairing import Figure, alternate, exactly, ratio

from pytest_lem.config.models import EnergySettings
from pytest_lem.energy.sampling.sampler import Sampler

INTERVAL_S = EnergySettings().sample_s
STANDIN = Path(__file__).resolve().parents[2] / "tests" / "standin"
_GOAL = "<= 0.5"


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Return the share of a core, and the paired effect on a workload."""
    duration_s = 5.0 if quick else 30.0
    figures = [Figure("CPU of the process", "% of a core", exactly(_share([], duration_s)), _GOAL)]
    if shutil.which("cc"):
        with _boards(2) as uuids:
            share = exactly(_share(uuids, duration_s))
        note = "two boards of the NVML stand-in, whose answers cost less than a driver's"
        figures.append(Figure("the same with two GPUs", "% of a core", share, _GOAL, note))
    cpus = threads or psutil.cpu_count() or 1
    with ProcessPoolExecutor(cpus, mp_context=get_context("spawn")) as pool:
        pairs = alternate(
            6 if quick else 20, lambda: _work_s(pool, cpus), lambda: _sampled_s(pool, cpus)
        )
    effect = ratio(pairs)
    return [*figures, Figure("time of a workload on all CPUs", "x without samples", effect)]


def _share(uuids: list[str], duration_s: float) -> float:
    """Return per cent of a core, the start of the process left out."""
    before = {child.pid for child in psutil.Process().children()}
    sampler = Sampler(uuids, INTERVAL_S)
    (process,) = (c for c in psutil.Process().children() if c.pid not in before)
    sampler.take(at_least=5)
    first, start_s = sum(process.cpu_times()[:2]), time.monotonic()
    time.sleep(duration_s)
    used_s, passed_s = sum(process.cpu_times()[:2]) - first, time.monotonic() - start_s
    sampler.close()
    return 100 * used_s / passed_s


@contextmanager
def _boards(count: int) -> Iterator[list[str]]:
    """Let processes that are started inside see boards; return their UUIDs."""
    sys.path.insert(0, str(STANDIN))
    from standin import Board, StandIn, build

    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        uuids = [f"GPU-{number}" for number in range(count)]
        StandIn.create(Path(folder, "boards"), [Board(uuid=uuid) for uuid in uuids])
        os.environ.update(LD_LIBRARY_PATH=folder, NVML_STANDIN=str(Path(folder, "boards")))
        yield uuids
        for name in ("LD_LIBRARY_PATH", "NVML_STANDIN"):
            del os.environ[name]


def _sampled_s(pool: ProcessPoolExecutor, cpus: int) -> float:
    sampler = Sampler([], INTERVAL_S)
    try:
        return _work_s(pool, cpus)
    finally:
        sampler.close()


def _work_s(pool: ProcessPoolExecutor, cpus: int) -> float:
    """Return the seconds in which every CPU has hashed its part."""
    start_s = time.monotonic()
    for done in [pool.submit(_hash, 400_000) for _ in range(cpus)]:
        done.result()
    return time.monotonic() - start_s


def _hash(times: int) -> None:
    content = b"x" * 4096
    for _ in range(times // 4):
        hashlib.sha256(content).digest()
