"""Baseline files that are damaged, edited or forged: never a silent pass, never a traceback.

A night that is clearly worse is compared with thousands of mutations of a real history. What comes
of it is a refusal in one sentence, or verdicts that can be stored.
"""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterator, Sequence
from math import isfinite
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.case import Case, call_case, digest, infer_case
from pytest_lem.errors import LemError
from pytest_lem.gate.baseline import baseline_of
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.rule import DEFAULTS, rules_of
from pytest_lem.results.comparison import Comparison, comparison_of
from pytest_lem.results.entry import Entry, Figure
from pytest_lem.results.record import Comparability
from pytest_lem.results.session import FORMAT, SESSION_VERSION, Session
from pytest_lem.results.store import Store

#: So many that a figure which did not change passes.
SESSIONS = 8
WORSE = 1.5
#: A run that saves begins a history where there is none; another one misses it.
TERMS = (Terms(), Terms(is_saving=True))
RULES = (*DEFAULTS, *rules_of(["ttft_s:2+0.0001", "peak_device_memory_bytes:1"], "the test"))
_REFUSE = {
    "backend.version": "5.1", "model.sha256": "ab" * 32, "meter.nvml": "nvml-1",
    "gpu.count": 1, "gpu.name": ["Board"], "gpu.power_limit_w": [300.0],
}  # fmt: skip
_WARN = {"board": ["GPU-a"], "driver": ["580.1"], "vbios": ["v1"], "kernel": "6", "python": "3.12"}
FACTS = Comparability(refuse=_REFUSE, warn=_WARN, hash=digest(_REFUSE))
_OF_MODEL = {
    "energy_per_output_token_j": (0.5, 0.001),
    "output_throughput_tok_s": (200.0, 0.0),
    "ttft_s": (0.05, 2e-5),
    "peak_device_memory_bytes": (8e9, 0.0),
    "power_mean_w": (100.0, 0.001),
}
_OF_CALL = {
    "energy_per_call_j": (3.0, 0.002),
    "call_duration_s": (0.02, 0.0),
    "peak_device_memory_bytes": (4e9, 0.0),
}
MODEL = infer_case(
    backend="transformers", model="org/small", precision="float32", batch_size=2,
    workload={"name": "plain"}, options={},
)  # fmt: skip
CALL = call_case("test_rows.py::test_rows", unit="row")


def _entry(case: Case, factor: float = 1.0) -> Entry:
    """Return an entry that is worse by a factor."""
    figures = _OF_CALL if case.kind == "call" else _OF_MODEL
    return Entry(
        key=case.key,
        digest=case.digest,
        kind=case.kind,
        nodeid="test_rows.py::test_rows",
        settings={k: v for k, v in case.settings.items() if isinstance(v, str | int)},
        comparability=FACTS.hash,
        source_sha256="cd" * 32,
        origin="measured",
        status="ok",
        validity="valid",
        tier="counter",
        figures={
            name: Figure(value / factor if "throughput" in name else value * factor, resolution)
            for name, (value, resolution) in figures.items()
        },
        unknown={"tpot_s": "not streamed"},
        measurements={name: [value] for name, (value, _) in figures.items()},
        output_tokens=None if case.kind == "call" else 64.0,
        has_fixed_length=case.kind != "call",
        start_c=40.0,
        sm_clock_mhz=1500.0,
        verdict="pass",
        state="joined",
    )


