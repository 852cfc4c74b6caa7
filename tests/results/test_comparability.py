"""What must agree before two results may be compared."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.results.comparability import FACTS, comparability

BOARD = {
    "name": "Board", "memory_bytes": 80, "ecc": 1, "mig": 0, "power_limit_w": 300.0,
    "driver": "580.10", "cuda": 13010, "vbios": "v1",
}  # fmt: skip
ON_CPU: dict[str, Any] = {
    "meters": {"rapl": "rapl-1"},
    "environment": {"cpu": "A", "cpu_count_usable": 8, "kernel": "6.1", "python": "3.12"},
    "applied": {"model_sha256": "aa", "backend_version": "5", "num_threads": 4},
    "devices": {},
    "measure": {"min_window_s": 5.0, "warmup_max_s": 120.0, "isolation": "load", "rounds": 10},
}
ON_GPU: dict[str, Any] = {
    **ON_CPU,
    "applied": {**ON_CPU["applied"], "device_uuids": ["GPU-a"]},
    "devices": {"GPU-a": BOARD, "GPU-b": BOARD},
}


def _hash(facts: dict[str, Any], **changes: dict[str, Any]) -> str:
    """Return the hash after changes to parts; a change of `board` changes the board in use."""
    facts = {name: {**part, **changes.get(name, {})} for name, part in facts.items()}
    if "board" in changes:
        facts["devices"]["GPU-a"] = {**BOARD, **changes["board"]}
    return comparability(**facts).hash


@pytest.mark.parametrize(
    ("facts", "changes"),
    [
        (ON_CPU, {"meters": {"rapl": "rapl-2"}}),
        (ON_CPU, {"applied": {"model_sha256": "bb"}}),
        (ON_CPU, {"applied": {"model_revision": "main"}}),
        (ON_CPU, {"applied": {"adapter": {"sha256": "cc"}}}),
        (ON_CPU, {"applied": {"backend_version": "6"}}),
        (ON_CPU, {"applied": {"num_threads": 2}}),
        (ON_CPU, {"environment": {"cpu": "B"}}),
        (ON_CPU, {"environment": {"cpu_count_usable": 4}}),
        (ON_GPU, {"board": {"name": "Other"}}),
        (ON_GPU, {"board": {"memory_bytes": 40}}),
        (ON_GPU, {"board": {"ecc": 0}}),
        (ON_GPU, {"board": {"mig": 1}}),
        (ON_GPU, {"board": {"power_limit_w": 200.0}}),
        (ON_GPU, {"board": {"driver": "590.10"}}),
        (ON_GPU, {"board": {"cuda": 14000}}),
        (ON_GPU, {"board": {"virtualization": "vgpu"}}),
        (ON_GPU, {"board": {"compute_mode": "exclusive_process"}}),
        (ON_GPU, {"board": {"confidential_computing": True}}),
        (ON_GPU, {"board": {"application_sm_clock_mhz": 900}}),
        (ON_GPU, {"environment": {"mps": True}}),
        (ON_GPU, {"applied": {"device_uuids": ["GPU-a", "GPU-b"]}}),
        (ON_CPU, {"measure": {"min_window_s": 1.0}}),
        (ON_CPU, {"measure": {"warmup_max_s": 1.0}}),
        (ON_CPU, {"measure": {"isolation": "case"}}),
    ],
    ids=lambda value: str(next(iter(value.values()))) if len(value) == 1 else "",
)
def test_what_changes_the_figure_forbids_the_comparison(
    facts: dict[str, Any], changes: dict[str, Any]
) -> None:
    """A difference in any of these gives another hash."""
    assert _hash(facts, **changes) != _hash(facts)


@pytest.mark.parametrize(
    ("facts", "changes"),
    [
        (ON_CPU, {"environment": {"kernel": "6.2"}}),
        (ON_CPU, {"environment": {"python": "3.13"}}),
        (ON_CPU, {"measure": {"rounds": 20}}),
        (ON_GPU, {"board": {"driver": "580.99"}}),
        (ON_GPU, {"board": {"cuda": 13990}}),
        (ON_GPU, {"board": {"vbios": "v2"}}),
        (ON_GPU, {"applied": {"device_uuids": ["GPU-b"]}}),
        (ON_GPU, {"environment": {"cpu": "B"}}),
    ],
    ids=lambda value: str(next(iter(value.values()))) if len(value) == 1 else "",
)
def test_what_only_asks_for_care_does_not_forbid(
    facts: dict[str, Any], changes: dict[str, Any]
) -> None:
    """Minor versions, the board itself and, for a GPU's work, the CPU keep the hash."""
    assert _hash(facts, **changes) == _hash(facts)


def test_what_asks_for_care_is_stored_beside() -> None:
    """A reader can still see the difference."""
    warn = comparability(**ON_GPU).warn
    assert warn == {
        "board": ["GPU-a"], "driver": ["580.10"], "vbios": ["v1"], "kernel": "6.1",
        "python": "3.12",
    }  # fmt: skip


def test_workers_side_by_side_share_the_host_of_their_gpus() -> None:
    """Two that measure at once are not compared with one alone; on a CPU they take turns."""
    assert comparability(**ON_GPU, workers=2).hash != comparability(**ON_GPU).hash
    assert comparability(**ON_GPU, workers=1).hash == comparability(**ON_GPU).hash
    assert comparability(**ON_CPU, workers=2).hash == comparability(**ON_CPU).hash
    assert comparability(**ON_GPU, workers=2).refuse["workers"] == 2


def test_what_is_counted_on_a_cpu_forbids_the_comparison() -> None:
    """Energy of a package alone is not that of a package and its memory."""
    alone = comparability(**ON_CPU, counted=["package-0"])
    both = comparability(**ON_CPU, counted=["package-0", "dram-0"])
    assert alone.refuse["cpu.counted"] == ["package-0"]
    assert alone.hash != both.hash


def test_every_fact_can_be_named_as_under_test() -> None:
    """No field of either kind of comparison is missing from the names that are known."""
    adapted = {**ON_CPU, "applied": {**ON_CPU["applied"], "adapter": {"sha256": "cc"}}}
    found = {name for facts in (adapted, ON_GPU) for name in comparability(**facts).refuse}
    assert {name if not name.startswith("meter.") else "meter" for name in found} == set(FACTS)
