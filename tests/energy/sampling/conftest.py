"""Sampling processes that are ended with their test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from pytest_lem.energy.sampling.sampler import Sampler


@pytest.fixture
def start() -> Iterator[Callable[..., Sampler]]:
    """Return a function that starts the sampling process, by default without boards."""
    with ExitStack() as stack:

        def started(*uuids: str, interval_s: float = 0.02, **roots: object) -> Sampler:
            sampler = Sampler(uuids, interval_s, **roots)
            stack.callback(sampler.close)
            return sampler

        yield started