def _original() -> list[bytes]:
    """Return the files of a history, as the product writes them."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        for number in range(SESSIONS):
            session = Session(
                run=f"2026010{number}-000000",
                started=f"2026-01-0{number}T00:00:00+00:00",
                git={"commit": "ef" * 20, "branch": "main"},
                preset="standard",
                exit_status=0,
                facts={FACTS.hash: FACTS},
                entries=[_entry(MODEL), _entry(CALL)],
            )
            store.save("nightly", session)
        return [path.read_bytes() for path in store.history("nightly")]


ORIGINAL = _original()
BODY = ORIGINAL[-1].partition(b"\n")[2]
#: Line and names of everything that can be replaced in a file, the inner nodes included.
Place = tuple[int, tuple[str | int, ...]]
Changes = list[tuple[Place, Any]]


def _below(tree: Any, names: tuple[str | int, ...] = ()) -> Iterator[tuple[Any, Any]]:
    """Return the names and the value of a node, and of all below it."""
    yield names, tree
    if isinstance(tree, dict | list):
        for name, inner in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _below(inner, (*names, name))


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _lines(raw: bytes) -> list[Any]:
    return [json.loads(line) for line in raw.splitlines()[1:]]


_PLACED: list[tuple[Place, Any]] = [
    ((number, names), value)
    for number, line in enumerate(_lines(ORIGINAL[0]))
    for names, value in _below(line)
]
PLACES = [place for place, _ in _PLACED]
#: The lines of the run and of the names of the columns, then those of the columns.
_RUN, _NAMES = 0, 1
COLUMNS: dict[str, int] = {
    name: number for number, name in enumerate(_lines(ORIGINAL[0])[_NAMES]["columns"], 2)
}
REMOVED = "\0 removed"
DEEP: list[Any] = []
for _ in range(150):
    DEEP = [DEEP]
NUMBERS = [0, -1, -0.0, 1, 2, 5e-324, 1e-300, 1e-30, 1e30, 1e155, 1.7e308, 10**25]
ODD = [
    REMOVED, None, True, "", "5", "-1", "nan", "two\nlines", "joined", "waiting", [], {}, [None],
    [[1, 0], [1, 0]], {"a": {"b": 1}}, DEEP, 10**400, float("nan"), float("inf"), -float("inf"),
]  # fmt: skip
NUMBER = st.one_of(st.sampled_from(NUMBERS), st.floats(allow_nan=False), st.floats(0.1, 10.0))
VALUES = st.one_of(st.sampled_from(ODD), NUMBER, st.text(max_size=3))
#: Anything anywhere is mostly refused; numbers for numbers and odd facts get as far as the judge.
CHANGE = st.one_of(
    st.tuples(st.sampled_from(PLACES), VALUES),
    st.tuples(st.sampled_from([place for place, old in _PLACED if _is_number(old)]), NUMBER),
    st.tuples(st.sampled_from([place for place in PLACES if place[1][:1] == ("facts",)]), VALUES),
)
CHANGES = st.lists(CHANGE, min_size=1, max_size=3)
FUZZ = settings(deadline=None, derandomize=True, database=None)


def _lines_of(metric: str) -> list[int]:
    """Return the lines of the values of a figure, and of their resolutions."""
    return [COLUMNS[f"figures.{metric}.{part}"] for part in ("values", "resolutions")]


def _at(column: str) -> Place:
    """Return the place of the first entry in a column."""
    return COLUMNS[column], (0,)


def _is_positive(value: Any) -> bool:
    """Tell whether a value can be read as a number above 0: pydantic reads "5" and true too."""
    try:
        return isfinite(float(value)) and float(value) > 0
    except (TypeError, ValueError, OverflowError):
        return False


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Return a store that each example fills anew."""
    return Store(tmp_path_factory.mktemp("store"))


def _compared(
    store: Store,
    files: Sequence[bytes],
    *,
    factor: float = WORSE,
    terms: Terms = TERMS[0],
    under_test: Sequence[str] = (),
    reference: str = "nightly",
    is_lazy: bool = False,
) -> list[Comparison] | LemError:
    """Compare a night with a history of those files: verdicts, or a refusal in one sentence."""
    folder = store.root / "baselines" / "nightly"
    folder.mkdir(parents=True, exist_ok=True)
    for old in store.history("nightly")[len(files) :]:
        old.unlink()
    for number, content in enumerate(files):
        (folder / f"{number}.jsonl").write_bytes(content)
    try:
        sessions = store.each(reference, store.root, is_lazy=is_lazy)
        baseline = baseline_of("nightly", sessions, UnderTest(under_test))
        judge = Judge(baseline, terms, "tonight")
        cases = (judge.judge(_entry(case, factor), FACTS, RULES) for case in (MODEL, CALL))
        found = [_stored(comparison) for comparisons in cases for comparison in comparisons]
    except LemError as error:
        return _in_one_sentence(error)
    return found


def _in_one_sentence(error: LemError) -> LemError:
    assert len(str(error).splitlines()) == 1
    return error


def _stored(comparison: Comparison) -> Comparison:
    """Return a comparison as the journal gives it back, which refuses what JSON does not know."""
    text = json.dumps(comparison.plain(), allow_nan=False)
    return comparison_of(json.loads(text))


def _sealed(body: bytes, **head: Any) -> bytes:
    """Return a file with the seal that a forger would put on it."""
    seal = hashlib.sha256(body).hexdigest()
    start = {"format": FORMAT, "schema_version": SESSION_VERSION, "sha256": seal, **head}
    return json.dumps(start).encode() + b"\n" + body


def _forged(raw: bytes, changes: Changes) -> bytes:
    """Return a file with values replaced or removed, and sealed."""
    lines: list[Any] = _lines(raw)
    for (number, names), value in changes:
        _replace(lines, (number, *names), value)
    return _sealed(b"".join(json.dumps(line).encode() + b"\n" for line in lines))


