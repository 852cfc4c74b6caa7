"""What was asked for, compared with what the engine says."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.errors import FailureKind
from pytest_lem.measure.applied import batch_difference, load_differences, refused

_SCALARS = st.none() | st.booleans() | st.integers() | st.text()
_SCALARS |= st.floats(allow_nan=False, allow_infinity=False)
_VALUES = st.recursive(
    _SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)


def _differences(options: dict[str, Any], told: dict[str, Any] | None) -> list[str]:
    """Return the differences of options as sentences."""
    spec = LoadSpec(backend="lib", model="m", precision="float32", options=options)
    return [str(found) for found in load_differences(spec, {"options": told})]


def _is_told_apart(asked: Any, found: Any) -> bool:
    return bool(_differences({"x": asked}, {"x": found}))


def test_a_difference_has_its_name_and_both_values() -> None:
    """The sentence is enough to act on."""
    assert _differences(
        {"attention": "flash", "threads": 2}, {"attention": "eager", "threads": 2}
    ) == ["`backends.lib.attention`: asked for flash, in force is eager"]


def test_precision_is_compared_where_the_engine_tells_it() -> None:
    """It comes first; an engine that is silent about it is not suspected."""
    spec = LoadSpec(backend="lib", model="m", precision="float32", options={"x": 1})

    (precision, option) = load_differences(spec, {"precision": "float16", "options": {"x": 2}})

    assert (precision.name, precision.asked, precision.in_force) == (
        "precision",
        "float32",
        "float16",
    )
    assert option.name == "backends.lib.x"
    assert load_differences(spec, {}) == []


@pytest.mark.parametrize(
    ("stored", "found", "told"),
    [
        ("fp8", None, ["`quantization of the model's files`: asked for fp8, in force is None"]),
        ("fp8", {"quant_method": "fp8"}, []),
        (None, None, []),
    ],
)
def test_files_that_are_quantised_ask_to_be_run_so(
    stored: str | None, found: dict[str, Any] | None, told: list[str]
) -> None:
    """Though no setting says so; an engine that found nothing quantised did otherwise."""
    spec = LoadSpec(backend="lib", model="m", precision="float32", options={})
    applied = {"stored_quantization": stored, "quantization": found}

    assert [str(difference) for difference in load_differences(spec, applied)] == told


@pytest.mark.parametrize("asked", [None, "auto", {}])
def test_what_leaves_the_choice_open_differs_from_nothing(asked: Any) -> None:
    """Null, `auto` and an empty mapping ask for nothing, whatever is in force."""
    assert not _is_told_apart(asked, "eager")
    assert not _is_told_apart({"inside": asked}, {"inside": "eager"})


def test_none_in_force_is_a_difference() -> None:
    """An engine that says it runs without what was asked for does not run as asked."""
    assert _is_told_apart("fp8", None)
    assert _is_told_apart({"mode": 3}, None)


def test_what_is_not_told_is_not_compared() -> None:
    """A missing name is silence, on its own and within a mapping."""
    assert _differences({"python": "/usr/bin/python3"}, {}) == []
    assert _differences({"python": "/usr/bin/python3"}, None) == []
    assert (
        _differences({"kwargs": {"use_safetensors": True, "width": 8}}, {"kwargs": {"width": 8}})
        == []
    )


def test_a_mapping_is_compared_by_what_was_asked_of_it() -> None:
    """The key that differs is named; what the engine tells beyond it was not asked for."""
    asked = {"compilation": {"mode": 3, "graphs": {"sizes": [1, 2]}}}
    told = {"compilation": {"mode": 3, "graphs": {"sizes": [1]}, "backend": "inductor"}}

    assert _differences(asked, told) == [
        "`backends.lib.compilation.graphs.sizes`: asked for [1, 2], in force is [1]"
    ]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (1, 1.0),
        (0.9, 0.9),
        ([1, 2], (1, 2)),
        ([{"a": 1}], [{"a": 1.0}]),
        ({0: "16GiB"}, {"0": "16GiB"}),
        (0.1, struct.unpack("f", struct.pack("f", 0.1))[0]),
    ],
)
def test_one_value_may_be_written_in_several_ways(asked: Any, found: Any) -> None:
    """A number as a float, a tuple as a list, a key as text, a float of 32 bits."""
    assert not _is_told_apart(asked, found)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (True, 1),
        (1, True),
        (False, 0),
        (0, False),
        ([True], [1]),
        (1, "1"),
        (0, None),
        ("", None),
        ([], None),
        ([1, 2], [2, 1]),
        ([1], [1, 1]),
        ([{"a": 1}], [{"a": 1, "b": 2}]),
        (2**53, 2**53 + 1),
        (1000000, 1000001),
        (0.9, 0.900001),
        ("Eager", "eager"),
        ("ab", ["a", "b"]),
    ],
)
def test_other_values_are_told_apart(asked: Any, found: Any) -> None:
    """A bool is no number, a number no text, nothing is not zero, and order counts."""
    assert _is_told_apart(asked, found)


@given(st.dictionaries(st.text(), _VALUES))
def test_what_is_told_as_it_was_asked_never_differs(options: dict[str, Any]) -> None:
    """Whatever was asked for, its way through JSON and back is no difference."""
    assert _differences(options, json.loads(json.dumps(options))) == []


@given(st.floats(width=32, allow_nan=False, allow_infinity=False), st.floats(1.00001, 2))
def test_floats_are_compared_as_closely_as_32_bits_allow(value: float, factor: float) -> None:
    """A factor that 32 bits can hold is a difference."""
    assert _is_told_apart(value, value * factor) == (value != value * factor)


@given(_SCALARS, _SCALARS)
def test_a_difference_does_not_depend_on_the_side(one: Any, other: Any) -> None:
    """Unless it asks for nothing, a value differs from another as that one from it."""
    if one not in (None, "auto") and other not in (None, "auto"):
        assert _is_told_apart(one, other) == _is_told_apart(other, one)


def test_a_batch_is_compared_with_what_ran_together() -> None:
    """Fewer at once than asked for is a difference; an unknown number is none."""
    (found,) = batch_difference(8, 3)

    assert str(found) == "`batch_size`: asked for 8, in force is 3"
    assert batch_difference(8, 8) == batch_difference(8, None) == []


def test_the_error_of_strict_mode_has_every_difference() -> None:
    """One sentence with all of them and both ways out, as a mistake in what was asked for."""
    error = refused([*batch_difference(8, 3), *batch_difference(4, 1)])

    assert error.kind is FailureKind.CONFIG
    assert str(error) == (
        "the engine does not run as it was asked to (`batch_size`: asked for 8, in force is 3; "
        "`batch_size`: asked for 4, in force is 1); ask for what it can do, or set `strict` to "
        "false to measure it all the same"
    )
