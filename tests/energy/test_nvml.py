"""The energy counters of NVIDIA boards, in a made world with a clock of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.fault import Fault
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.nvml import NvmlMeter
from pytest_lem.errors import LemError
from pytest_lem.flags import Flag, Reason

Make = Callable[..., Any]


@pytest.fixture
def verdicts(tmp_path):
    """Return a cache of observer verdicts that is empty."""
    return Verdicts(tmp_path / "observer.json")


@pytest.fixture
def meter(clock, verdicts) -> Make:
    """Make a meter over a driver, with the clock of the world."""
    return lambda driver, **settings: NvmlMeter(
        nvml=driver, clock=clock, verdicts=verdicts, **settings
    )


@pytest.fixture
def measure(clock, meter) -> Make:
    """Measure a window of two seconds of work on boards, by UUID, and return the energies."""

    def run(driver, *uuids, window_s=2.0, is_steady=False, during=lambda: None, **settings):
        made = meter(driver, **settings)
        made.open(Scope(pids=(1,), gpu_uuids=uuids, is_steady=is_steady))
        edge = made.begin()
        counters = [driver.boards[uuid] for uuid in uuids if hasattr(driver.boards[uuid], "load")]
        start_s = clock.now()
        for counter in counters:
            counter.load.start_s = start_s
        clock.sleep(window_s)
        during()
        end_s = clock.now()
        for counter in counters:
            counter.load.end_s = end_s
        energies = made.end(edge, start_s, end_s)
        made.close()
        return {energy.device: energy for energy in energies}

    return run


def test_each_board_gives_its_own_energy(driver: Make, counter: Make, measure: Make) -> None:
    """500 W for two seconds are 1000 J, on each board, whatever the phases of their ticks."""
    nvml = driver(GPU_a=counter(phase_s=0.01), GPU_b=counter(phase_s=0.06))
    found = measure(nvml, "GPU-a", "GPU-b")
    assert {(uuid, e.domain, e.tier) for uuid, e in found.items()} == {
        ("GPU-a", "gpu", "counter"),
        ("GPU-b", "gpu", "counter"),
    }
    for energy in found.values():
        assert energy.value_j == pytest.approx(1000, abs=2 * energy.u_random_j)
        assert energy.value_j == pytest.approx(1000, rel=0.002)
        assert energy.u_systematic_j == pytest.approx(energy.value_j * 0.05 / 3**0.5)
        assert energy.u_random_j < energy.bound_j < 100
        assert (energy.reason, energy.code, energy.flags) == (None, None, ())


def test_boards_that_are_not_in_use_are_never_read(
    driver: Make, counter: Make, measure: Make
) -> None:
    """The scope decides by UUID, not all boards of the machine."""
    nvml = driver(GPU_a=counter(), GPU_b=counter())
    assert list(measure(nvml, "GPU-b")) == ["GPU-b"]
    assert set(nvml.reads) == {"GPU-b"}


def test_nobody_reads_the_counter_within_a_window(
    driver: Make, counter: Make, measure: Make
) -> None:
    """The counter is read at the edges alone."""
    board = counter()
    reads: list[int] = []
    measure(driver(GPU_a=board), "GPU-a", during=lambda: reads.append(board.reads))
    before = reads[0]
    assert board.reads > before
    assert board.clock.now() > board.load.end_s


def test_a_steady_load_is_measured_inside_it(
    driver: Make, counter: Make, clock, meter: Make
) -> None:
    """Both edges lie in the load, so that no rest is subtracted."""
    board = counter()
    made = meter(driver(GPU_a=board))
    made.open(Scope(pids=(1,), gpu_uuids=("GPU-a",), is_steady=True))
    board.load.start_s = clock.now()
    clock.sleep(1.0)
    edge = made.begin()
    start_s = clock.now()
    clock.sleep(5.0)
    end_s = clock.now()
    (energy,) = made.end(edge, start_s, end_s)
    assert energy.value_j == pytest.approx(2500, rel=0.001)


class TestPreparation:
    """What is found out about a counter before its first window."""

    def test_a_sensitive_counter_is_not_polled(
        self, driver: Make, counter: Make, measure: Make
    ) -> None:
        """Its window is still right, less certain, and flagged."""
        board = counter(disturbed_j=0.5)
        nvml = driver(GPU_a=board)
        counts: list[int] = []
        energy = measure(nvml, "GPU-a", during=lambda: counts.append(board.reads))["GPU-a"]
        assert board.reads - counts[0] == 2
        assert energy.flags == (Flag.POLLING_SENSITIVE,)
        assert energy.value_j == pytest.approx(1000, abs=2 * energy.u_random_j + 2)
        assert energy.u_random_j > 1

    def test_the_test_is_run_once_per_boot(
        self, driver: Make, counter: Make, clock, meter: Make
    ) -> None:
        """The second session knows the verdict and does not wait ten seconds again."""
        scope = Scope(pids=(1,), gpu_uuids=("GPU-a",))
        took_s = []
        for _ in range(2):
            begun_s = clock.now()
            meter(driver(GPU_a=counter())).open(scope)
            took_s.append(clock.now() - begun_s)
        assert took_s[0] == pytest.approx(13, abs=0.5)
        assert took_s[1] == pytest.approx(3, abs=0.1)

    def test_boards_are_prepared_once_in_a_session(
        self, driver: Make, counter: Make, clock, meter: Make
    ) -> None:
        """A board that comes back needs no new search."""
        made = meter(driver(GPU_a=counter()))
        scope = Scope(pids=(1,), gpu_uuids=("GPU-a",))
        made.open(scope)
        made.close()
        begun_s = clock.now()
        made.open(scope)
        assert clock.now() == begun_s

    @pytest.mark.parametrize("tick_s", [0.02, 0.1])
    def test_the_tick_is_that_of_the_board(
        self, driver: Make, counter: Make, meter: Make, tick_s: float
    ) -> None:
        """The length of the tick is measured, not taken from a table."""
        made = meter(driver(GPU_a=counter(tick_s=tick_s)))
        made.open(Scope(pids=(1,), gpu_uuids=("GPU-a",)))
        assert made.tick_s == pytest.approx(tick_s, rel=0.05)

    def test_without_the_test_no_counter_is_polled(
        self, driver: Make, counter: Make, clock, measure: Make
    ) -> None:
        """A smoke run takes no ten seconds, and reads each counter four times a window."""
        board = counter()
        begun_s = clock.now()
        energy = measure(driver(GPU_a=board), "GPU-a", observer_s=0, tick_search_s=0)["GPU-a"]
        assert board.reads == 4
        assert clock.now() - begun_s < 5
        assert energy.flags == (Flag.POLLING_SENSITIVE,)
        assert energy.value_j == pytest.approx(1000, abs=2 * energy.u_random_j + 2)


class TestFaults:
    """What cannot be known is null with its reason; what cannot be true has a code."""

    @pytest.mark.parametrize(
        ("value", "reason"),
        [(15, Reason.GPU_LOST), (4, Reason.NO_PERMISSION), (999, Reason.METER_SILENT)],
    )
    def test_a_board_that_fails_in_the_middle(
        self, driver: Make, counter: Make, measure: Make, value: int, reason: Reason
    ) -> None:
        """The energy is null, and the reason is what NVML says."""
        nvml = driver(GPU_a=counter())

        def fail() -> None:
            nvml.answers["nvmlDeviceGetTotalEnergyConsumption"] = nvml.NVMLError(value)

        energy = measure(nvml, "GPU-a", during=fail)["GPU-a"]
        assert (energy.value_j, energy.code) == (None, reason)
        assert f"error {value}" in energy.reason
        assert (energy.u_random_j, energy.u_systematic_j, energy.bound_j) == (None, None, None)

    def test_a_counter_that_begins_anew(self, driver: Make, counter: Make, measure: Make) -> None:
        """A driver that was loaded again in the middle has forgotten what was used before."""
        board = counter()

        def reset() -> None:
            board.disturbed_j = -1000.0

        energy = measure(driver(GPU_a=board), "GPU-a", during=reset)["GPU-a"]
        assert (energy.value_j, energy.code) == (None, Reason.COUNTER_RESET)

    def test_a_counter_that_stands_still(self, driver: Make, counter: Make, measure: Make) -> None:
        """A counter that stops ticking in the window is not waited for without end."""
        board = counter()

        def stop() -> None:
            board.phase_s, board.tick_s = board.clock.now(), 1e9

        energy = measure(driver(GPU_a=board), "GPU-a", during=stop)["GPU-a"]
        assert (energy.value_j, energy.code) == (None, Reason.NO_TICK)

    def test_a_dead_counter_that_may_not_be_polled(self, driver: Make, measure: Make) -> None:
        """Without a search for ticks, the difference itself shows that it is dead."""
        energy = measure(driver(GPU_a=lambda: 5.0), "GPU-a", observer_s=0)["GPU-a"]
        assert (energy.value_j, energy.code) == (None, Reason.COUNTER_STILL)

    def test_more_than_the_limit_is_not_believed(
        self, driver: Make, counter: Make, loads, measure: Make
    ) -> None:
        """1000 W on a board that is limited to 700 W is a fault of the counter."""
        board = counter(loads(70.0, [(1.0, 1000.0)]))
        energy = measure(driver(GPU_a=board), "GPU-a")["GPU-a"]
        assert energy.code == Reason.POWER_TOO_HIGH
        assert energy.value_j == pytest.approx(2000, rel=0.01)

    def test_less_than_half_the_rest_is_not_believed(
        self, driver: Make, counter: Make, loads, measure: Make
    ) -> None:
        """Work that draws far less than rest was not counted whole."""
        board = counter(loads(70.0, [(1.0, 20.0)]))
        energy = measure(driver(GPU_a=board), "GPU-a")["GPU-a"]
        assert energy.code == Reason.POWER_TOO_LOW

    def test_an_unknown_limit_bounds_nothing(
        self, driver: Make, counter: Make, measure: Make
    ) -> None:
        """A driver that hides the limit leaves the bound open and believes what it reads."""
        nvml = driver(GPU_a=counter())
        nvml.answers["nvmlDeviceGetEnforcedPowerLimit"] = nvml.NVMLError(3)
        energy = measure(nvml, "GPU-a")["GPU-a"]
        assert energy.bound_j is None
        assert energy.code is None


class TestAvailability:
    """What a machine has, before anything is measured."""

    def test_available_boards_are_named(self, driver: Make, counter: Make, meter: Make) -> None:
        """The sentence lists the boards whose counter can be read."""
        found = meter(driver(GPU_a=counter(), GPU_b=counter())).availability()
        assert (found.tier, found.sentence) == ("counter", "NVML counter of Board a, Board b")

    def test_a_driver_that_does_not_start_is_none(self, driver: Make, meter: Make) -> None:
        """What NVML says is passed on."""
        nvml = driver()
        nvml.answers["nvmlInit"] = nvml.NVMLError(9)
        found = meter(nvml).availability()
        assert (found.is_available, found.code) == (False, Reason.NO_DRIVER)
        assert "install it" in found.sentence
        assert "error 9" in found.sentence

    def test_a_driver_without_boards_is_unavailable(self, driver: Make, meter: Make) -> None:
        """A driver alone has no energy."""
        found = meter(driver()).availability()
        assert (found.is_available, found.sentence) == (False, "the driver lists no GPU")

    @pytest.mark.parametrize(
        ("value", "reason"), [(3, Reason.NO_COUNTER), (4, Reason.NO_PERMISSION)]
    )
    def test_a_board_whose_counter_is_refused_is_unavailable(
        self, driver: Make, counter: Make, meter: Make, value: int, reason: Reason
    ) -> None:
        """Boards older than Volta have no counter, which is known before anything is measured."""
        nvml = driver(GPU_a=counter())
        nvml.answers["nvmlDeviceGetTotalEnergyConsumption"] = nvml.NVMLError(value)
        found = meter(nvml).availability()
        assert (found.is_available, found.code) == (False, reason)

    def test_one_readable_board_is_enough(self, driver: Make, counter: Make, meter: Make) -> None:
        """A box with an old board beside a new one measures on the new one."""
        old = counter(fault=Fault(Reason.NO_COUNTER), fails_after=0)
        nvml = driver(GPU_a=old, GPU_b=counter())
        old.fault = nvml.NVMLError(3)
        assert meter(nvml).availability().sentence == "NVML counter of Board b"


def test_the_session_with_the_driver_is_kept(driver: Make, counter: Make, meter: Make) -> None:
    """Counters of some drivers begin anew when the last session ends, so ours does not end."""
    nvml = driver(GPU_a=counter())
    made = meter(nvml, observer_s=0, tick_search_s=0)
    made.availability()
    for _ in range(2):
        made.open(Scope(pids=(1,), gpu_uuids=("GPU-a",)))
        made.close()
    assert nvml.sessions == 1


def test_a_scope_without_gpus_touches_no_driver(driver: Make, counter: Make, meter: Make) -> None:
    """Work on the CPU opens no NVML session and gives no energy of a board."""
    nvml = driver(GPU_a=counter())
    made = meter(nvml)
    made.open(Scope(pids=(1,)))
    assert list(made.end(made.begin(), 0.0, 1.0)) == []
    assert (nvml.sessions, made.tick_s) == (0, None)


def test_a_board_that_the_driver_does_not_know_is_a_meter_error(
    driver: Make, counter: Make, meter: Make
) -> None:
    """The sentence names the board and what NVML says."""
    with pytest.raises(LemError, match=r"the GPUs GPU-x cannot be measured: .*error 6") as caught:
        meter(driver(GPU_a=counter())).open(Scope(pids=(1,), gpu_uuids=("GPU-x",)))
    assert caught.value.kind == "meter"
