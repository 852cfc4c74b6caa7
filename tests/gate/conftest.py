"""Entries, facts and histories made by hand, with figures that can be worked out on paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_lem.case import digest
from pytest_lem.gate.baseline import Baseline, baseline_of
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.rule import rule_of
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import Entry, Figure
from pytest_lem.results.record import Comparability
from pytest_lem.results.session import Session

SETTINGS = {
    "backend": "vllm", "model": "org/small", "precision": "float16", "batch_size": 8,
    "options.dtype": "half", "workload.name": "default",
}  # fmt: skip


@pytest.fixture
def entry() -> Callable[..., Entry]:
    """Make the entry of a model: 2 J and 100 tokens a second, both to the last digit.

    `figures` are further ones, None takes one away; `settings` change settings; other keywords
    replace fields.
    """

    def make(
        energy_j: float | None = 2.0,
        speed_tok_s: float | None = 100.0,
        *,
        figures: dict[str, float | None] | None = None,
        resolution: float = 0.0,
        settings: dict[str, Any] | None = None,
        **fields: Any,
    ) -> Entry:
        own = {"energy_per_output_token_j": energy_j, "output_throughput_tok_s": speed_tok_s}
        chosen = {**SETTINGS, **(settings or {})}
        values = {n: v for n, v in {**own, **(figures or {})}.items() if v is not None}
        kind = fields.get("kind", "infer")
        plain: dict[str, Any] = {
            "key": "case",
            "digest": digest({"kind": kind, "settings": chosen}),
            "kind": kind,
            "nodeid": "t.py::t",
            "settings": chosen,
            "comparability": "",
            "origin": "measured",
            "status": "ok",
            "validity": "valid",
            "tier": "counter",
            "figures": {name: Figure(value, resolution) for name, value in values.items()},
            "state": "joined",
        }
        return Entry(**{**plain, **fields})

    return make


@pytest.fixture
def facts() -> Callable[..., Comparability]:
    """Make the facts of a case on a board; `refuse` changes those that must agree, others warn."""

    def make(
        refuse: dict[str, Any] | None = None, *, board: str = "GPU-a", **warn: Any
    ) -> Comparability:
        must = {
            "backend.version": "1.0", "model.sha256": "aa", "gpu.count": 1, "gpu.name": ["Board"],
            **(refuse or {}),
        }  # fmt: skip
        care = {"board": [board], "driver": ["580.1"], "kernel": "6.1", **warn}
        return Comparability(refuse=must, warn=care, hash=digest(must))

    return make


@pytest.fixture
def session() -> Callable[..., Session]:
    """Make a session of a run from pairs of an entry and its facts."""

    def make(run: str, *measured: tuple[Entry, Comparability]) -> Session:
        entries = [replace(one, comparability=about.hash) for one, about in measured]
        named = {about.hash: about for _, about in measured}
        return Session(run=run, started="2026-01-01T00:00:00+00:00", facts=named, entries=entries)

    return make


@pytest.fixture
def baseline(session: Callable[..., Session]) -> Callable[..., Baseline]:
    """Make a baseline `main` with a session for each pair of an entry and its facts."""

    def make(*measured: tuple[Entry, Comparability], under_test: Sequence[str] = ()) -> Baseline:
        sessions = [session(f"r{number}", pair) for number, pair in enumerate(measured)]
        return baseline_of("main", sessions, UnderTest(under_test))

    return make


@pytest.fixture
def judged(
    entry: Callable[..., Entry],
    facts: Callable[..., Comparability],
    baseline: Callable[..., Baseline],
) -> Callable[..., Comparison]:
    """Judge an entry by one rule against eight sessions alike, as the keywords have it.

    `past` are the entries of the history, `then` and `now` the facts of it and of the entry, and
    `terms` those of the gate; other arguments are those of the entry.
    """

    def make(
        *args: Any,
        rule: str = "energy_per_output_token_j:1",
        past: Sequence[Entry] | None = None,
        then: Comparability | None = None,
        now: Comparability | None = None,
        terms: dict[str, Any] | None = None,
        under_test: Sequence[str] = (),
        is_repeatable: bool = True,
        **fields: Any,
    ) -> Comparison:
        before = then or facts()
        history = [entry()] * 8 if past is None else past
        known = baseline(*((one, before) for one in history), under_test=under_test)
        judge = Judge(known, Terms(**(terms or {})), "now")
        rules = [rule_of(rule, "--lem-fail-on")]
        new = entry(*args, **fields)
        (found,) = judge.judge(new, now or facts(), rules, is_repeatable=is_repeatable)
        return found

    return make
