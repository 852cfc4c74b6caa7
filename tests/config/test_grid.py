"""Grids: what varies, the combinations that follow, and what is wrong with a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.backends.option import BackendOptions, option
from pytest_lem.config.grid import Axis, Combination, Grid
from pytest_lem.config.gridfile import read_grid
from pytest_lem.config.layers import Layers
from pytest_lem.errors import config_error

Write = Callable[..., Path]
Sentence = Callable[..., str]
Read = Callable[..., Grid]


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions(BackendOptions):
    """Options of a backend that exists for these tests."""

    threads: int | None = option(None, "Threads.", [1], ge=1)
    extra: dict[str, Any] | None = option(None, "More.", [{"depth": 1}])


def options_of(backend: str) -> type:
    """Know two backends, as the registry knows those that are installed."""
    if backend not in {"engine", "motor"}:
        raise config_error(f"there is no backend `{backend}`: did you mean `engine`?")
    return EngineOptions


@pytest.fixture
def read(write: Write) -> Read:
    """Return a function that writes a file, `grid.yaml` unless named, and reads it as a grid."""
    return lambda text, name="grid.yaml": read_grid(write(text, name), options_of)


def _ids(grid: Grid, backend: str = "engine") -> list[str]:
    return [combination.id for combination in grid.combinations(backend)]


def _values(combination: Combination) -> dict[str, Any]:
    return {".".join(path): sourced.value for path, sourced in combination.values.items()}


def test_lists_make_their_product_in_the_order_of_the_file(read: Read) -> None:
    """The last setting changes fastest, and each combination has the values of all."""
    grid = read("grid:\n  precision: [a, b]\n  batch_size: [1, 8]\n")
    assert _ids(grid) == ["a-1", "a-8", "b-1", "b-8"]
    assert [_values(one) for one in grid.combinations("engine")] == [
        {"precision": precision, "batch_size": size} for precision in "ab" for size in (1, 8)
    ]


@pytest.mark.parametrize(
    "text",
    [
        "grid: {measure.rounds: [1, 2]}",
        "grid: {measure: {rounds: [1, 2]}}",
        "grid:\n  measure:\n    rounds: {start: 1, stop: 2, step: 1}",
        "grid: {measure.rounds: {start: 1, stop: 2, factor: 2}}",
    ],
)
def test_a_setting_is_named_by_mappings_or_by_dots(read: Read, text: str) -> None:
    """However it is written, it is the same setting with the same values."""
    (axis,) = read(text).axes
    assert (axis.path, axis.values) == (("measure", "rounds"), (1, 2))
    assert axis.origin.endswith(f"grid.yaml:{text.count(chr(10)) + 1}")


def test_what_stands_beside_the_grid_holds_for_all(read: Read) -> None:
    """All else in the file is a configuration, with its lines."""
    grid = read("batch_size: 4\ngrid: {precision: [a]}\nmeasure: {rounds: 3}\n")
    assert grid.base.nested() == {"batch_size": 4, "measure": {"rounds": 3}}
    assert str(grid.base.origin(("measure", "rounds"))).endswith("grid.yaml:3")


def test_every_value_of_a_combination_has_its_line(read: Read) -> None:
    """Laid over other settings, it takes their place and says where it comes from."""
    grid = read("grid:\n  batch_size: [8]\n  workload: {output_tokens: [2]}\n")
    layers = Layers()
    layers.put(("batch_size",), 1, "elsewhere")
    (combination,) = grid.combinations("engine")
    combination.lay_over(layers)
    assert layers.nested() == {"batch_size": 8, "workload": {"output_tokens": 2}}
    assert str(layers.origin(("batch_size",))).endswith("grid.yaml:2")
    assert str(layers.origin(("workload", "output_tokens"))).endswith("grid.yaml:3")


def test_options_multiply_only_the_combinations_of_their_backend(read: Read) -> None:
    """Those of another backend appear once, whether the grid or somebody else names it."""
    options = "  backends: {engine: {threads: [1, 2]}}\n"
    grid = read(f"grid:\n{options}  backend: [motor, engine]\n  batch_size: [1, 8]\n")
    assert _ids(grid) == [
        "motor-1", "motor-8",
        "engine-1-threads:1", "engine-1-threads:2", "engine-8-threads:1", "engine-8-threads:2",
    ]  # fmt: skip
    plain = read(f"grid:\n{options}")
    assert _ids(plain, "engine") == ["threads:1", "threads:2"]
    assert _ids(plain, "motor") == [""]


_axis = st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True)


@given(common=st.lists(_axis, max_size=3), first=st.lists(_axis, max_size=2),
       second=st.lists(_axis, max_size=2))  # fmt: skip
def test_no_combination_is_lost_or_doubled(
    common: list[list[int]], first: list[list[int]], second: list[list[int]]
) -> None:
    """As many as the products say, all different, in an order that is that of their values."""
    backend = Axis(path=("backend",), values=("engine", "motor"), origin="grid.yaml:1")
    lists = [(f"c{n}", values) for n, values in enumerate(common)]
    lists += [(f"backends.engine.e{n}", values) for n, values in enumerate(first)]
    lists += [(f"backends.motor.m{n}", values) for n, values in enumerate(second)]
    axes = [
        Axis(path=tuple(name.split(".")), values=tuple(values), origin="grid.yaml:2")
        for name, values in lists
    ]
    grid = Grid(path=Path("grid.yaml"), axes=(backend, *axes), base=Layers())

    found = list(grid.combinations("nobody"))

    count = prod(map(len, common)) * (prod(map(len, first)) + prod(map(len, second)))
    assert len(found) == count
    assert len({one.id for one in found}) == count
    assert len({repr(_values(one)) for one in found}) == count
    places = [
        tuple(axis.values.index(one.values[axis.path].value) if axis.path in one.values else 0
              for axis in grid.axes)
        for one in found
    ]  # fmt: skip
    assert places == sorted(places)


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("strict: [true, false]", ["strict:true", "strict:false"]),
        ("workload.requests: [null, 4]", ["requests:null", "requests:4"]),
        ("workload.temperature: [0.5, 1]", ["temperature:0.5", "temperature:1"]),
        ("model: [./models/small, org/large]", ["./models/small", "org/large"]),
        (f"model: [{'m' * 61}, short]", ["0", "short"]),
        ('model: ["two\\nlines"]', ["0"]),
        ("workload.prompts: [[a, b], [c]]", ["prompts:0", "prompts:1"]),
        ("workload: [{name: chat}, {output_tokens: 2}]", ["chat", "1"]),
        ("workload: [{name: x, seed: 1}, {name: x}]", ["x_0", "x_1"]),
        ("batch_size: [1, 1]", ["1_0", "1_1"]),
        ("{seed: [1], workload.seed: [2]}", ["seed:1-workload.seed:2"]),
        ("backends.engine.extra: [{depth: 1}, null]", ["extra:0", "extra:null"]),
        ("backends.engine.extra.depth: [1, 2]", ["depth:1", "depth:2"]),
    ],
)
def test_an_id_is_short_and_tells_combinations_apart(read: Read, text: str, ids: list[str]) -> None:
    """Axes stand with their value alone, others with the last part of their name."""
    assert _ids(read(f"grid: {text}" if text[0] == "{" else f"grid:\n  {text}\n")) == ids


def test_a_grid_can_be_extended(read: Read, write: Write) -> None:
    """A list takes the place of the one in the file below, and others are kept."""
    write("batch_size: 2\ngrid: {precision: [a], batch_size: {start: 1, stop: 4, factor: 2}}\n",
          "base.yaml")  # fmt: skip
    grid = read("_extends: base.yaml\ngrid: {batch_size: [16]}\n")
    assert [(axis.name, axis.values) for axis in grid.axes] == [
        ("precision", ("a",)), ("batch_size", (16,)),
    ]  # fmt: skip
    assert [Path(axis.origin).name for axis in grid.axes] == ["base.yaml:2", "grid.yaml:2"]
    assert grid.base.nested() == {"batch_size": 2}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("batch_size: 1", (" has no `grid`, so nothing varies; name there what does, or give the "
         "file to --lem-config")),
        ("grid:", ":1: `grid` takes settings, and a list for each"),
        ("grid: {}", ":1: `grid` takes settings, and a list for each"),
        ("grid: [1]", ":1: `grid` takes settings, and a list for each"),
        ("grid:\n  measur: {rounds: [1]}",
         ":2: unknown key `measur.rounds`: did you mean `measure`?"),
        ("grid:\n  measure.round: [1]", ":2: unknown key `measure.round`: did you mean `rounds`?"),
        ("grid:\n  measure:\n  - {round: 1}",
         ":3: unknown key `measure.round`: did you mean `rounds`?"),
        ("grid:\n  batch_size.x: [1]", ":2: `batch_size` has no part `x`"),
        ("grid:\n  measure: [1]",
         ":2: `measure` is a section, so each of its values is a mapping, not 1"),
        ("grid:\n  backends: [{engine: {}}]",
         (":2: `backends` has a section for each backend; name the one that varies, such as "
         "`backends.transformers`")),
        ("grid:\n  backends.engin.threads: [1]",
         ":2: there is no backend `engin`: did you mean `engine`?"),
        ("grid:\n  backends.engine.thread: [1]",
         ":2: unknown key `backends.engine.thread`: did you mean `threads`?"),
        ("grid:\n  backend: [engine, engin]",
         ":2: there is no backend `engin`: did you mean `engine`?"),
        ("grid:\n  backend: [motor]\n  backends.engine.threads: [1]",
         (":3: `backends.engine.threads` varies nothing, since no combination has the backend "
         "`engine`; add it to `grid.backend`, or take this out")),
        ("grid:\n  batch_size: []", ":2: `batch_size` has no value; give one or several"),
        ("grid:\n  batch_size: 8",
         (":2: `batch_size` takes a list of values, or a range such as {start: 1, stop: 64, "
         "factor: 2}, not 8")),
        ("grid:\n  measure: {rounds: 8}",
         (":2: `measure.rounds` takes a list of values, or a range such as {start: 1, stop: 64, "
         "factor: 2}, not 8")),
        ("grid: {start: 1, stop: 2, step: 1}",
         (":1: `start` takes a list of values, or a range such as {start: 1, stop: 64, factor: 2}, "
         "not 1")),
        ("grid:\n  workload.prompts: [a, b]",
         (":2: `workload.prompts` is a list itself, so it varies over a list of lists, not over "
         "'a'")),
        ("grid:\n  batch_size: [1]\n  batch_size: [2]",
         ":3: the key `batch_size` stands here a second time; keep one"),
        ("grid:\n  measure: {rounds: [1]}\n  measure.rounds: [2]",
         ":3: `measure.rounds` is set already at grid.yaml:2; keep one of the two"),
        ("grid:\n  measure.rounds: {start: 1, stop: 2, step: 1}\n  measure: {rounds: [2]}",
         ":3: `measure.rounds` is set already at grid.yaml:2; keep one of the two"),
        ("grid:\n  workload: [{name: x}]\n  workload.name: [y]",
         ":3: `workload.name` is set already at grid.yaml:2; keep one of the two"),
        ("batch_size: 1\ngrid:\n  batch_size: [2]",
         ":3: `batch_size` is set already at grid.yaml:1; keep one of the two"),
        ("grid:\n  energy.meters: [[auto], [rapl]]",
         (":2: `energy.meters` holds for all tests of a session, so it cannot vary in one; run "
         "pytest once for each value")),
        ("grid:\n  measure: [{gap_s: 1}]",
         (":2: `measure.gap_s` holds for all tests of a session, so it cannot vary in one; run "
         "pytest once for each value")),
        ("grid:\n  batch_size: {start: 1, stop: 4, factr: 2}",
         ":2: unknown key `factr` of the range `batch_size`: did you mean `factor`?"),
        ("grid:\n  batch_size: {start: 1, stop: 4}",
         ":2: `batch_size`: a range takes start, stop, and either step or factor"),
        ("grid:\n  batch_size: {start: 1, stop: 4, step: 1, factor: 2}",
         ":2: `batch_size`: a range takes start, stop, and either step or factor"),
        ("grid:\n  batch_size: {start: 1, stop: four, step: 1}",
         ":2: `batch_size`: `stop` of a range is a number, not 'four'"),
        ("grid:\n  batch_size: {start: 1, stop: .inf, step: 1}",
         ":2: `batch_size`: `stop` of a range is a number, not inf"),
        ("grid:\n  batch_size: {start: 1, stop: 64, factor: 1}",
         ":2: `batch_size`: from 1 to 64 by the factor 1 is a range that never ends"),
        ("grid:\n  batch_size: {start: 0, stop: 64, factor: 2}",
         ":2: `batch_size`: from 0 to 64 by the factor 2 is a range that never ends"),
        ("grid:\n  batch_size: {start: 64, stop: 1, factor: 2}",
         ":2: `batch_size`: from 64 to 1 by the factor 2 is a range that never ends"),
        ("grid:\n  batch_size: {start: 1, stop: 64, step: -1}",
         ":2: `batch_size`: from 1 to 64 by the step -1 is a range that never ends"),
        ("grid:\n  batch_size: {start: 1, stop: 64, step: 0}",
         ":2: `batch_size`: from 1 to 64 by the step 0 is a range that never ends"),
        ("grid:\n  batch_size: {start: 1, stop: 99999, step: 1}",
         ":2: `batch_size`: from 1 to 99999 are more than 10000 values"),
        (("grid:\n  seed: {start: 1, stop: 101, step: 1}\n"
         "  batch_size: {start: 1, stop: 100, step: 1}"),
         ": this grid makes 10100 combinations, and 10000 are the most; take values out"),
    ],
)  # fmt: skip
def test_a_mistake_is_one_sentence_with_its_line(
    read: Read, sentence: Sentence, text: str, expected: str
) -> None:
    """Nothing is guessed and nothing is left out in silence."""
    assert sentence(read, text) == f"grid.yaml{expected}"


def test_a_setting_of_an_extended_file_may_vary(read: Read, write: Write) -> None:
    """Only one file that says the same twice contradicts itself."""
    write("batch_size: 1\n", "base.yaml")
    assert _ids(read("_extends: base.yaml\ngrid: {batch_size: [2, 4]}\n")) == ["2", "4"]
