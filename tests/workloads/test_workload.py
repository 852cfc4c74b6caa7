"""What one repetition asks of the model."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_lem.case import digest
from pytest_lem.workloads.prompts import DEFAULT_PROMPTS
from pytest_lem.workloads.workload import Workload

deterministic = settings(derandomize=True, deadline=None, max_examples=100)

ABC = Workload(prompts=("a", "b", "c"))


@pytest.mark.parametrize(
    ("requests", "batch_size", "batches"),
    [
        (None, 1, [["a"]]),
        (None, 2, [["a", "b"]]),
        (None, 5, [["a", "b", "c", "a", "b"]]),
        (4, 2, [["a", "b"], ["c", "a"]]),
        (3, 2, [["a", "b"], ["c"]]),
        (2, 8, [["a", "b"]]),
    ],
)
def test_prompts_are_sent_in_order_and_repeat_when_they_run_out(
    requests: int | None, batch_size: int, batches: list[list[str]]
) -> None:
    """Without a number of requests, one repetition is one full batch."""
    found = replace(ABC, requests=requests).batches(batch_size)
    assert [[prompt.text for prompt in batch] for batch in found] == batches


@deterministic
@given(requests=st.integers(1, 50), batch_size=st.integers(1, 20))
def test_batch_size_divides_the_same_requests_differently(requests: int, batch_size: int) -> None:
    """Only the last batch may be smaller, and what is sent does not depend on the batch size."""
    batches = replace(ABC, requests=requests).batches(batch_size)
    assert list(itertools.chain(*batches)) == replace(ABC, requests=requests).batches(requests)[0]
    assert all(len(batch) == batch_size for batch in batches[:-1])
    assert 1 <= len(batches[-1]) <= batch_size


def test_prompts_that_are_not_sent_do_not_count() -> None:
    """A batch of two is the same workload whatever the third prompt would have been."""
    other = replace(ABC, prompts=("a", "b", "changed"))
    assert ABC.canonical(2) == other.canonical(2)
    assert ABC.canonical(3) != other.canonical(3)


@pytest.mark.parametrize(
    ("one", "other"),
    [(("a", "b"), ("b", "a")), (("ab", "c"), ("a", "bc")), (("é",), ("e\u0301",))],
    ids=["order", "boundaries", "bytes"],
)
def test_the_exact_prompts_count(one: tuple[str, ...], other: tuple[str, ...]) -> None:
    """Order, boundaries and bytes of the texts define the workload."""
    assert Workload(prompts=one).canonical(2) != Workload(prompts=other).canonical(2)


def test_the_canonical_form_holds_no_prompt_itself() -> None:
    """Keys and digests carry a hash, so that private prompts stay out of results."""
    assert "a secret prompt" not in str(Workload(prompts=("a secret prompt",)).canonical(1))


@pytest.mark.parametrize(
    "change",
    [
        {"name": "other"},
        {"input_tokens": 5},
        {"output_tokens": 65},
        {"min_output_tokens": 3},
        {"ignore_eos": False},
        {"temperature": 0.5},
        {"top_p": 0.9},
        {"seed": 43},
        {"chat": False},
        {"streaming": False},
        {"requests": 7},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_defines_the_workload(change: dict[str, Any]) -> None:
    """Two workloads that differ in any field beside the prompts have different digests."""
    changed = replace(Workload(), **change).canonical(1)
    assert digest(changed) != digest(Workload().canonical(1))


def test_every_field_is_in_the_canonical_form() -> None:
    """A field added later cannot be forgotten: it is in the form, the prompts by their hash."""
    hashed = {"prompts", "prompt_tokens"}
    names = {field.name for field in fields(Workload)} - hashed | {"prompts_sha256"}
    assert set(Workload().canonical(1)) == names


@pytest.mark.parametrize("given_prompts", [{}, {"prompts": None}, {"prompts": []}])
def test_prompts_left_out_are_the_shipped_ones(given_prompts: dict[str, Any]) -> None:
    """Whoever names no prompts gets those of the project."""
    assert Workload.from_plain({**given_prompts, "seed": 1}).prompts == DEFAULT_PROMPTS


def test_plain_form_makes_the_same_workload_again() -> None:
    """A workload reaches the host process unchanged."""
    workload = Workload(name="w", prompts=("a", "é"), requests=3, temperature=0.7, top_p=0.5)
    assert Workload.from_plain(workload.plain()) == workload


def test_shipped_prompts_differ_from_each_other() -> None:
    """A batch of the default workload does not send the same text twice before it has to."""
    assert len(set(DEFAULT_PROMPTS)) == len(DEFAULT_PROMPTS) >= 16


def test_importing_needs_the_standard_library_only() -> None:
    """The host process may run under an interpreter that has nothing but its engine."""
    code = (
        "import sys; before = set(sys.modules); import pytest_lem.workloads.workload; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - sys.stdlib_module_names - {'pytest_lem'}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
