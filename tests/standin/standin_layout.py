"""The file of the stand-in, as `board.h` lays it out, and what a board is at first."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, fields
from typing import Any

_NEVER_NS = 2**63 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """A board as it is at first.

    Attributes:
        slices: UUIDs of its MIG slices; seen only with `mig_mode` 1.
        unsupported: ids of the fields that it refuses.
        idle_w: what it draws until `set_power`.
        tick_s: the counter advances at `phase_s` and every `tick_s` before and after.
        gain: what the counter makes of one joule; the power readings are always right.
        share: the part of each tick, from its beginning, that the counter sees and lets stand for
            the whole.
        disturbance_mj: what each reading of the counter adds to it, shown with the next tick.
        offset_mj: the counter at the start, an hour before the stand-in was made.
        busy_percent: utilisation of the GPU, as NVML means it.
        virtualization_mode: 0 none, 1 passed through, 2 vGPU.
        architecture: NVML's number, 7 Ampere, 9 Hopper.
        supported_reasons: the event reasons that the board knows, as bits.
        capability_major: the first part of the compute capability, `capability_minor` the other.

    """

    uuid: str = "GPU-00000000-0000-0000-0000-000000000000"
    name: str = "NVIDIA H100 80GB HBM3"
    vbios: str = "96.00.89.00.01"
    slices: tuple[str, ...] = ()
    unsupported: tuple[int, ...] = ()
    idle_w: float = 70
    tick_s: float = 0.1
    phase_s: float = 0.0
    gain: float = 1.0
    share: float = 1.0
    disturbance_mj: float = 0
    offset_mj: float = 5_000_000
    power_limit_w: float = 700
    temperature_c: float = 35
    sm_mhz: float = 1980
    memory_mhz: float = 2619
    max_sm_mhz: float = 1980
    max_memory_mhz: float = 2619
    busy_percent: float = 0
    memory_busy_percent: float = 0
    memory_total_bytes: float = 80 * 2**30
    memory_used_bytes: float = 2**29
    persistence_mode: float = 1
    ecc_mode: float = 1
    mig_mode: float = 0
    virtualization_mode: float = 0
    architecture: float = 9
    supported_reasons: float = 0x7FF
    capability_major: float = 9
    capability_minor: float = 0


#: The numbers that stand in the file, as doubles, in the order of `board.h`.
NUMBERS = tuple(f.name for f in fields(Board) if f.type == "float" and f.name != "idle_w")


class Change(ctypes.Structure):
    """A value and the time from which it holds."""

    _fields_ = (("from_ns", ctypes.c_int64), ("value", ctypes.c_uint64))


class _Series(ctypes.Structure):
    _fields_ = (("count", ctypes.c_uint64), ("changes", Change * 4096))


class _Readings(ctypes.Structure):
    _fields_ = (("all", ctypes.c_uint64), ("shown", ctypes.c_uint64))


class _Process(ctypes.Structure):
    _fields_ = (
        ("memory_bytes", ctypes.c_uint64),
        ("pid", ctypes.c_uint32),
        ("kind", ctypes.c_uint32),
        ("slice", ctypes.c_int64),
    )


class _Fault(ctypes.Structure):
    _fields_ = (
        ("board", ctypes.c_int64),
        ("code", ctypes.c_int64),
        ("from_ns", ctypes.c_int64),
        ("function", ctypes.c_char * 96),
    )


class _Board(ctypes.Structure):
    _fields_ = (
        ("uuid", ctypes.c_char * 96),
        ("name", ctypes.c_char * 96),
        ("vbios", ctypes.c_char * 96),
        ("slices", (ctypes.c_char * 96) * 7),
        *((name, ctypes.c_double) for name in NUMBERS),
        ("reset_ns", ctypes.c_int64),
        ("unsupported", ctypes.c_uint64 * 16),
        ("power_mw", _Series),
        ("reasons", _Series),
        ("readings", _Readings * 2),
        ("processes", _Process * 32),
    )


class State(ctypes.Structure):
    """The whole file."""

    _fields_ = (
        ("start_ns", ctypes.c_int64),
        ("frozen_ns", ctypes.c_int64),
        ("boards", ctypes.c_uint64),
        ("cuda", ctypes.c_uint64),
        ("driver", ctypes.c_char * 96),
        ("faults", ctypes.c_uint64),
        ("fault", _Fault * 64),
        ("board", _Board * 8),
    )


def fill(place: Any, board: Board, start_ns: int) -> None:
    """Write a board into its place in the file."""
    place.uuid, place.name, place.vbios = (
        text.encode() for text in (board.uuid, board.name, board.vbios)
    )
    for i, uuid in enumerate(board.slices):
        place.slices[i].value = uuid.encode()
    for name in NUMBERS:
        setattr(place, name, getattr(board, name))
    place.unsupported[: len(board.unsupported)] = board.unsupported
    place.reset_ns = _NEVER_NS
    place.power_mw.changes[0] = Change(start_ns, round(board.idle_w * 1000))
    place.reasons.changes[0] = Change(start_ns, 0)
    place.power_mw.count = place.reasons.count = 1
