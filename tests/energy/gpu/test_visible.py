"""What CUDA_VISIBLE_DEVICES stands for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.gpu.visible import visible_uuids
from pytest_lem.errors import FailureKind, LemError

Make = Callable[..., Any]
ALIKE = {uuid: {"Name": "H100"} for uuid in ("GPU-aa1", "GPU-aa2", "GPU-bb3")}
MIXED = {"GPU-aa1": {"Name": "H100"}, "GPU-bb3": {"Name": "T4"}}
SLICES = {"MIG-1": "GPU-aa1", "MIG-2": "GPU-bb3"}


@pytest.mark.parametrize(
    ("variable", "uuids"),
    [
        (None, ["GPU-aa1", "GPU-aa2", "GPU-bb3"]),
        ("", []),
        ("2,0", ["GPU-bb3", "GPU-aa1"]),
        (" 2 , +0", ["GPU-bb3", "GPU-aa1"]),
        ("2gpu", ["GPU-bb3"]),
        ("-1", []),
        ("0,2,-1,1", ["GPU-aa1", "GPU-bb3"]),
        ("0,3,1", ["GPU-aa1"]),
        ("0,,1", ["GPU-aa1"]),
        ("none,0", []),
        ("0,1,0", []),
        ("0,-1,0", ["GPU-aa1"]),
        ("GPU-bb3,GPU-aa1", ["GPU-bb3", "GPU-aa1"]),
        ("GPU-b", ["GPU-bb3"]),
        ("GPU-aa", []),
        ("GPU-bb,GPU-aa,GPU-aa2", ["GPU-bb3"]),
        ("GPU-zz,GPU-aa1", []),
        ("GPU-bb3,GPU-b", []),
        ("GPU-bb3,0", ["GPU-bb3"]),
        ("0,GPU-bb3", ["GPU-aa1"]),
        ("MIG-2", ["MIG-2"]),
        ("MIG-1,MIG-9,MIG-2", ["MIG-1"]),
        ("MIG-1,MIG-1", []),
        ("MIG-GPU-bb3/1/0", ["MIG-GPU-bb3/1/0"]),
        ("MIG-GPU-zz/1/0", []),
    ],
)
def test_the_variable_stands_for_these_gpus(
    driver: Make, variable: str | None, uuids: list[str]
) -> None:
    """In its order, up to its first invalid entry; a device named twice hides all."""
    assert visible_uuids(driver(ALIKE, parents=SLICES), variable) == uuids


@pytest.mark.parametrize("order", [None, "FASTEST_FIRST", "other"])
def test_an_index_among_different_boards_is_refused_with_what_to_do(
    driver: Make, order: str | None
) -> None:
    """CUDA counts from the fastest board, which the driver does not tell."""
    with pytest.raises(LemError, match=r"number 1 .* CUDA_DEVICE_ORDER=PCI_BUS_ID") as caught:
        visible_uuids(driver(MIXED), "1", order=order)
    assert caught.value.kind is FailureKind.METER


def test_boards_without_names_may_differ(driver: Make) -> None:
    """What is not known is not taken for equal."""
    with pytest.raises(LemError):
        visible_uuids(driver({"GPU-a": {}, "GPU-b": {}}), "0")


def test_an_index_counts_by_bus_where_cuda_is_told_to(driver: Make) -> None:
    """Then CUDA and the driver count alike."""
    assert visible_uuids(driver(MIXED), "1,0", order="PCI_BUS_ID") == ["GPU-bb3", "GPU-aa1"]


def test_a_single_board_has_but_one_number(driver: Make) -> None:
    """No order is needed, and no name."""
    assert visible_uuids(driver({"GPU-a": {}}), "0") == ["GPU-a"]


@pytest.mark.parametrize(
    ("variable", "uuids"), [(None, list(MIXED)), ("GPU-b", ["GPU-bb3"]), ("-1", []), ("7", [])]
)
def test_what_needs_no_counting_needs_no_order(
    driver: Make, variable: str | None, uuids: list[str]
) -> None:
    """Names are names, and an index beyond all boards is beyond them in any order."""
    assert visible_uuids(driver(MIXED), variable) == uuids