def _replace(lines: Any, names: Sequence[str | int], value: Any) -> None:
    """Replace what is there; an earlier change may have taken the place away."""
    node = lines
    for name in names[:-1]:
        try:
            node = node[name]
        except (LookupError, TypeError):
            return
    if isinstance(node, dict):
        if value == REMOVED:
            node.pop(names[-1], None)
        else:
            node[names[-1]] = value
    elif isinstance(node, list) and isinstance(names[-1], int) and names[-1] < len(node):
        node[names[-1] : names[-1] + 1] = [] if value == REMOVED else [value]


def _passes(found: list[Comparison] | LemError) -> set[str]:
    comparisons = [] if isinstance(found, LemError) else found
    return {c.metric for c in comparisons if c.verdict == "pass"}


def test_the_history_can_be_read_and_the_worse_night_regressed(store: Store) -> None:
    """What the mutations start from: all figures are told, and without a change they pass."""
    worse, same = _compared(store, ORIGINAL), _compared(store, ORIGINAL, factor=1.0)

    assert not isinstance(worse, LemError)
    assert not isinstance(same, LemError)
    assert {c.metric for c in worse} == {rule.metric for rule in RULES}
    assert {c.verdict for c in worse} == {"regressed"}
    assert {c.verdict for c in same} == {"pass"}


DAMAGES = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "remove", "insert", "digit", "drop", "double", "swap"]),
        st.integers(0, 2**16),
        st.integers(0, 2**10),
    ),
    min_size=1,
    max_size=3,
)
Damages = list[tuple[str, int, int]]


def _damaged(raw: bytes, damages: Damages) -> bytes:
    """Return what a bad disk, a full disk, an editor or a merge leaves of a file."""
    for kind, where, how in damages:
        at = where % (len(raw) + 1)
        lines = [*raw.splitlines(keepends=True), b""]
        one, other = where % len(lines), how % len(lines)
        if kind == "flip" and at < len(raw):
            raw = raw[:at] + bytes([raw[at] ^ (how % 255 + 1)]) + raw[at + 1 :]
        elif kind == "cut":
            raw = raw[:at]
        elif kind == "remove":
            raw = raw[:at] + raw[at + how + 1 :]
        elif kind == "insert":
            raw = raw[:at] + bytes([how % 256]) + raw[at:]
        elif kind == "digit":  # what a person would change, to lower a bar
            raw = raw[:at] + re.sub(rb"\d", b"%d" % (how % 10), raw[at:], count=1)
        elif kind == "drop":
            raw = b"".join(lines[:one] + lines[one + 1 :])
        elif kind == "double":
            raw = b"".join([*lines[:other], lines[one], *lines[other:]])
        elif kind == "swap":
            lines[one], lines[other] = lines[other], lines[one]
            raw = b"".join(lines)
    return raw


@settings(FUZZ, max_examples=1500)
@given(damages=DAMAGES, is_by_path=st.booleans())
def test_whatever_changes_the_body_is_refused(
    store: Store, damages: Damages, is_by_path: bool
) -> None:
    """The seal finds all that nobody sealed again; a changed head alone changes no verdict."""
    raw = _damaged(ORIGINAL[-1], damages)
    reference = "baselines/nightly/0.jsonl" if is_by_path else "nightly"

    found = _compared(store, [raw], reference=reference)

    if raw.partition(b"\n")[2] != BODY:
        assert isinstance(found, LemError)
    elif not isinstance(found, LemError):
        assert {c.verdict for c in found} == {"regressed"}


@settings(FUZZ, max_examples=300)
@given(damages=DAMAGES, is_lazy=st.booleans())
def test_damage_that_is_sealed_lets_nothing_pass(
    store: Store, damages: Damages, is_lazy: bool
) -> None:
    """The seal may hold and the content be no JSON, no text, or half of it."""
    raw = _sealed(_damaged(BODY, damages))

    assert not _passes(_compared(store, [*ORIGINAL[:-1], raw], is_lazy=is_lazy))


@settings(FUZZ, max_examples=600)
@given(
    changes=CHANGES,
    is_everywhere=st.booleans(),
    terms=st.sampled_from(TERMS),
    under_test=st.sampled_from([(), ("backend.version",)]),
    is_lazy=st.booleans(),
)
def test_forged_values_are_refused_or_judged(
    store: Store,
    changes: Changes,
    *,
    is_everywhere: bool,
    terms: Terms,
    under_test: tuple[str, ...],
    is_lazy: bool,
) -> None:
    """A worse night passes only where the very figure was forged, and to one that can be."""
    kept = [] if is_everywhere else ORIGINAL[:-1]
    forged = [_forged(raw, changes) for raw in ORIGINAL[len(kept) :]]

    found = _compared(store, [*kept, *forged], terms=terms, under_test=under_test, is_lazy=is_lazy)

    for metric in _passes(found):
        own = _lines_of(metric)
        assert any(number in own or metric in names for (number, names), _ in changes)


