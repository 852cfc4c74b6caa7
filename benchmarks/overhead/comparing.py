"""A run of 10,000 cases against a history of ten sessions, afterwards.

Comparing is to read the run and its history and to judge each figure; beside it stands the whole
of `lem report`, from the start of Python to the last line of JSON. The cases have the figures and
settings of a language model's, drawn at random. Memory is the largest resident set of the whole.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from pairing import Figure, difference

from pytest_lem.results.entry import Entry, figures_of
from pytest_lem.results.entry import Figure as Value
from pytest_lem.results.record import Comparability
from pytest_lem.results.session import Session
from pytest_lem.results.store import Store

_CASES, _SESSIONS = 10_000, 10
#: What `lem report` does before it shows anything.
_COMPARE = """
import gc, sys, time
from pathlib import Path
from pytest_lem.cli.reference import find_session
from pytest_lem.gate.afterwards import history_for, judge_session, unmeasured
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.rule import DEFAULTS
from pytest_lem.results.store import Store

gc.disable()
start = time.perf_counter()
store = Store(Path(sys.argv[1]))
session = find_session(store, "latest")
sessions = store.each("main", Path(), is_lazy=True)
baseline = history_for(session, "main", sessions, UnderTest(()))
found = judge_session(Judge(baseline, Terms(), session.run), session, DEFAULTS)
assert len(found) == 2 * len(session.entries) and not unmeasured(baseline, session)
print(time.perf_counter() - start)
"""
_FACTS = {
    "backend.version": "1.0",
    "model.sha256": "0" * 64,
    "gpu.count": 1,
    "gpu.name": ["Board"],
    "driver.branch": ["580"],
}


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Compare a few times, and print what the whole process took."""
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        store = Store(Path(scratch))
        # Apart: a process begins with the memory of the one that started it.
        subprocess.run([sys.executable, __file__, str(store)], check=True)
        count = 3 if quick else 6
        compared = [_compare(store) for _ in range(count)]
        reported = [_report(store) for _ in range(count)]
    size, whole = f"{_CASES} cases, {_SESSIONS} sessions", "lem report"
    return [
        Figure(f"{size}: comparing", "s", difference((0.0, s) for s in compared), "<= 3"),
        Figure(f"{whole}: time", "s", difference((0.0, s) for _, s, _ in reported)),
        Figure(f"{whole}: CPU", "s", difference((0.0, s) for s, *_ in reported)),
        Figure(
            f"{whole}: memory",
            "MB",
            difference((0.0, m) for *_, m in reported),
            "<= 500",
        ),
    ]


def _compare(store: Store) -> float:
    """Return the seconds that comparing takes in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", _COMPARE, store.root], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def _report(store: Store) -> tuple[float, float, float]:
    """Return CPU seconds, seconds and peak MB of one comparison."""
    lem = Path(sys.executable).with_name("lem")
    command = [lem, "report", "latest", "--baseline=main", "--format=json", f"--store={store}"]
    start_s = os.times().elapsed
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    if os.waitstatus_to_exitcode(status) not in {0, 1}:  # 1: a verdict fails
        raise RuntimeError("lem report could not run; the lines above say why")
    return used.ru_utime + used.ru_stime, os.times().elapsed - start_s, used.ru_maxrss / 1000


def _write(store: Store) -> None:
    for session in _sessions(_SESSIONS + 1):
        if session.run.endswith(f"{_SESSIONS}"):
            store.keep(session, store.runs / session.run)
        else:
            store.save("main", session)


def _sessions(count: int) -> Iterator[Session]:
    chance = random.Random(0)
    facts = Comparability(refuse=_FACTS, warn={"board": ["GPU-0"]}, hash="f" * 64)
    for number in range(count):
        entries = [_entry(case, chance) for case in range(_CASES)]
        yield Session(
            run=f"20260101T0000{number:02}-run{number:02}",
            started="2026-01-01T00:00:00+00:00",
            facts={facts.hash: facts},
            entries=entries,
        )


def _entry(case: int, chance: random.Random) -> Entry:
    digest = hashlib.sha256(str(case).encode()).hexdigest()
    return Entry(
        key=f"infer/vllm/model/bfloat16/b{case}/default-{digest[:8]}",
        digest=digest,
        kind="infer",
        nodeid=f"benchmarks/inference/test_decode.py::test_decode[vllm-bfloat16-{case}]",
        settings={
            "backend": "vllm",
            "model": "some/model",
            "precision": "bfloat16",
            "batch_size": case + 1,
            "workload.name": "default",
            "workload.output_tokens": 64,
            "workload.ignore_eos": True,
            "workload.prompts_sha256": digest,
        },
        comparability="f" * 64,
        origin="measured",
        status="ok",
        validity="valid",
        tier="counter",
        figures={n: Value(chance.lognormvariate(0, 0.01), 1e-4) for n in figures_of("infer")},
        output_tokens=64.0,
        has_fixed_length=True,
        verdict="pass",
        state="joined",
    )


if __name__ == "__main__":
    _write(Store(Path(sys.argv[1])))
