"""The machine, from files as the kernel lays them out and from the kernel itself."""

from __future__ import annotations

import os
from pathlib import Path

import psutil
import pytest

from pytest_lem.energy.sampling.machine_probe import MachineProbe

MEMORY = (
    "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\nBuffers: 1 kB\n"
)


class Machine:
    """Files of a machine, written by hand."""

    def __init__(self, root: Path) -> None:
        self.proc, self.sysfs = root / "proc", root / "sys"

    def write(self, path: str, text: str) -> None:
        """Write a file, from `proc/` or `sys/` on."""
        file = self.proc.parent / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def ticks(self, *ticks: int) -> None:
        """Write the ticks: user, nice, system, idle, iowait, irq, softirq, steal, guests."""
        line = " ".join(map(str, ticks))
        self.write("proc/stat", f"cpu  {line}\ncpu0 {line}\nintr 12345 0 0\n")

    def probe(self) -> MachineProbe:
        """Return a probe of what was written so far."""
        return MachineProbe(self.proc, self.sysfs)


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """Return a machine of one CPU without any file."""
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    return Machine(tmp_path)


def utilisation(probe: MachineProbe, now_s: float) -> float | None:
    """Return the first column."""
    return dict(zip(probe.columns, probe.read(now_s), strict=True))["utilisation"]


def test_without_files_nothing_is_known(machine: Machine) -> None:
    """A machine that hides everything gives no numbers and no error."""
    probe = machine.probe()
    assert probe.read(1.0) == probe.read(2.0) == [None] * len(probe.columns)


def test_utilisation_is_the_share_of_busy_ticks(machine: Machine) -> None:
    """Waiting for a disk is idle; the time of guests is already in that of users."""
    machine.ticks(100, 0, 0, 100, 0, 0, 0, 0, 50, 0)
    probe = machine.probe()
    assert utilisation(probe, 1.0) is None
    machine.ticks(110, 5, 5, 150, 20, 4, 3, 3, 60, 0)
    assert utilisation(probe, 1.1) == pytest.approx(30 / 100)
    machine.ticks(110, 5, 5, 150, 20, 4, 3, 3, 60, 0)
    assert utilisation(probe, 1.2) is None


@pytest.mark.parametrize("text", ["", "cpu0 1 2 3 4 5\n", "cpu  0 0 0 0 0 0 0 0 0 0\n"])
def test_ticks_that_are_missing_leave_utilisation_unknown(machine: Machine, text: str) -> None:
    """Containers may hide them, or show zeros."""
    machine.write("proc/stat", text)
    probe = machine.probe()
    assert [utilisation(probe, t) for t in (1.0, 1.1)] == [None, None]


def test_an_iowait_that_goes_back_leaves_a_share(machine: Machine) -> None:
    """The kernel does not promise that it grows; a share is never above 1 or below 0."""
    machine.ticks(0, 0, 0, 100, 50, 0, 0, 0)
    probe = machine.probe()
    utilisation(probe, 1.0)
    machine.ticks(10, 0, 0, 100, 45, 0, 0, 0)
    assert utilisation(probe, 1.1) == 1.0


def test_many_cpus_are_asked_less_often(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kernel's effort grows with the CPUs; in between, the share is unknown."""
    monkeypatch.setattr(os, "cpu_count", lambda: 30)
    machine.ticks(0, 0, 0, 0)
    probe = machine.probe()
    utilisation(probe, 1.0)
    machine.ticks(1, 0, 0, 1)
    assert [utilisation(probe, t) for t in (1.1, 1.2, 1.35)] == [None, None, 0.5]


def test_memory_is_what_is_not_available(machine: Machine) -> None:
    """Caches that the kernel would give back are not in use."""
    machine.write("proc/meminfo", MEMORY)
    assert machine.probe().read(1.0)[3] == 600 * 1024
    machine.write("proc/meminfo", MEMORY.replace("MemAvailable", "MemSecret"))
    assert machine.probe().read(1.0)[3] is None


def test_the_frequency_is_the_mean_of_the_first_cpus(machine: Machine) -> None:
    """Only eight are asked, and those that do not say are left out."""
    for cpu in range(12):
        text = "<unknown>\n" if cpu == 1 else f"{1_000_000 * (1 + cpu)}\n"
        machine.write(f"sys/devices/system/cpu/cpu{cpu}/cpufreq/scaling_cur_freq", text)
    expected_mhz = 1000 * sum(1 + cpu for cpu in range(8) if cpu != 1) / 7
    assert machine.probe().read(1.0)[1] == pytest.approx(expected_mhz)


@pytest.mark.parametrize("name", ["coretemp", "k10temp"])
def test_the_temperature_is_that_of_the_hottest_package(machine: Machine, name: str) -> None:
    """Sensors of the processors count, those of disks and boards do not."""
    sensors = [("nvme", 90_000), (name, 41_500), (name, 43_250)]
    for i, (label, millidegrees) in enumerate(sensors):
        machine.write(f"sys/class/hwmon/hwmon{i}/name", f"{label}\n")
        machine.write(f"sys/class/hwmon/hwmon{i}/temp1_input", f"{millidegrees}\n")
    machine.write("sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n")
    machine.write("sys/class/thermal/thermal_zone0/temp", "99000\n")
    assert machine.probe().read(1.0)[2] == 43.25


def test_without_sensors_the_thermal_zone_of_the_package_is_read(machine: Machine) -> None:
    """Other zones are those of the case or the battery."""
    for i, (label, text) in enumerate([("acpitz", "27800\n"), ("x86_pkg_temp", "51000\n")]):
        machine.write(f"sys/class/thermal/thermal_zone{i}/type", f"{label}\n")
        machine.write(f"sys/class/thermal/thermal_zone{i}/temp", text)
    assert machine.probe().read(1.0)[2] == 51


def test_the_real_machine_is_read() -> None:
    """Memory in use is what another reader of the same kernel says, within a gigabyte."""
    found = dict(zip(MachineProbe.columns, MachineProbe().read(1.0), strict=True))
    real = psutil.virtual_memory()
    assert found["memory_bytes"] == pytest.approx(real.total - real.available, abs=2**30)
