"""Identity of cases: digest and key."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.case import Case, call_case, digest, infer_case

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

WORDS = st.text("abc_", min_size=1, max_size=4)
PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=12,
)


def _infer(**changes: Any) -> Case:
    fields = {
        "backend": "transformers",
        "model": "org/small-model",
        "precision": "float32",
        "batch_size": 8,
        "workload": {"name": "default", "output_tokens": 64},
        "options": {},
    }
    return infer_case(**{**fields, **changes})


def _shuffled(value: Any, *, null: str) -> Any:
    """Turn the order of all keys around, and put a null beside them."""
    if isinstance(value, dict):
        turned = {key: _shuffled(inner, null=null) for key, inner in reversed(value.items())}
        return {null: None, **turned}
    return [_shuffled(inner, null=null) for inner in value] if isinstance(value, list) else value


@deterministic
@given(st.dictionaries(WORDS, PLAIN, max_size=4))
def test_digest_ignores_the_order_of_keys_and_nulls(settings_: dict[str, Any]) -> None:
    """Settings that a later release adds with the default None leave old digests as they were."""
    assert digest(settings_) == digest(_shuffled(settings_, null="added later"))


def test_digest_keeps_nulls_and_order_in_lists() -> None:
    """A list is a sequence: a null in it has a place, and the places matter."""
    assert len({digest([1, None, 2]), digest([1, 2]), digest([2, 1])}) == 3


def test_digest_is_the_same_for_ever() -> None:
    """Baselines are found by it, so the text that is hashed may not change."""
    text = rb'{"a":"\u00e9","b":[1,2.5]}'
    assert digest({"b": [1, 2.5], "a": "é"}) == hashlib.sha256(text).hexdigest()


def test_digest_refuses_what_is_not_a_number() -> None:
    """NaN is unequal to itself and cannot name anything."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        digest({"a": float("nan")})


@pytest.mark.parametrize(
    "change",
    [
        {"backend": "vllm"},
        {"model": "other/small-model"},
        {"precision": "bfloat16"},
        {"batch_size": 9},
        {"workload": {"name": "default", "output_tokens": 65}},
        {"options": {"attn_implementation": "eager"}},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_setting_changes_digest_and_key(change: dict[str, Any]) -> None:
    """Two cases that differ in one setting are two cases, also where their labels agree."""
    assert _infer(**change).digest != _infer().digest
    assert _infer(**change).key != _infer().key


def test_infer_key_is_readable_and_ends_in_the_short_digest() -> None:
    """The key names backend, model without its owner, precision, batch and workload."""
    case = _infer(model="org/small-model/")
    assert case.key == f"infer/transformers/small-model/float32/b8/default-{case.digest[:8]}"


@deterministic
@given(name=st.text(min_size=1), unit=st.none() | st.text(min_size=1))
def test_call_key_is_its_name_whatever_the_unit(name: str, unit: str | None) -> None:
    """The key of a call is the name it was given, to the letter."""
    assert call_case(name, unit=unit).key == name


def test_call_digest_tells_units_and_kinds_apart() -> None:
    """The unit defines a call, and the kind any case."""
    call = call_case("f", unit="token")
    same_settings = Case(kind="serve", label="f", settings=call.settings)
    assert len({call.digest, call_case("f").digest, same_settings.digest}) == 3


def test_the_four_common_settings_are_always_there() -> None:
    """A case of a kind without backend and model says so with nulls."""
    common = ("backend", "model", "precision", "batch_size")
    assert {name: call_case("f").settings[name] for name in common} == dict.fromkeys(common)
    assert all(_infer().settings[name] is not None for name in common)
