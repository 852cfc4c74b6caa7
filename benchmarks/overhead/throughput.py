"""Tokens a second through the harness against the bare library.

Two processes hold one model each; windows alternate in ABBA order while the other side is idle.
The harness is `InferRun` with each backend that is installed and this machine's meters, driven
through all its rounds; the bare loop is bare.py, let in by a meter of our own before or after each
round.

fastest windows: what is slowed down is slowed down by others, so the shortest window of each side
says most on a machine that others use too; it has no interval.
tokens/s: of the windows themselves, so stamps, loop and synchronisation are in it; arming, reading
the meters and collecting are not: they are `between windows`.
host CPU above bare: user and system time of all threads of the host, from before the request to
run until after its answer, less the bare loop's own; parent CPU: pytest's side, the same stretch.
tiny: a model that computes next to nothing, on one thread. Its CPU per token is the harness's
without the noise of the arithmetic; its ratio holds for no real model.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, NamedTuple

from pairing import Figure, difference, is_first, ratio

from pytest_lem.backends.demo import demo_directory, demo_gguf
from pytest_lem.backends.host.pool import HostPool
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.clock import MonotonicClock
from pytest_lem.energy.meter import Availability, Scope
from pytest_lem.energy.panel import choose
from pytest_lem.energy.reading import Energy, Tier
from pytest_lem.measure.infer import InferRun
from pytest_lem.measure.method import Method
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.rest import Rests
from pytest_lem.measure.round import Round
from pytest_lem.registry import BACKENDS, find
from pytest_lem.workloads.workload import Workload

_TOKENS = 64
#: What each backend calls its number of threads.
_THREADS = {"transformers": "num_threads", "vllm": "omp_num_threads", "llama_cpp": "n_threads"}


class _Side(NamedTuple):
    """A backend, what it is measured with, and the package without which it is left out."""

    backend: str
    package: str
    precision: str
    options: dict[str, Any]
    model: Callable[[], Path]


_SIDES = (
    _Side("transformers", "transformers", "float32", {}, demo_directory),
    _Side(
        "vllm",
        "vllm",
        "float32",
        {"enforce_eager": True, "max_model_len": 512, "kv_cache_memory_bytes": 1 << 28},
        demo_directory,
    ),
    _Side("llama_cpp", "xllamacpp", "auto", {"n_ctx": 512}, demo_gguf),
)


class _Bare:
    """The process of the bare loop, given what the plan of the harness says."""

    def __init__(self, plan: InferPlan) -> None:
        threads = next((plan.spec.options.get(name) for name in _THREADS.values()), None)
        settings = {
            "backend": plan.spec.backend,
            "model": plan.spec.model,
            "precision": plan.spec.precision,
            "options": {k: v for k, v in plan.spec.options.items() if k not in _THREADS.values()},
            "threads": threads,
            "prompts": [text for texts in plan.workload.batches(1) for text in texts],
            "batch_size": plan.batch_size,
            "output_tokens": plan.workload.output_tokens,
        }
        script = str(Path(__file__).with_name("bare.py"))
        self._process = subprocess.Popen(
            [sys.executable, script, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def window(self) -> dict[str, Any]:
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(b"\n")
        process.stdin.flush()
        if not (line := process.stdout.readline()):
            raise RuntimeError(f"the bare loop ended with status {process.wait()}")
        return json.loads(line)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


@dataclass
class _Turnstile:
    """The innermost meter: reads CPU clocks, and lets the bare loop in beside each round."""

    bare: _Bare
    name: ClassVar[str] = "turnstile"
    method: ClassVar[str] = "turnstile-1"
    run: InferRun | None = None
    windows: list[dict[str, Any]] = field(default_factory=list)
    host_s: list[float] = field(default_factory=list)
    parent_s: list[float] = field(default_factory=list)

    def availability(self) -> Availability:
        return Availability(tier=Tier.NONE, sentence="measures no energy")

    def open(self, scope: Scope) -> None:
        # The CPU clock of another process, as clock_getcpuclockid(3) makes it on Linux.
        self._clock = ~scope.pids[0] << 3 | 2

    def begin(self) -> tuple[float, float]:
        self._let_in(is_before=True)
        return time.process_time(), time.clock_gettime(self._clock)

    def end(self, edge: tuple[float, float], *_: float) -> Sequence[Energy]:
        host_s, parent_s = time.clock_gettime(self._clock), time.process_time()
        if self._let_in(is_before=False):
            self.host_s.append(host_s - edge[1])
            self.parent_s.append(parent_s - edge[0])
        return []

    def close(self) -> None:
        pass

    def _let_in(self, *, is_before: bool) -> bool:
        """Run the bare loop if it is its turn, and tell whether the rounds have begun."""
        found = self.run.measurement if self.run else None
        if found is None or not any(phase.name == "warmup" for phase in found.phases):
            return False
        if is_before == is_first(len(found.rounds)):
            self.windows.append(self.bare.window())
        return True


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Measure the demo model at batch 1 and 8 with each backend that is here, and the tiny one."""
    os.environ["TQDM_DISABLE"] = "1"
    demo, pairs = demo_directory(), 4 if quick else 10
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        logs, tiny = Path(scratch), Path(scratch) / "tiny"
        _in_process_of_its_own(_write_tiny_model, demo, tiny)
        figures = [
            figure
            for side in _SIDES
            if importlib.util.find_spec(side.package)
            for size in (1, 8)
            for figure in _compared(
                f"{side.backend} b{size}", _plan(side, size, 1, threads, pairs), logs
            )
        ]
        small = _SIDES[0]._replace(model=lambda: tiny)
        return [*figures, *_compared("tiny b1", _plan(small, 1, 20, 1, pairs), logs)]


