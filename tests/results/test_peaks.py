"""The peak of the boards in use, or why there is none."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.results.peaks import PEAKS, peak_of

BOARDS = {
    "GPU-a": {"name": "NVIDIA H200", "mig": 0},
    "GPU-b": {"name": "NVIDIA A100-SXM4-80GB", "mig": None},
    "GPU-t": {"name": "Tesla T4"},
    "GPU-s": {"name": "NVIDIA H200", "mig": 1},
    "GPU-v": {"name": "GRID A100-10C"},
    "MIG-c": {"name": "NVIDIA H200", "mig": 1},
}


def _applied(*uuids: str, **facts: Any) -> dict[str, Any]:
    return {"device": "cuda:0", "device_uuids": list(uuids), **facts}


@pytest.mark.parametrize(
    ("applied", "tera"),
    [
        (_applied("GPU-a", precision="bfloat16"), 989.5),
        (_applied("GPU-a", precision="float32"), 67.0),
        (_applied("GPU-a", precision="float32", precisions={"float32_matmul": "high"}), 494.5),
        (_applied("GPU-a", precision="float32", precisions={"float32_matmul": "highest"}), 67.0),
        (_applied("GPU-a", precision="float32", precisions={"activations": "float16"}), 989.5),
        (_applied("GPU-a", precision="float32", precisions={"compute": "bfloat16"}), 989.5),
        (_applied("GPU-a", precisions={"compute": "float8_e4m3fn", "quantised_modules": 4}),
         1979.0),
        (_applied("GPU-a", "GPU-b", precision="bfloat16"), 989.5 + 312.0),
        (_applied("GPU-t", precision="float16"), 65.0),
    ],
)  # fmt: skip
def test_a_peak_is_that_of_the_boards_in_the_precision_of_the_products(
    applied: dict[str, Any], tera: float
) -> None:
    """Several boards add up; TF32 counts where the engine says that it is in use."""
    assert peak_of(applied, BOARDS) == (pytest.approx(tera * 1e12), None)


@pytest.mark.parametrize(
    ("applied", "reason"),
    [
        ({"device": "cpu", "device_uuids": []}, "there is no peak for a CPU"),
        ({}, "it is not known on which boards it ran"),
        ({"device": "cuda:0"}, "it is not known on which boards it ran"),
        (_applied("GPU-a"), "it is not known in which precision it computes"),
        (_applied("GPU-a", precision="bfloat16", precisions={"quantised_modules": 3}),
         "it is not known in which precision quantised weights are multiplied"),
        (_applied("GPU-a", precision="q4_1"), "no peak is known here for the board H200 in q4_1"),
        (_applied("GPU-t", precision="bfloat16"),
         "no peak is known here for the board T4 in bfloat16"),
        (_applied("GPU-v", precision="float16"),
         "no peak is known here for the board GRID A100-10C in float16"),
        (_applied("GPU-x", precision="float16"),
         "no peak is known here for the board unknown in float16"),
        (_applied("GPU-a", "GPU-v", precision="float16"),
         "no peak is known here for the board GRID A100-10C in float16"),
        (_applied("GPU-s", precision="float16"), "a slice of a board has no peak of its own"),
        (_applied("MIG-c", precision="float16"), "a slice of a board has no peak of its own"),
    ],
)  # fmt: skip
def test_a_peak_that_is_not_known_has_a_reason(applied: dict[str, Any], reason: str) -> None:
    """One board of several that is not known leaves the sum unknown."""
    assert peak_of(applied, BOARDS) == (None, reason)


@pytest.mark.parametrize("board", PEAKS)
def test_narrower_numbers_are_at_least_as_fast(board: str) -> None:
    """A figure with sparsity, or in the wrong column, would stand out."""
    peaks = PEAKS[board]
    order = [peaks[n] for n in ("float32", "tf32", "bfloat16", "fp8", "int8") if n in peaks]
    assert order == sorted(order)
    assert peaks.get("bfloat16", peaks["float16"]) == peaks["float16"]
    assert peaks["float32"] > 1
    if "tf32" in peaks:
        assert peaks["bfloat16"] / peaks["tf32"] == pytest.approx(2, rel=0.05)
