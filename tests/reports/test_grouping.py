"""Grouping cases by their fields."""

from __future__ import annotations

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.reports.grouping import group_rows, shown
from pytest_lem.results.session import entries_of


@pytest.fixture
def groups():
    """Return a function that groups records and gives label and cases of each row."""

    def group(fields, *records):
        rows = group_rows(entries_of(records), fields, "--group-by")
        return [(tuple(row.labels.values()), len(row.entries)) for row in rows]

    return group


def test_cases_that_agree_make_a_group(model, groups):
    """Of several fields each combination that occurs."""
    records = [
        model(backend="vllm", batch_size=1),
        model(backend="vllm", batch_size=2),
        model(backend="transformers", batch_size=2),
        model(backend="vllm", batch_size=2, name="long"),
    ]
    assert groups(["backend"], *records) == [(("transformers",), 1), (("vllm",), 3)]
    assert groups(["backend", "batch_size"], *records) == [
        (("transformers", 2), 1),
        (("vllm", 1), 1),
        (("vllm", 2), 2),
    ]


def test_numbers_are_sorted_by_their_size(model, groups):
    """64 comes after 8, which texts would not; what a case does not have comes last."""
    records = [model(options={"x": x}) for x in (64, 8, "auto")]
    assert groups(["options.x"], *records, model()) == [
        ((8,), 1),
        ((64,), 1),
        (("auto",), 1),
        ((None,), 1),
    ]


def test_kind_key_and_tier_are_fields_too(model, call, groups):
    """They tell cases apart without being settings."""
    records = [model(), call("a"), call("b")]
    assert groups(["kind"], *records) == [(("call",), 2), (("infer",), 1)]
    assert groups(["tier"], *records) == [(("counter",), 3)]
    assert [label for (label,), _ in groups(["key"], call("b"), call("a"))] == ["a", "b"]


def test_a_name_stands_for_all_below_it(model, groups):
    """Cases agree when all of that does."""
    records = [model(options={"a": {"b": 1, "c": c}}, batch_size=n) for c in (2, 3) for n in (1, 2)]
    assert groups(["options.a"], *records) == [(({"b": 1, "c": 2},), 2), (({"b": 1, "c": 3},), 2)]
    assert groups(["options"], *records)[0] == (({"a.b": 1, "a.c": 2},), 2)


def test_a_truth_is_no_number(model, groups):
    """True and 1 are equal to Python and not to an engine."""
    records = [model(options={"x": x}) for x in (True, 1)]
    assert len(groups(["options.x"], *records)) == 2


def test_the_four_settings_of_every_case_are_never_unknown(call, groups):
    """A callable has no backend, and that is one group."""
    assert groups(["backend", "model", "precision", "batch_size"], call()) == [
        ((None, None, None, None), 1)
    ]


@pytest.mark.parametrize(
    ("field", "near"),
    [
        ("batchsize", "did you mean `batch_size`?"),
        ("output_tokens", "did you mean `workload.output_tokens`?"),
        ("workload.", "did you mean `workload`?"),
        ("zzz", "known: backend, batch_size, key, kind, "),
    ],
)
def test_an_unknown_field_is_a_sentence_with_what_is_near(model, groups, field, near):
    """It names where it was written."""
    with pytest.raises(LemError) as caught:
        groups(["backend", field], model())
    assert caught.value.kind is FailureKind.CONFIG
    sentence = f"--group-by: no case of the run has a field {field!r}; {near}"
    assert str(caught.value).startswith(sentence)


def test_values_are_shown_as_people_read_them():
    """Words of YAML rather than of Python."""
    assert [shown(v) for v in (None, True, 64, "[red]", {"a": 1, "b.c": False})] == [
        "-",
        "true",
        "64",
        "[red]",
        "a=1 b.c=false",
    ]
