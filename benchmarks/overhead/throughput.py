"""Tokens a second through the harness against the bare library.

Two processes hold one model each; windows alternate in ABBA order while the other side is idle.
The harness is `InferRun` with each backend that is installed and this machine's meters, driven
through all its rounds; the bare loop is bare.py, let in by a meter of our own before or after each
round.

harness adds: with a model that computes next to nothing, on one thread; the wall-clock time of a
window over that of the bare loop, which no arithmetic drowns in noise. What a harness does for a
token does not depend on the model.
tokens/s by what it adds: a token of the demo model through the bare loop, over the same with that
on top. This is what the goal is held against.
tokens/s side by side: of windows with the demo model, so stamps, loop and synchronisation are in
it, and so is whatever else the machine did; fastest windows: what is slowed down is slowed down
by others, so the shortest window of each side says most; it has no interval.
Arming, reading the meters and collecting are in no window: they are `between windows`.
parent CPU: user and system time of pytest's side in a window, beside the work of the host.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, NamedTuple

from pairing import Estimate, Figure, difference, is_first, ratio
from tiny import tiny_directory, tiny_gguf

from pytest_lem.backends.demo import demo_directory, demo_gguf
from pytest_lem.backends.host.pool import HostPool
from pytest_lem.backends.llama_cpp.tokenizer import UNTOLD
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
_REPETITIONS = 4
#: What each backend calls its number of threads.
_THREADS = {"transformers": "num_threads", "vllm": "omp_num_threads", "llama_cpp": "n_threads"}


class _Side(NamedTuple):
    """A backend, what it is measured with, and the package without which it is left out."""

    backend: str
    package: str
    precision: str
    options: dict[str, Any]
    model: Callable[[], Path]
    tiny: Callable[[Path, Path], Path]


_SIDES = (
    _Side("transformers", "transformers", "float32", {}, demo_directory, tiny_directory),
    _Side(
        "vllm",
        "vllm",
        "float32",
        {"enforce_eager": True, "max_model_len": 512, "kv_cache_memory_bytes": 1 << 28},
        demo_directory,
        tiny_directory,
    ),
    _Side("llama_cpp", "xllamacpp", "auto", {"n_ctx": 512}, demo_gguf, tiny_gguf),
)


class _Bare:
    """The process of the bare loop, given what the plan of the harness says."""

    def __init__(self, plan: InferPlan) -> None:
        threads = plan.spec.options.get(_THREADS[plan.spec.backend])
        settings = {
            "backend": plan.spec.backend,
            "model": plan.spec.model,
            "precision": plan.spec.precision,
            "options": {k: v for k, v in plan.spec.options.items() if k not in _THREADS.values()},
            "threads": threads,
            "prompts": [prompt.text for batch in plan.workload.batches(1) for prompt in batch],
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
    """The innermost meter: reads pytest's CPU clock, and lets the bare loop in beside a round."""

    bare: _Bare
    name: ClassVar[str] = "turnstile"
    method: ClassVar[str] = "turnstile-1"
    run: InferRun | None = None
    windows: list[dict[str, Any]] = field(default_factory=list)
    parent_s: list[float] = field(default_factory=list)

    def availability(self) -> Availability:
        return Availability(tier=Tier.NONE, sentence="measures no energy")

    def open(self, scope: Scope) -> None:
        pass

    def begin(self) -> float:
        self._let_in(is_before=True)
        return time.process_time()

    def end(self, edge: float, *_: float) -> Sequence[Energy]:
        parent_s = time.process_time()
        if self._let_in(is_before=False):
            self.parent_s.append(parent_s - edge)
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
    """Measure each backend that is here at batch 1 and 8, with the demo model and a tiny one."""
    os.environ["TQDM_DISABLE"] = "1"
    sides = [side for side in _SIDES if importlib.util.find_spec(side.package)]
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        found = (_of_side(side, Path(scratch), threads, quick=quick) for side in sides)
        return [figure for figures in found for figure in figures]


