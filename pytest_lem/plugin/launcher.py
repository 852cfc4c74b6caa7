"""Launchers that start pytest several times, such as torchrun."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

#: What torchrun, `accelerate launch` and others tell each process that they start.
_RANK, _COUNT = "RANK", "WORLD_SIZE"


def refuse_launcher(variables: Mapping[str, str]) -> None:
    """Refuse to be one of several processes of a launcher.

    Each would run every test, and wait for the others to leave the machine to it, or measure them.
    """
    rank, count = variables.get(_RANK), variables.get(_COUNT, "1")
    if rank is None or count == "1":
        return
    raise pytest.UsageError(
        f"pytest was started as rank {rank} of {count} processes (by torchrun, for instance), each "
        "of which would run every test and be in the figures of the others; start pytest by itself "
        f"with --lem-set=backends.transformers.processes={count}, which starts the processes of "
        f"the model, or take {_RANK} and {_COUNT} out of the environment"
    )
