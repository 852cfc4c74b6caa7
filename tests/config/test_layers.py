"""Layers of settings."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.config.layers import Layers, Sourced

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

KEYS = st.sampled_from("abc")
TREES = st.recursive(
    st.integers(0, 9),
    lambda inner: st.dictionaries(KEYS, inner, min_size=1, max_size=3),
    max_leaves=8,
)
MAPPINGS = st.dictionaries(KEYS, TREES, min_size=1, max_size=3)


def _layers(*trees: dict[str, Any]) -> Layers:
    layers = Layers()
    for number, tree in enumerate(trees):
        for key, value in tree.items():
            layers.put((key,), value, f"source {number}")
    return layers


def _merged(below: Any, above: Any) -> Any:
    """Merge as a person would: mappings by key, anything else is replaced."""
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    both = {key: _merged(below[key], above[key]) for key in below.keys() & above.keys()}
    return {**below, **above, **both}


@deterministic
@given(below=MAPPINGS, above=MAPPINGS)
def test_later_values_win_and_mappings_merge(below: dict[str, Any], above: dict[str, Any]) -> None:
    """Whether put one by one or laid over as a whole, layers merge like nested mappings."""
    put = _layers(below, above)
    laid = _layers(below)
    laid.update(_layers(above))
    assert put.nested() == laid.nested() == _merged(below, above)


@pytest.mark.parametrize(
    ("below", "above", "result"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": 3}, {"a": 3}),
        ({"a": 3}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": {"b": {"c": 1}}, "ab": 2}, {"a": {"b": 4}}, {"a": {"b": 4}, "ab": 2}),
        ({"a": [1, 2]}, {"a": [3]}, {"a": [3]}),
        ({"a": {"b": 1}}, {"a": {}}, {"a": {"b": 1}}),
        ({"a": 1}, {"a": {}}, {"a": {}}),
    ],
    ids=["folder", "leaf", "inner", "list", "empty-folder", "empty-leaf"],
)
def test_a_value_covers_what_it_replaces_and_no_more(
    below: dict[str, Any], above: dict[str, Any], result: dict[str, Any]
) -> None:
    """A value takes the place of a folder and the other way round; lists are values."""
    assert _layers(below, above).nested() == result


def test_origin_is_that_of_the_layer_on_top() -> None:
    """A replaced value is known by the source that replaced it, the others by their own."""
    layers = _layers({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}})
    assert layers.origin(("a", "b")) == "source 0"
    assert layers.origin(("a", "c")) == "source 1"


def test_origin_within_a_value_is_the_value_s_own() -> None:
    """A place inside a list has the origin of the list."""
    assert _layers({"a": [1, 2]}).origin(("a", "1")) == "source 0"


def test_origin_of_a_folder_is_that_of_the_value_laid_last_in_it() -> None:
    """What contradicts the layers below is most likely what came on top of them."""
    assert _layers({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}).origin(("a",)) == "source 1"


def test_origin_of_what_was_never_set_is_none() -> None:
    """A path without a value has no origin, also when its name begins like another."""
    assert _layers({"ab": 1}).origin(("a",)) is None


def test_a_copy_leaves_no_trace_in_the_original() -> None:
    """Settings of one test do not reach the next."""
    layers = _layers({"a": 1})
    layers.copy().put(("a",), 2, "test")
    assert layers.leaves == {("a",): Sourced(1, "source 0")}
