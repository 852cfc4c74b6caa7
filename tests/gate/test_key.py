"""The key of a history: what must agree, and what is meant to differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.errors import LemError
from pytest_lem.gate.key import Difference, UnderTest, differences, identity, unknown_facts
from pytest_lem.results.comparability import FACTS
from pytest_lem.results.entry import Entry

Make = Callable[..., Any]
NOTHING = UnderTest([])
KNOWN = {"backend.version": "1", "model.sha256": "aa"}


def test_without_names_the_identity_is_that_of_all_settings(entry: Make) -> None:
    """Each setting tells cases apart, and so does their kind."""
    one: Entry = entry()
    assert identity("infer", one.settings, NOTHING) == one.digest
    assert identity("serve", one.settings, NOTHING) != one.digest
    for name in one.settings:
        assert identity("infer", {**one.settings, name: "other"}, NOTHING) != one.digest


def test_what_is_under_test_tells_no_cases_apart(entry: Make) -> None:
    """Two precisions are one case, and everything else is still told apart."""
    before, now = entry().settings, entry(settings={"precision": "int8"}).settings
    under_test = UnderTest(["precision"])
    assert identity("infer", before, under_test) == identity("infer", now, under_test)
    assert identity("infer", before, NOTHING) != identity("infer", now, NOTHING)
    other = {**now, "model": "org/large"}
    assert identity("infer", other, under_test) != identity("infer", now, under_test)


@pytest.mark.parametrize(
    ("name", "covered", "left"),
    [
        ("options", ["options", "options.dtype", "options.rope.theta"], ["option", "options_2"]),
        ("options.rope", ["options.rope", "options.rope.theta"], ["options", "options.rope_2"]),
        ("backend", ["backend", "backend.version"], ["backends", "x.backend"]),
        ("backend.version", ["backend.version"], ["backend", "backend.versions"]),
        ("model", ["model", "model.sha256", "model.revision"], ["models.sha256"]),
    ],
)
def test_a_name_covers_what_stands_below_it(name: str, covered: list[str], left: list[str]) -> None:
    """Below means after a dot: a name that only begins alike is another one."""
    under_test = UnderTest([name])
    assert [field for field in [*covered, *left] if under_test.covers(field)] == covered


def test_fields_are_either_under_test_or_must_agree() -> None:
    """The two parts make the whole, with several names as with one."""
    fields = {"backend.version": "2", "gpu.name": ["B"], "options.a": 1, "options.b": 2}
    under_test = UnderTest(["options", "backend.version"])
    assert under_test.rest(fields) == {"gpu.name": ["B"]}
    assert under_test.chosen(fields) == {"backend.version": "2", "options.a": 1, "options.b": 2}
    assert (NOTHING.rest(fields), NOTHING.chosen(fields)) == (fields, {})


@pytest.mark.parametrize(
    "name",
    [
        *FACTS, "backend", "batch_size", "gpu", "method", "model", "name", "options",
        "options.gpu_memory_utilization", "precision", "unit", "workload", "workload.name",
        "meter.nvml",
    ],
)  # fmt: skip
def test_every_field_of_a_case_can_be_named(name: str) -> None:
    """Facts, settings, groups of facts, and whatever a backend has for options."""
    assert UnderTest([name]).names == (name,)


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("backend.versoin", "backend.version"),
        ("precison", "precision"),
        ("gpu.powerlimit_w", "gpu.power_limit_w"),
        ("driver_branch", "driver.branch"),
    ],
)
def test_an_unknown_name_is_answered_with_the_near_one(name: str, near: str) -> None:
    """A name that covers nothing would quietly test nothing."""
    with pytest.raises(LemError) as caught:
        UnderTest(["precision", name], "--lem-under-test")
    assert caught.value.kind == "config"
    assert str(caught.value) == f"--lem-under-test: no field {name!r}; did you mean `{near}`?"


def test_a_name_like_no_other_is_answered_with_all() -> None:
    """The origin is where it was written."""
    with pytest.raises(LemError, match=r"^lem\.toml: no field 'zzz'; known: .*backend\.version.*"):
        UnderTest(["zzz"], "lem.toml")


def test_differences_are_told_from_what_to_what() -> None:
    """By name, those that agree left out, those of one side alone as unknown on the other."""
    before = {"b": 1, "same": 2, "gone": True, "gpu.name": ["X", None], "none": []}
    now = {"b": 3, "same": 2, "a": "new", "gpu.name": ["Y", "Z"], "none": [1]}
    found = differences(before, now)
    assert found[0] == Difference("a", None, "new")
    assert [str(difference) for difference in found] == [
        "a: unknown -> new",
        "b: 1 -> 3",
        "gone: True -> unknown",
        "gpu.name: X, unknown -> Y, Z",
        "none: none -> 1",
    ]


def test_nothing_differs_from_itself() -> None:
    """Nor is what is null told from what is not there."""
    assert differences({"a": [1], "b": None}, {"a": [1]}) == []


@pytest.mark.parametrize(
    ("kind", "facts", "unknown"),
    [
        ("infer", KNOWN, []),
        ("infer", {**KNOWN, "model.sha256": None}, ["model.sha256"]),
        ("infer", {**KNOWN, "model.sha256": None, "model.revision": "main"}, []),
        ("infer", {**KNOWN, "backend.version": None}, ["backend.version"]),
        ("infer", {}, ["backend.version", "model.sha256"]),
        ("infer", {**KNOWN, "gpu.count": 2, "gpu.name": ["A", "B"]}, []),
        ("infer", {**KNOWN, "gpu.count": 2, "gpu.name": ["A", None]}, ["gpu.name"]),
        ("infer", {**KNOWN, "gpu.count": 1}, ["gpu.name"]),
        ("call", {}, []),
        ("call", {"gpu.count": 0}, []),
        ("call", {"gpu.count": 1, "gpu.name": [None]}, ["gpu.name"]),
    ],
)
def test_facts_that_have_to_be_known(kind: str, facts: dict[str, Any], unknown: list[str]) -> None:
    """Of a model its version and contents, of a board its name; a callable has neither."""
    assert unknown_facts(kind, facts) == unknown
