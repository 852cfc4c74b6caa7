"""What every meter has to keep, ours and strangers'.

The suite runs over all meters registered under the entry point `pytest_lem.meters`. To check
your own: install your package beside pytest-lem and run

    pytest tests/contract/test_meters.py -k your_meter

Each meter is tried on this machine. It may be unavailable, and then has to say why; otherwise
it has to measure a process at work. Those of our meters that rest on hardware counters are also
tried on counters that a test can always read.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_lem.config.models import EnergySettings
from pytest_lem.energy.counter.verdicts import Verdicts
from pytest_lem.energy.meter import Availability, Meter, Scope
from pytest_lem.energy.reading import TIERS, Domain, Energy, Tier
from pytest_lem.registry import METERS, entries, load
from pytest_lem.results.environment import gpus

SETTINGS = EnergySettings().model_dump()


class _Board:
    """A NVML driver with one board that rests at 70 W; its counter ticks every 10 ms."""

    class NVMLError(Exception):
        """What pynvml raises."""

    def __init__(self) -> None:
        self.worked_j = 0.0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        answers: dict[str, Any] = {
            "nvmlDeviceGetCount": 1,
            "nvmlDeviceGetName": "Board",
            "nvmlDeviceGetUUID": "GPU-given",
            "nvmlDeviceGetHandleByUUID": "handle",
        }
        return lambda *_: answers.get(name)

    def nvmlDeviceGetTotalEnergyConsumption(self, handle: Any) -> int:  # noqa: N802 - NVML's name
        rested_s = int(time.monotonic() * 100) / 100
        return round(1000 * (70 * rested_s + self.worked_j))

    def work(self) -> None:
        """Use 50 J more."""
        self.worked_j += 50


@dataclass
class Rig:
    """A meter, the GPUs it may be asked for, and what advances its source beside the work."""

    meter: Meter
    gpu_uuids: tuple[str, ...]
    advance: Callable[[], object] = lambda: None

    def measure(self, gpu_uuids: tuple[str, ...] = ()) -> Sequence[Energy]:
        """Measure this process while it works for a while of CPU time."""
        meter = self.meter
        meter.open(Scope(pids=(os.getpid(),), gpu_uuids=gpu_uuids))
        edge = meter.begin()
        start_s, end_cpu_s = time.monotonic(), time.process_time() + 0.1
        while time.process_time() < end_cpu_s:
            hashlib.sha256(b"work").digest()
        self.advance()
        end_s = time.monotonic()
        energies = meter.end(edge, start_s, end_s)
        meter.close()
        return energies


def _board(tmp_path: Path) -> Rig:
    board = _Board()
    verdicts = Verdicts(tmp_path / "observer.json")
    verdicts.put("GPU-given", "None", is_disturbed=False)
    settings = {**SETTINGS, "tick_search_s": 0.0}
    meter = load(METERS, "nvml")(**settings, nvml=board, verdicts=verdicts)
    return Rig(meter, ("GPU-given",), board.work)


def _tree(tmp_path: Path) -> Rig:
    """Return RAPL on a powercap tree with one package."""
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    files = {"name": "package-0", "max_energy_range_uj": "262143328850", "energy_uj": "0"}
    for name, text in files.items():
        (zone / name).write_text(f"{text}\n")
    energies_uj = itertools.count(1_000, 1_000)
    return Rig(
        load(METERS, "rapl")(**SETTINGS, root=tmp_path),
        (),
        lambda: (zone / "energy_uj").write_text(f"{next(energies_uj)}\n"),
    )


GIVEN = {"nvml on a given board": _board, "rapl on a given tree": _tree}


@pytest.fixture(params=[*entries(METERS), *GIVEN])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Rig:
    """Return a meter as a session makes it."""
    if build := GIVEN.get(request.param):
        return build(tmp_path)
    return Rig(load(METERS, request.param)(**SETTINGS), tuple(gpus()))


@pytest.fixture
def meter(rig: Rig) -> Meter:
    """Return the meter alone."""
    return rig.meter


def test_a_meter_has_the_methods_of_the_protocol(meter: Meter) -> None:
    """Name and method are words that can stand in a record, the rest can be called."""
    assert all(word == "".join(word.split()) != "" for word in (meter.name, meter.method))
    assert all(
        callable(getattr(meter, name)) for name in ("availability", "open", "begin", "end", "close")
    )


def test_availability_is_a_tier_and_a_sentence(meter: Meter) -> None:
    """An available meter says what it reads, an unavailable one why not, in one line."""
    found = meter.availability()
    assert isinstance(found, Availability)
    assert found.tier in TIERS
    assert found.sentence.strip()
    assert "\n" not in found.sentence
    assert found.is_available is (found.tier != Tier.NONE)


def test_asking_for_availability_changes_nothing(
    meter: Meter, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be asked at any time: no file, variable, process or thread is left by it."""
    empty = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(empty)
    meter.availability()  # what is loaded once for good may be loaded now

    def state() -> list[Any]:
        me = psutil.Process()
        return [
            dict(os.environ),
            list(empty.iterdir()),
            [child.pid for child in me.children()],
            threading.enumerate(),
            me.num_fds(),
        ]

    before = state()
    first = meter.availability()
    assert state() == before
    assert meter.availability() == first