def _of_side(side: _Side, scratch: Path, threads: int | None, *, quick: bool) -> Iterator[Figure]:
    tiny = side.tiny(side.model(), scratch / side.backend)
    small = side._replace(model=lambda: tiny)
    for size in (1, 8):
        # Windows of some tenths of a second, long beside what happens once in each.
        repetitions = _REPETITIONS // size or 1
        plan = _plan(small, size, repetitions, 1, 12 if quick else 50)
        added_us = difference(_compared(f"{side.backend}-tiny", plan, scratch).us_per_token())
        plan = _plan(side, size, 1, threads, 4 if quick else 6)
        pairs = _compared(f"{side.backend}-demo", plan, scratch)
        yield from _figures(f"{side.backend} b{size}", pairs, added_us)


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


@dataclass(frozen=True)
class _Pairs:
    """Rounds of the harness and windows of the bare loop, of the same work."""

    rounds: list[Round]
    turnstile: _Turnstile

    @property
    def tokens(self) -> int:
        return self.rounds[0].work.output_tokens or 0

    @property
    def windows(self) -> list[dict[str, Any]]:
        return self.turnstile.windows

    def us_per_token(self) -> list[tuple[float, float]]:
        """Return the time of a token, bare and through the harness."""
        us = 1e6 / self.tokens
        pairs = zip(self.windows, self.rounds, strict=True)
        return [(window["seconds"] * us, r.window_s * us) for window, r in pairs]

    def is_same(self) -> bool:
        """Tell whether both sides made the same tokens; those without an id are not compared."""
        pairs = zip(self.windows, self.rounds, strict=True)
        return all(
            window["token_ids"]
            == [[i for i in request["token_ids"] if i != UNTOLD] for request in r.requests]
            for window, r in pairs
        )


def _compared(name: str, plan: InferPlan, logs: Path) -> _Pairs:
    panel = choose(["auto"], {"watts_per_cpu": 7.0})
    pool, bare = HostPool(logs, name), _Bare(plan)
    turnstile = _Turnstile(bare)
    panel.meters.append(turnstile)
    panel.found[turnstile.name] = turnstile.availability()
    turnstile.run = InferRun(plan, pool, panel, Rests(plan.method, panel, MonotonicClock(), name))
    try:
        bare.window()  # two windows are its warm-up; the harness has its own
        bare.window()
        return _Pairs(turnstile.run.measure().rounds, turnstile)
    finally:
        bare.close()
        pool.close()


def _figures(name: str, pairs: _Pairs, added_us: Estimate) -> Iterator[Figure]:
    both_us = pairs.us_per_token()
    token_us = median(bare for bare, _ in both_us)
    same = "same tokens" if pairs.is_same() else "THE TOKENS OF THE TWO SIDES DIFFER"
    fastest = min(bare for bare, _ in both_us) / min(ours for _, ours in both_us)
    parent_us = [(0.0, seconds * 1e6 / pairs.tokens) for seconds in pairs.turnstile.parent_s]
    # In ABBA order no bare window stands between an even round and the next.
    rounds = pairs.rounds
    gaps = [rounds[i + 1].start_s - rounds[i].end_s for i in range(0, len(rounds) - 1, 2)]
    yield Figure(f"{name}: harness adds", "us/token", added_us)
    yield Figure(
        f"{name}: tokens/s by what it adds",
        "x bare",
        _speed(token_us, added_us),
        ">= 0.99",
        f"bare {token_us:.0f} us/token",
    )
    yield Figure(
        f"{name}: tokens/s side by side",
        "x bare",
        ratio((ours, bare) for bare, ours in both_us),
        note=f"{same}; fastest windows {fastest:.3f} x bare",
    )
    yield Figure(f"{name}: parent CPU in windows", "us/token", difference(parent_us))
    yield Figure(f"{name}: between windows", "ms", difference((0.0, gap * 1e3) for gap in gaps))


def _speed(token_us: float, added_us: Estimate) -> Estimate:
    """Return the speed with something on top of a token, over the speed without."""
    value, high, low = (token_us / (token_us + x) for x in added_us[:3])
    return added_us._replace(value=value, low=low, high=high)
