"""The energy counters of NVIDIA boards, with the driver's readings set by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.meter import Scope
from pytest_lem.energy.nvml import NvmlMeter
from pytest_lem.energy.reading import Energy
from pytest_lem.errors import LemError

Make = Callable[..., Any]


def _measure(driver: Any, *uuids: str) -> dict[str, Energy]:
    meter = NvmlMeter(nvml=driver)
    meter.open(Scope(pids=(1,), gpu_uuids=uuids))
    energies = meter.end(meter.begin(), 10.0, 12.0)
    meter.close()
    return {energy.device: energy for energy in energies}


def test_energy_is_the_difference_of_the_counter_in_joules(driver: Make) -> None:
    """Each board in use gives the difference of its own counter."""
    nvml = driver(GPU_a=[1_000, 601_000], GPU_b=[5_000, 6_500])
    found = _measure(nvml, "GPU-a", "GPU-b")
    assert {uuid: (e.value_j, e.domain, e.tier) for uuid, e in found.items()} == {
        "GPU-a": (600.0, "gpu", "counter"),
        "GPU-b": (1.5, "gpu", "counter"),
    }


def test_boards_that_are_not_in_use_are_never_read(driver: Make) -> None:
    """The scope decides by UUID, not all boards of the machine."""
    nvml = driver(GPU_a=[1_000, 2_000], GPU_b=[1_000, 2_000])
    assert list(_measure(nvml, "GPU-b")) == ["GPU-b"]
    assert nvml.reads == ["GPU-b", "GPU-b"]


def test_uncertainty_is_a_tick_at_both_edges_and_the_gain(driver: Make) -> None:
    """300 W for 2 s: two ticks of 0.1 s, rectangular, and 5 % of the value, rectangular."""
    energy = _measure(driver(GPU_a=[0, 600_000]), "GPU-a")["GPU-a"]
    assert energy.u_random_j == pytest.approx(300 * 0.1 / 3**0.5 * 2**0.5)
    assert energy.u_systematic_j == pytest.approx(600 * 0.05 / 3**0.5)


@pytest.mark.parametrize(
    ("readings", "reason"),
    [
        ((5_000, 5_000), "the energy counter stood still while work was done"),
        ((5_000, 4_000), "the energy counter went backwards; was the driver loaded anew?"),
        (("fails", 4_000), "the energy counter could not be read"),
        ((5_000, "fails"), "the energy counter could not be read"),
    ],
)
def test_what_cannot_be_known_is_null_with_the_reason(
    driver: Make, readings: tuple[Any, Any], reason: str
) -> None:
    """An energy is a number above 0 or nothing at all, and a failing read ends no session."""
    nvml = driver()
    nvml.boards["GPU-a"] = [nvml.NVMLError("lost") if r == "fails" else r for r in readings]
    energy = _measure(nvml, "GPU-a")["GPU-a"]
    assert (energy.value_j, energy.reason) == (None, reason)
    assert (energy.u_random_j, energy.u_systematic_j) == (None, None)


def test_available_boards_are_named(driver: Make) -> None:
    """The sentence lists the boards whose counter can be read."""
    found = NvmlMeter(nvml=driver(GPU_a=[1], GPU_b=[1])).availability()
    assert (found.tier, found.sentence) == ("counter", "NVML counter of Board a, Board b")


def test_without_a_driver_the_meter_is_unavailable(driver: Make) -> None:
    """What NVML says is passed on."""
    nvml = driver()
    nvml.init_error = nvml.NVMLError("NVML Shared Library Not Found")
    found = NvmlMeter(nvml=nvml).availability()
    assert not found.is_available
    assert found.sentence == "no NVIDIA driver (NVML Shared Library Not Found)"


def test_a_driver_without_boards_is_unavailable(driver: Make) -> None:
    """A driver alone has no energy."""
    found = NvmlMeter(nvml=driver()).availability()
    assert (found.is_available, found.sentence) == (False, "the driver lists no GPU")


def test_a_board_without_a_counter_is_unavailable(driver: Make) -> None:
    """Boards older than Volta have no counter, which is known before anything is measured."""
    nvml = driver()
    nvml.boards["GPU-a"] = [nvml.NVMLError("Not Supported")]
    found = NvmlMeter(nvml=nvml).availability()
    assert not found.is_available
    assert found.sentence == "the energy counter fails (Not Supported)"


@pytest.mark.parametrize("readings", [[1], ["fails"], None], ids=["board", "failing", "none"])
def test_looking_closes_the_session_it_opened(driver: Make, readings: list[Any] | None) -> None:
    """Asking what there is leaves no NVML session open, however it went."""
    nvml = driver()
    if readings:
        nvml.boards["GPU-a"] = [nvml.NVMLError(r) if r == "fails" else r for r in readings]
    NvmlMeter(nvml=nvml).availability()
    assert nvml.sessions == 0


def test_one_session_stays_open_while_the_meter_is(driver: Make) -> None:
    """Opening begins one session and closing ends it, once however often it is called."""
    nvml = driver(GPU_a=[0, 1])
    meter = NvmlMeter(nvml=nvml)
    meter.open(Scope(pids=(1,), gpu_uuids=("GPU-a",)))
    assert nvml.sessions == 1
    meter.close()
    meter.close()
    assert nvml.sessions == 0


def test_a_scope_without_gpus_touches_no_driver(driver: Make) -> None:
    """Work on the CPU opens no NVML session and gives no energy of a board."""
    nvml = driver(GPU_a=[0, 1])
    meter = NvmlMeter(nvml=nvml)
    meter.open(Scope(pids=(1,)))
    assert nvml.sessions == 0
    assert list(meter.end(meter.begin(), 0.0, 1.0)) == []


def test_a_board_that_nvml_does_not_know_is_a_meter_error(driver: Make) -> None:
    """The sentence names the board and thinks of MIG, and the session is closed again."""
    nvml = driver(GPU_a=[0, 1])
    with pytest.raises(LemError) as caught:
        NvmlMeter(nvml=nvml).open(Scope(pids=(1,), gpu_uuids=("MIG-x",)))
    assert caught.value.kind == "meter"
    assert str(caught.value) == (
        "NVML does not know the GPUs MIG-x (Not Found); MIG slices have no counter of their own"
    )
    assert nvml.sessions == 0
