"""Tokens a second through the harness against the bare `model.generate` loop."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, ClassVar

from pairing import Figure, difference, is_first, ratio

from pytest_lem.backends.demo import DEMO_MODEL, demo_directory
from pytest_lem.backends.host.pool import HostPool
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.config.models import EnergySettings
from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.panel import choose
from pytest_lem.energy.reading import Energy, Tier
from pytest_lem.measure.infer import InferPlan, InferRun
from pytest_lem.measure.round import Round
from pytest_lem.workloads.workload import Workload

INCLUDED = """\
throughput: two processes with one model each, windows in ABBA order, the other side idle. The
harness is InferRun with the transformers backend and the meters of this machine, the bare loop is
bare.py. Tokens/s: the harness's own window, so every stamp, the loop and the stop at the end are
in it; arming, reading meters and collecting are not, and stand under `between windows`. CPU: user
and system time of all threads; the host's from before the request to run until after its answer,
less the bare loop's own; the parent's over the same stretch. `tiny` is a model that computes next
to nothing, so that the harness stands out of the noise of the arithmetic: its CPU per token holds
for any model at that batch size, its ratio for none."""

_OUTPUT_TOKENS = 64
_BACKEND = "pytest_lem.backends.transformers:TransformersBackend"
_TIMEOUT_S = 900.0


@dataclass(frozen=True, slots=True)
class _Setup:
    name: str
    model: Path
    batch_size: int
    repetitions: int
    threads: int | None
    pairs: int

    @property
    def workload(self) -> Workload:
        return Workload(output_tokens=_OUTPUT_TOKENS, requests=self.batch_size * self.repetitions)

    @property
    def plan(self) -> InferPlan:
        options = {"num_threads": self.threads} if self.threads else {}
        spec = LoadSpec(
            backend="transformers", model=str(self.model), precision="float32", options=options
        )
        return InferPlan(
            spec=spec,
            backend_class=_BACKEND,
            python=None,
            workload=self.workload,
            batch_size=self.batch_size,
            rounds=self.pairs,
            min_window_s=0.0,
            warmup_cv=0.02,
            warmup_max_s=10.0,
            timeout_s=_TIMEOUT_S,
        )


class _Bare:
    """The process of the bare loop."""

    def __init__(self, setup: _Setup) -> None:
        settings = {
            "model": str(setup.model),
            "precision": setup.plan.spec.precision,
            "threads": setup.threads,
            "prompts": [text for batch in setup.workload.batches(1) for text in batch],
            "batch_size": setup.batch_size,
            "output_tokens": _OUTPUT_TOKENS,
        }
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("bare.py")), json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def window(self) -> dict[str, Any]:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare loop ended with status {self._process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class _Turnstile:
    """A meter that reads CPU clocks and lets the bare loop in before or after each round.

    It is the innermost of the panel: the last to be read before the work, the first after it.
    """

    bare: _Bare
    name: ClassVar[str] = "turnstile"
    method: ClassVar[str] = "turnstile-1"
    run: InferRun | None = None
    windows: list[dict[str, Any]] = field(default_factory=list)
    host_cpu_s: list[float] = field(default_factory=list)
    parent_cpu_s: list[float] = field(default_factory=list)

    def availability(self) -> Availability:
        return Availability(tier=Tier.NONE, sentence="measures no energy")

    def open(self, scope: Scope) -> None:
        self._clock = _process_clock(scope.pids[0])

    def begin(self) -> tuple[float, float]:
        self._enter(is_before=True)
        return time.process_time(), time.clock_gettime(self._clock)

    def end(self, edge: tuple[float, float], *_: float) -> Sequence[Energy]:
        host_s, parent_s = time.clock_gettime(self._clock), time.process_time()
        if self._is_in_rounds:
            self.host_cpu_s.append(host_s - edge[1])
            self.parent_cpu_s.append(parent_s - edge[0])
            self._enter(is_before=False)
        return []

    def close(self) -> None:
        pass

    @property
    def _is_in_rounds(self) -> bool:
        phases = self.run.measurement.phases if self.run else []
        return any(phase.name == "warmup" for phase in phases)

    def _enter(self, *, is_before: bool) -> None:
        if self.run and self._is_in_rounds:
            number = len(self.run.measurement.rounds)
            if is_before == is_first(number):
                self.windows.append(self.bare.window())


def _process_clock(pid: int) -> int:
    """Return the CPU clock of another process, as clock_getcpuclockid(3) makes it on Linux."""
    cpuclock_sched = 2
    return ~pid << 3 | cpuclock_sched


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Measure the demo model at batch 1 and 8, and the tiny one at both."""
    demo = demo_directory()
    pairs = 4 if quick else 10
    figures = []
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        tiny = _tiny_model(demo, Path(scratch) / "tiny")
        for name, model, batch_size, repetitions in (
            (DEMO_MODEL, demo, 1, 1),
            (DEMO_MODEL, demo, 8, 1),
            ("tiny", tiny, 1, 20),
            ("tiny", tiny, 8, 20),
        ):
            setup = _Setup(f"{name} b{batch_size}", model, batch_size, repetitions, threads, pairs)
            figures += _compared(setup, Path(scratch))
    return figures


