"""All that is checked before a load."""

from __future__ import annotations

from pytest_lem.measure.preflight.context import check_context
from pytest_lem.measure.preflight.division import check_devices, check_heads, check_layers
from pytest_lem.measure.preflight.hardware import (
    check_capability,
    check_cuda,
    check_fp8,
    check_shm,
    check_strangers,
)
from pytest_lem.measure.preflight.job import Job
from pytest_lem.measure.preflight.size import check_size

#: What will surely fail, or falsify the figures, is refused with a LemError.
_REFUSING = (
    check_cuda,
    check_devices,
    check_heads,
    check_layers,
    check_capability,
    check_context,
)
#: What may do so is doubted; a size may also be refused.
_DOUBTING = (check_size, check_fp8, check_shm, check_strangers)


def doubts_about(job: Job) -> list[str]:
    """Return a sentence for each doubt; raises LemError for what cannot be."""
    for refuse in _REFUSING:
        refuse(job)
    return [sentence for doubt in _DOUBTING for sentence in doubt(job)]