@pytest.mark.parametrize("metric", [rule.metric for rule in RULES])
@settings(FUZZ, max_examples=50)
@given(value=VALUES.filter(lambda value: not _is_positive(value)), terms=st.sampled_from(TERMS))
def test_a_figure_that_is_no_positive_number_lets_nothing_pass(
    store: Store, metric: str, value: Any, terms: Terms
) -> None:
    """Null, zero, below zero, infinite, not a number or gone: in every session of the history."""
    values, _ = _lines_of(metric)
    places = [place for place in PLACES if place[0] == values and len(place[1]) == 1]
    forged = [_forged(raw, [(place, value) for place in places]) for raw in ORIGINAL]

    assert metric not in _passes(_compared(store, forged, terms=terms))


@pytest.mark.parametrize("version", ["0.9", "2.0", "4.0", "10.0", "", None, 3, [], {"a": 1}])
def test_another_version_of_the_format_is_refused(store: Store, version: Any) -> None:
    """What an unknown release wrote is not guessed at; its minor versions only add fields."""
    sealed = _sealed(BODY, schema_version=version)
    found = _compared(store, [sealed])
    assert isinstance(found, LemError) is (version != 3)


NO_SESSIONS = {
    "empty": b"",
    "blank": b"\n",
    "null": b"null\n",
    "deep list": b"[" * 100_000,
    "deep object": b'{"a":' * 100_000,
    "no seal": b'{"format": "pytest-lem session"}\n',
    "no body": _sealed(b""),
    "blank body": _sealed(b"\n"),
    "deep body": _sealed(b"[" * 100_000),
    "further line": _sealed(BODY + b"{}\n"),
    "no text": _sealed(b"\xff" + BODY),
    "other format": _sealed(BODY, format="pytest-lem run"),
}


@pytest.mark.parametrize("name", NO_SESSIONS)
@pytest.mark.parametrize("reference", ["nightly", "baselines/nightly/0.jsonl"])
def test_what_is_no_session_is_refused(store: Store, name: str, reference: str) -> None:
    """By name and by path, in one sentence."""
    assert isinstance(_compared(store, [NO_SESSIONS[name]], reference=reference), LemError)


_BOARD: Place = (_RUN, ("facts", FACTS.hash, "warn", "board"))
_FACT: Place = (_RUN, ("facts", FACTS.hash, "refuse", "gpu.power_limit_w"))
_HASH: Place = (_RUN, ("facts", FACTS.hash, "hash"))


@pytest.mark.parametrize(
    "changes",
    [
        [(_at("sm_clock_mhz"), 0)],
        [(_at("sm_clock_mhz"), 1.7e308)],
        [(_at("start_c"), 1.7e308)],
        [(_at("figures.energy_per_output_token_j.values"), 5e-324)],
        [(_at("figures.output_throughput_tok_s.values"), 1.7e308)],
        [(_at("figures.peak_device_memory_bytes.values"), 5e-324)],
        [(_at("figures.energy_per_output_token_j.resolutions"), 1e200)],
        [(_at("figures.energy_per_output_token_j.resolutions"), -1e200)],
        [(_at("comparability"), "")],
        [(_BOARD, 5)],
        [(_BOARD, [["GPU-b"]])],
        [(_BOARD, [{"a": 1}])],
        [(_FACT, float("nan")), (_HASH, "00")],
        [(_FACT, DEEP), (_HASH, "00")],
        [
            (
                (_NAMES, ("columns", COLUMNS["figures.ttft_s.values"] - 2)),
                "figures.two\nlines.values",
            )
        ],
        [((_NAMES, ("entries",)), 10**25)],
        [((_RUN, ("definitions_version",)), "two\nlines")],
    ],
    ids=lambda changes: ",".join(f"{place}={value!s:.8}" for place, value in changes),
)
@pytest.mark.parametrize("count", [1, SESSIONS], ids=["last", "all"])
def test_numbers_and_facts_beyond_belief_are_refused_or_judged(
    store: Store, changes: Changes, count: int
) -> None:
    """Each of them is valid JSON under a valid seal, and stops some calculation."""
    kept = ORIGINAL[: SESSIONS - count]
    forged = [_forged(raw, changes) for raw in ORIGINAL[len(kept) :]]

    assert not _passes(_compared(store, [*kept, *forged]))


def test_facts_that_differ_under_an_old_hash_do_not_agree(store: Store) -> None:
    """The key is of the facts that stand in the file, not of the name they go by."""
    forged = [_forged(raw, [(_FACT, [150.0])]) for raw in ORIGINAL]
    found = _compared(store, forged, factor=1.0)
    assert isinstance(found, LemError) or {c.verdict for c in found} == {"incomparable"}
