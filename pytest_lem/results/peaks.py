"""Peak arithmetic of NVIDIA boards, as their maker states it: dense, at the boost clock.

In TFLOP/s (for whole numbers TOP/s), of one board. Where a data sheet states figures "with
sparsity", these are half of them. `float32` is the arithmetic of 32 bits without TF32; `float16`
and `bfloat16` are that of tensor cores which add up in 32 bits, as libraries for language models
have it. Boards are known by the exact name that the driver gives, without its `NVIDIA` or `Tesla`:
a virtual or a trimmed board has another name, and no peak here.

Sources, all by NVIDIA: the data sheets of V100 (2020), T4 (2019), A10, A30 and A40 (2021/22),
A100 (2022), L4, L40 and L40S (2023), H100 (2024), H200 (2024), HGX B200 (2025); the white papers
on GA102 (RTX 3090, RTX A6000; 2021) and on Ada (RTX 4090; 2023). Not every figure was held against
its sheet again when it was written down here.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

_TERA = 1e12
_Peaks = Mapping[str, float]


def _peaks(
    float32: float,
    float16: float,
    *,
    tf32: float | None = None,
    bfloat16: float | None = None,
    fp8: float | None = None,
    int8: float | None = None,
) -> _Peaks:
    """Return peaks by precision; those that a board does not have are left out."""
    given = {
        "float32": float32, "tf32": tf32, "float16": float16, "bfloat16": bfloat16,
        "fp8": fp8, "int8": int8,
    }  # fmt: skip
    return MappingProxyType({name: peak for name, peak in given.items() if peak is not None})


_A100 = _peaks(19.5, 312.0, tf32=156.0, bfloat16=312.0, int8=624.0)
_H100_SXM = _peaks(67.0, 989.5, tf32=494.5, bfloat16=989.5, fp8=1979.0, int8=1979.0)
_HOPPER_NVL = _peaks(60.0, 835.5, tf32=417.5, bfloat16=835.5, fp8=1670.5, int8=1670.5)
_V100_SXM = _peaks(15.7, 125.0)
_V100_PCIE = _peaks(14.0, 112.0)

PEAKS: Mapping[str, _Peaks] = MappingProxyType({
    "V100-SXM2-16GB": _V100_SXM,
    "V100-SXM2-32GB": _V100_SXM,
    "V100-PCIE-16GB": _V100_PCIE,
    "V100-PCIE-32GB": _V100_PCIE,
    "V100S-PCIE-32GB": _peaks(16.4, 130.0),
    "T4": _peaks(8.1, 65.0, int8=130.0),
    "A10": _peaks(31.2, 125.0, tf32=62.5, bfloat16=125.0, int8=250.0),
    "A30": _peaks(10.3, 165.0, tf32=82.0, bfloat16=165.0, int8=330.0),
    "A40": _peaks(37.4, 149.7, tf32=74.8, bfloat16=149.7, int8=299.3),
    "A100-SXM4-40GB": _A100,
    "A100-SXM4-80GB": _A100,
    "A100-PCIE-40GB": _A100,
    "A100-PCIE-80GB": _A100,
    "A100 80GB PCIe": _A100,
    "L4": _peaks(30.3, 121.0, tf32=60.0, bfloat16=121.0, fp8=242.5, int8=242.5),
    "L40": _peaks(90.5, 181.05, tf32=90.5, bfloat16=181.05, fp8=362.0, int8=362.0),
    "L40S": _peaks(91.6, 362.05, tf32=183.0, bfloat16=362.05, fp8=733.0, int8=733.0),
    "H100 80GB HBM3": _H100_SXM,
    "H100 PCIe": _peaks(51.0, 756.5, tf32=378.0, bfloat16=756.5, fp8=1513.0, int8=1513.0),
    "H100 NVL": _HOPPER_NVL,
    "H200": _H100_SXM,
    "H200 NVL": _HOPPER_NVL,
    "B200": _peaks(75.0, 2250.0, tf32=1100.0, bfloat16=2250.0, fp8=4500.0, int8=4500.0),
    "RTX A6000": _peaks(38.7, 154.8, tf32=77.4, bfloat16=154.8, int8=309.7),
    "GeForce RTX 3090": _peaks(35.6, 71.0, tf32=35.6, bfloat16=71.0, int8=284.0),
    "GeForce RTX 4090": _peaks(82.6, 165.2, tf32=82.6, bfloat16=165.2, fp8=330.3, int8=660.6),
})  # fmt: skip

#: Other names of precisions in which a backend may say that it computes.
_NAMES = {"float8_e4m3fn": "fp8", "float8_e5m2": "fp8"}


def peak_of(
    applied: Mapping[str, Any], devices: Mapping[str, Mapping[str, Any]]
) -> tuple[float | None, str | None]:
    """Return the FLOP/s of all boards in use together, or None and the reason why not.

    `applied` is what the engine says is in force, `devices` are descriptions of boards by UUID.
    """
    uuids = list(applied.get("device_uuids") or ())
    if not uuids:
        on_cpu = str(applied.get("device", "")) == "cpu"
        return None, (
            "there is no peak for a CPU" if on_cpu else "it is not known on which boards it ran"
        )
    precision, why_not = _precision(applied)
    if precision is None:
        return None, why_not
    total = 0.0
    for uuid in uuids:
        board = devices.get(uuid) or {}
        if uuid.startswith("MIG-") or board.get("mig"):
            return None, "a slice of a board has no peak of its own"
        name = str(board.get("name") or "unknown").removeprefix("NVIDIA ").removeprefix("Tesla ")
        peak = PEAKS.get(name, {}).get(precision)
        if peak is None:
            return None, f"no peak is known here for the board {name} in {precision}"
        total += peak * _TERA
    return total, None


def _precision(applied: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return in what most products are computed, or None and the reason why that is not known."""
    precisions = applied.get("precisions") or {}
    found = precisions.get("compute") or precisions.get("activations") or applied.get("precision")
    if found is None:
        return None, "it is not known in which precision it computes"
    name = _NAMES.get(str(found), str(found))
    if precisions.get("quantised_modules") and name not in {"fp8", "int8"}:
        return None, "it is not known in which precision quantised weights are multiplied"
    if name == "float32" and precisions.get("float32_matmul", "highest") != "highest":
        name = "tf32"
    return name, None
