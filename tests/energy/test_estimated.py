"""The estimate, from the CPU time of real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_lem.energy.estimated import RELATIVE_HALF_RANGE, EstimatedMeter, cpu_seconds
from pytest_lem.energy.meter import Scope
from pytest_lem.energy.reading import Energy

WATTS = 10.0
TICK_S = 1 / os.sysconf("SC_CLK_TCK")
#: CPU seconds that a piece of work takes here: many ticks, and soon done.
WORK_S = 0.15
BURN = f"import time\nwhile time.process_time() < {WORK_S}: pass\n"


def _burn() -> None:
    end_s = time.process_time() + WORK_S
    while time.process_time() < end_s:
        pass


def _used_s() -> float:
    """Return the CPU seconds of this process and its ended children, as the system counts them."""
    own, ended = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + ended.ru_utime + ended.ru_stime


def _measure(work: Callable[[], object], scope: Scope) -> Energy:
    meter = EstimatedMeter(watts_per_cpu=WATTS)
    meter.open(scope)
    edge = meter.begin()
    work()
    (energy,) = meter.end(edge, 0.0, 1.0)
    meter.close()
    return energy


@pytest.fixture
def stopped() -> Iterator[int]:
    """Return a process that has used CPU time and uses none any more, since it is stopped."""
    code = BURN + "print(flush=True)\ninput()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:  # type: ignore[call-overload]
        process.stdout.readline()
        process.send_signal(signal.SIGSTOP)
        os.waitpid(process.pid, os.WUNTRACED)
        yield process.pid
        process.kill()


@pytest.fixture
def ended() -> int:
    """Return the number of a process that is gone."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


@pytest.mark.parametrize(
    "work",
    [_burn, lambda: subprocess.run([sys.executable, "-c", BURN], check=True)],
    ids=["own", "ended-child"],
)
def test_the_estimate_is_cpu_seconds_times_watts(work: Callable[[], object]) -> None:
    """The work of a process and of children that have ended agrees with the system's accounts."""
    before_s = _used_s()
    energy = _measure(work, Scope(pids=(os.getpid(),)))
    most_j = (_used_s() - before_s + 4 * TICK_S) * WATTS
    assert (WORK_S - 4 * TICK_S) * WATTS <= energy.value_j <= most_j
    assert (energy.domain, energy.device, energy.tier) == ("estimate", "process-tree", "estimated")


def test_children_that_still_run_are_counted(tmp_path: Path) -> None:
    """The host process may have workers of its own, which are alive when the window ends."""
    code = BURN + "print(flush=True)\ninput()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    started: list[subprocess.Popen[bytes]] = []

    def work() -> None:
        started.append(subprocess.Popen([sys.executable, "-c", code], **pipes))  # type: ignore[call-overload]
        started[0].stdout.readline()

    energy = _measure(work, Scope(pids=(os.getpid(),)))
    started[0].communicate(b"\n")
    assert energy.value_j >= (WORK_S - 4 * TICK_S) * WATTS


def test_uncertainty_is_two_clock_ticks_and_the_range_of_the_constant() -> None:
    """Both readings are cut to a tick; the watts may be 70 % off either way, rectangular."""
    energy = _measure(_burn, Scope(pids=(os.getpid(),)))
    assert energy.u_random_j == pytest.approx(WATTS * TICK_S * (2 / 12) ** 0.5)
    assert energy.u_systematic_j == pytest.approx(energy.value_j * RELATIVE_HALF_RANGE / 3**0.5)


def test_work_of_other_processes_is_not_counted(stopped: int) -> None:
    """This process burns CPU time, the measured one none: unknown, and not 0."""
    energy = _measure(_burn, Scope(pids=(stopped,)))
    assert energy.value_j is None
    assert energy.reason == "the measured processes used no CPU time that the system counts"


def test_work_on_a_gpu_is_unknown_with_the_reason() -> None:
    """CPU time says nothing about a GPU, however much of it was used."""
    energy = _measure(_burn, Scope(pids=(os.getpid(),), gpu_uuids=("GPU-a",)))
    assert energy.value_j is None
    assert energy.reason == "the work ran on a GPU, and an estimate covers only CPU work"


def test_a_process_that_is_gone_counts_nothing(ended: int) -> None:
    """A host that died in the window makes the energy unknown and raises nothing."""
    assert cpu_seconds((ended,)) == 0.0
    assert _measure(_burn, Scope(pids=(ended,))).value_j is None


def test_a_process_named_twice_is_counted_once(stopped: int) -> None:
    """Scopes may name a process and its parent."""
    assert cpu_seconds((stopped, stopped)) == cpu_seconds((stopped,)) >= WORK_S - TICK_S


def test_a_closed_meter_has_forgotten_the_processes() -> None:
    """After closing, nothing is followed any more."""
    meter = EstimatedMeter(watts_per_cpu=WATTS)
    meter.open(Scope(pids=(os.getpid(),)))
    meter.close()
    assert meter.begin() == 0.0


def test_the_constants_are_stated() -> None:
    """Whoever reads a figure can see what it rests on."""
    found = EstimatedMeter(watts_per_cpu=4.5).availability()
    assert (found.tier, found.sentence) == ("estimated", "CPU time x 4.5 W per busy CPU")
    assert found.constants == {"watts_per_cpu": 4.5, "relative_half_range": RELATIVE_HALF_RANGE}