@pytest.mark.parametrize("on_gpu", [False, True], ids=["cpu", "gpu"])
def test_energy_is_above_zero_or_unknown_with_a_reason(rig: Rig, on_gpu: bool) -> None:
    """No energy is 0 or negative, and a null says why."""
    energies = rig.measure(rig.gpu_uuids if on_gpu else ())
    for energy in energies:
        assert energy.domain in Domain
        assert energy.device
        assert energy.tier in set(TIERS) - {Tier.NONE}
        if energy.value_j is None:
            assert energy.reason
            assert energy.code or energy.tier == Tier.ESTIMATED
        else:
            assert energy.value_j > 0
            assert energy.reason is None
        for u in (energy.u_random_j, energy.u_systematic_j, energy.bound_j):
            assert u is None or (u >= 0 and energy.value_j is not None)


@pytest.mark.parametrize("name", GIVEN)
def test_advancing_counters_are_measured(name: str, tmp_path: Path) -> None:
    """Where there certainly is something to read, it is read."""
    rig = GIVEN[name](tmp_path)
    assert rig.meter.availability().tier == Tier.COUNTER
    (energy,) = rig.measure(rig.gpu_uuids)
    assert energy.value_j > 0


def test_a_tick_is_a_time_or_unknown(rig: Rig) -> None:
    """What a meter says of its source's tick is a length, and None where there is none."""
    rig.meter.open(Scope(pids=(os.getpid(),), gpu_uuids=rig.gpu_uuids))
    assert rig.meter.tick_s is None or rig.meter.tick_s > 0
    rig.meter.close()


@pytest.mark.parametrize("name", GIVEN)
def test_a_measured_window_has_its_uncertainty(name: str, tmp_path: Path) -> None:
    """A counter states what its edges can hide, what its gain can be off, and a bound."""
    rig = GIVEN[name](tmp_path)
    (energy,) = rig.measure(rig.gpu_uuids)
    assert energy.u_random_j > 0
    assert energy.u_systematic_j > 0
    assert energy.bound_j is None or energy.bound_j > energy.u_random_j


def test_devices_are_told_apart(rig: Rig) -> None:
    """Energies of one window can be added: none stands twice."""
    devices = [(energy.domain, energy.device) for energy in rig.measure(rig.gpu_uuids)]
    assert len(set(devices)) == len(devices)


def test_a_meter_can_be_opened_again_after_closing(rig: Rig) -> None:
    """A session opens its meters for each host in turn; the answers cover the same devices."""
    first, second = rig.measure(rig.gpu_uuids), rig.measure(rig.gpu_uuids)
    assert [energy.device for energy in first] == [energy.device for energy in second]


def test_closing_is_harmless_at_any_time(rig: Rig) -> None:
    """Meters are closed before they were opened, and again after that."""
    rig.meter.close()
    rig.measure(rig.gpu_uuids)
    rig.meter.close()


@pytest.mark.parametrize("name", entries(METERS))
def test_a_meter_is_called_what_it_is_registered_as(name: str) -> None:
    """The name in records is the name that people give."""
    assert load(METERS, name)(**SETTINGS).name == name


def test_settings_of_other_meters_are_ignored() -> None:
    """All meters get all settings of the section `energy`, so none may mind a stranger's."""
    for name in entries(METERS):
        assert load(METERS, name)(**SETTINGS, setting_of_another_meter=1).name == name
