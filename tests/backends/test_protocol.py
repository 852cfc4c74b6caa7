"""What makes two loads the same."""

from dataclasses import replace

import pytest

from pytest_lem.backends.protocol import LoadSpec

SPEC = LoadSpec(backend="ngram", model="m", precision="float64", options={"order": 2})


def test_the_batch_size_is_no_part_of_a_load():
    """Cases that differ in the batch size alone share a load."""
    assert replace(SPEC, max_batch_size=64) == SPEC


@pytest.mark.parametrize(
    "change",
    [{"backend": "x"}, {"model": "x"}, {"precision": "x"}, {"options": {"order": 3}}],
    ids=lambda change: next(iter(change)),
)
def test_everything_else_is(change):
    """Backend, model, precision and each option make another load."""
    assert replace(SPEC, **change) != SPEC