def _tiny_model(source: Path, target: Path) -> Path:
    """Write the tiny model, in a process of its own: this one must not load PyTorch."""
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_write_tiny_model, args=(source, target))
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("the tiny model could not be made; the lines above say why")
    return target


def _write_tiny_model(source: Path, target: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(source)
    config.hidden_size, config.intermediate_size, config.head_dim = 16, 16, 8
    config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads = 1, 2, 2
    config.layer_types = None
    AutoModelForCausalLM.from_config(config).save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)


def _compared(setup: _Setup, scratch: Path) -> list[Figure]:
    energy = EnergySettings()
    panel = choose(energy.meters, {"watts_per_cpu": energy.watts_per_cpu})
    pool = HostPool(scratch, setup.name.replace(" ", "-"))
    bare = _Bare(setup)
    turnstile = _Turnstile(bare)
    panel.meters.append(turnstile)
    panel.found[turnstile.name] = turnstile.availability()
    turnstile.run = InferRun(setup.plan, pool, panel)
    try:
        for _ in range(2):  # its warm-up; the harness has its own
            bare.window()
        rounds = turnstile.run.measure().rounds
    finally:
        bare.close()
        pool.close()
    return _figures(setup, rounds, turnstile)


def _figures(setup: _Setup, rounds: list[Round], turnstile: _Turnstile) -> list[Figure]:
    name, windows = setup.name, turnstile.windows
    tokens = rounds[0].work.output_tokens or 0
    is_same = all(
        [request["token_ids"] for request in round_.requests] == window["token_ids"]
        for round_, window in zip(rounds, windows, strict=True)
    )
    note = f"{median(tokens / window['seconds'] for window in windows):.0f} tokens/s bare; "
    note += "same tokens on both sides" if is_same else "THE TOKENS DIFFER between the sides"
    speed = [(r.window_s, w["seconds"]) for r, w in zip(rounds, windows, strict=True)]
    cpu = [
        (w["cpu_seconds"] / tokens * 1e6, host_s / tokens * 1e6)
        for w, host_s in zip(windows, turnstile.host_cpu_s, strict=True)
    ]
    parent = [(0.0, parent_s / tokens * 1e6) for parent_s in turnstile.parent_cpu_s]
    # In ABBA order, no bare window stands between an even round and the next.
    gaps = [
        (0.0, (rounds[i + 1].start_s - rounds[i].end_s) * 1e3) for i in range(0, len(rounds) - 1, 2)
    ]
    goal = None if name.startswith("tiny") else 0.99
    return [
        Figure(f"{name}: tokens/s", "x bare", ratio(speed), at_least=goal, note=note),
        Figure(f"{name}: host CPU above bare", "us/token", difference(cpu)),
        Figure(f"{name}: parent CPU in windows", "us/token", difference(parent)),
        Figure(f"{name}: between windows", "ms/window", difference(gaps)),
    ]