def _in_process_of_its_own(work: Any, *args: Any) -> None:
    """Keep PyTorch and its threads out of this process, which stands for pytest's."""
    process = multiprocessing.get_context("spawn").Process(target=work, args=args)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError("the tiny model could not be made; the lines above say why")


def _write_tiny_model(source: Path, target: Path) -> None:
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    config = AutoConfig.from_pretrained(source)
    config.hidden_size, config.intermediate_size, config.head_dim = 16, 16, 8
    config.num_hidden_layers, config.num_attention_heads, config.num_key_value_heads = 1, 2, 2
    config.layer_types = None
    AutoModelForCausalLM.from_config(config).save_pretrained(target)
    AutoTokenizer.from_pretrained(source).save_pretrained(target)


def _plan(
    side: _Side, batch_size: int, repetitions: int, threads: int | None, pairs: int
) -> InferPlan:
    entry = find(BACKENDS, side.backend)
    options = dict(side.options)
    if threads:
        options[_THREADS[side.backend]] = threads
    return InferPlan(
        spec=LoadSpec(
            backend=side.backend,
            model=str(side.model()),
            precision=side.precision,
            options=options,
            max_batch_size=batch_size,
        ),
        backend_class=entry.value,
        python=None,
        workload=Workload(output_tokens=_TOKENS, requests=batch_size * repetitions),
        batch_size=batch_size,
        method=Method(rounds=pairs, warmup_cv=0.02, warmup_max_s=10.0),
        timeout_s=900.0,
    )


def _compared(name: str, plan: InferPlan, logs: Path) -> list[Figure]:
    panel = choose(["auto"], {"watts_per_cpu": 7.0})
    pool, bare = HostPool(logs, name), _Bare(plan)
    turnstile = _Turnstile(bare)
    panel.meters.append(turnstile)
    panel.found[turnstile.name] = turnstile.availability()
    turnstile.run = InferRun(plan, pool, panel, Rests(plan.method, panel, MonotonicClock(), name))
    try:
        bare.window()  # two windows are its warm-up; the harness has its own
        bare.window()
        return _figures(name, turnstile.run.measure().rounds, turnstile)
    finally:
        bare.close()
        pool.close()


def _figures(name: str, rounds: list[Round], turnstile: _Turnstile) -> list[Figure]:
    pairs = list(zip(rounds, turnstile.windows, strict=True))
    tokens = rounds[0].work.output_tokens or 0
    us = 1e6 / tokens
    is_same = all([r["token_ids"] for r in a.requests] == b["token_ids"] for a, b in pairs)
    bare_cpu = [window["cpu_seconds"] * us for _, window in pairs]
    host_cpu = [seconds * us for seconds in turnstile.host_s]
    # In ABBA order no bare window stands between an even round and the next.
    gaps = [rounds[i + 1].start_s - rounds[i].end_s for i in range(0, len(rounds) - 1, 2)]
    note = f"bare {median(tokens / window['seconds'] for _, window in pairs):.0f} tokens/s; "
    note += "same tokens on both sides" if is_same else "THE TOKENS OF THE TWO SIDES DIFFER"
    fastest = min(w["seconds"] for _, w in pairs) / min(a.window_s for a, _ in pairs)
    note += f"; fastest windows {fastest:.3f} x bare"
    speed = ratio((a.window_s, b["seconds"]) for a, b in pairs)
    return [
        Figure(f"{name}: tokens/s", "x bare", speed, None if "tiny" in name else ">= 0.99", note),
        Figure(
            f"{name}: host CPU above bare",
            "us/token",
            difference(zip(bare_cpu, host_cpu, strict=True)),
        ),
        Figure(
            f"{name}: parent CPU in windows",
            "us/token",
            difference((0.0, seconds * us) for seconds in turnstile.parent_s),
        ),
        Figure(f"{name}: between windows", "ms", difference((0.0, gap * 1e3) for gap in gaps)),
    ]
