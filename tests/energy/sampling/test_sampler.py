"""The sampling process for real: what it brings, and how it ends."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
from standin import Board, StandIn

from pytest_lem.energy.sampling import sampler as module
from pytest_lem.energy.sampling.sampler import Sampler
from pytest_lem.energy.sampling.series import Look
from pytest_lem.energy.sampling.track import Source

Start = Callable[..., Sampler]
Boards = Callable[..., StandIn]
Survivors = Callable[[], list[psutil.Process]]

NOT_SUPPORTED, UNKNOWN, FUNCTION_NOT_FOUND = 3, 999, 13


#: Bindings that say something and fail.
LOUD_BINDINGS = """
NVMLError = ValueError

def nvmlInit():
    print("[1, ", end="", flush=True)
    raise NVMLError("too loud")
"""


def script(path: Path, *lines: str) -> str:
    """Write something that can be started in place of an interpreter."""
    path.write_text("\n".join(["#!/bin/sh", *lines, ""]))
    path.chmod(0o755)
    return str(path)


def descriptors() -> int:
    """Return how many files this process has open."""
    return len(list(Path("/proc/self/fd").iterdir()))


def test_this_machine_is_sampled(start: Start) -> None:
    """Samples follow each other, have times of this process's clock, and are never repeated."""
    before_s = time.monotonic()
    sampler = start()
    assert sampler.is_alive
    sampler.take(at_least=3)
    series = sampler.take(at_least=3)
    after_s = time.monotonic()
    assert len(series.times_s) >= 6
    assert before_s < series.times_s[0]
    assert series.times_s[-1] < after_s
    assert all(a < b for a, b in pairwise(series.times_s))
    assert series.until_s is not None
    assert series.times_s[-1] < series.until_s < after_s
    assert series.mean("machine", "memory_bytes") > 0
    assert (series, sampler.failure) == (sampler.series, None)


def test_samples_are_not_taken_more_often_than_asked_for(start: Start) -> None:
    """However late some are, each is in an interval of its own."""
    series = start(interval_s=0.05).take(at_least=8)
    intervals = (series.times_s[-1] - series.times_s[0]) / 0.05
    assert len(series.times_s) <= intervals + 2
    assert series.interval_s == 0.05


def test_a_parent_that_holds_its_interpreter_does_not_stop_it(start: Start) -> None:
    """Work in C that keeps all threads of the parent waiting is sampled like any other."""
    sampler = start(interval_s=0.01)
    sampler.take(at_least=1)
    start_s = time.monotonic()
    total = sum(range(30_000_000))
    end_s = time.monotonic()
    series = sampler.take(at_least=1)
    assert total == 30_000_000 * 29_999_999 // 2
    assert len(series.between(start_s, end_s).times_s) > 3


def test_boards_are_sampled_through_the_driver(start: Start, standin: Boards) -> None:
    """Every fact of each board, and the energy counter is not read at all."""
    boards = standin(
        Board(uuid="GPU-a", idle_w=70.5, temperature_c=41, busy_percent=25),
        Board(uuid="GPU-b", sm_mhz=1111, memory_mhz=2222, memory_used_bytes=2**33),
    )
    boards.set_reasons(1, 0x24)
    series = start("GPU-a", "GPU-b").take(at_least=3)
    assert series.devices == ["machine", "GPU-a", "GPU-b"]
    assert series.faults == {}
    last = {d: {n: series.last(d, n) for n in series.tracks[d].columns} for d in series.devices}
    assert last["GPU-a"] == {
        "power_w": 70.5,
        "sm_clock_mhz": 1980,
        "memory_clock_mhz": 2619,
        "temperature_c": 41,
        "utilisation": 0.25,
        "memory_bytes": 2**29,
        "throttle_bits": 0,
    }
    assert last["GPU-b"]["sm_clock_mhz"] == 1111
    assert last["GPU-b"]["memory_clock_mhz"] == 2222
    assert last["GPU-b"]["memory_bytes"] == 2**33
    assert last["GPU-b"]["throttle_bits"] == 0x24
    assert series.source("GPU-a") == Source(name="NVML field 185", averaging_s=1.0)
    assert boards.readings(0) == boards.readings(1) == 0


def test_power_is_sampled_as_it_changes(start: Start, standin: Boards) -> None:
    """A load that begins between two samples is in the mean of the second before."""
    boards = standin(Board(uuid="GPU-a", idle_w=70))
    sampler = start("GPU-a")
    sampler.take(at_least=2)
    boards.set_power(0, 500, at_s=boards.now_s())
    sampler.take()
    series = sampler.take(at_least=10)  # the driver shows a new mean every 0.1 s
    assert series.first("GPU-a", "power_w") == 70
    assert 70 < series.last("GPU-a", "power_w") <= 500
    _, powers = series.column("GPU-a", "power_w")
    assert powers == sorted(powers)


def test_a_board_without_the_average_shows_its_power_all_the_same(
    start: Start, standin: Boards
) -> None:
    """The source says that nobody knows over which time it is a mean."""
    standin(Board(uuid="GPU-a", unsupported=(185,)))
    series = start("GPU-a").take(at_least=1)
    assert series.last("GPU-a", "power_w") == 70
    assert series.source("GPU-a") == Source(name="nvmlDeviceGetPowerUsage", averaging_s=None)


def test_what_the_driver_refuses_is_unknown(start: Start, standin: Boards) -> None:
    """An older driver has another name for the reasons, and a board may lack a sensor."""
    boards = standin(Board(uuid="GPU-a"))
    boards.set_reasons(0, 0x4)
    boards.fail(0, "nvmlDeviceGetTemperature", NOT_SUPPORTED)
    boards.fail(0, "nvmlDeviceGetCurrentClocksEventReasons", FUNCTION_NOT_FOUND)
    boards.fail(0, "nvmlDeviceGetMPSComputeRunningProcesses", NOT_SUPPORTED)
    series = start("GPU-a").take(at_least=2)
    assert series.column("GPU-a", "temperature_c") == ([], [])
    assert series.last("GPU-a", "throttle_bits") == 0x4
    assert {look.kind for look in series.looks} == {"compute", "graphics"}


def test_a_board_that_falls_silent_comes_back(start: Start, standin: Boards) -> None:
    """Meanwhile its facts are unknown, and the machine is sampled on."""
    boards = standin(Board(uuid="GPU-a"))
    sampler = start("GPU-a")
    sampler.take(at_least=1)
    boards.fail(0, "*", UNKNOWN)
    sampler.take()
    silent_s = sampler.take(at_least=1).times_s[-1]
    boards.fail(0, "*", 0)
    sampler.take()
    series = sampler.take(at_least=1)
    times_s, _ = series.column("GPU-a", "power_w")
    assert times_s[0] < silent_s < times_s[-1]
    assert len(times_s) < len(series.times_s)


def test_processes_on_a_board_are_looked_for(start: Start, standin: Boards) -> None:
    """Each kind is told apart, with the board and the time."""
    boards = standin(Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    boards.add_process(0, 11)
    boards.add_process(0, 12, "graphics")
    boards.add_process(1, 13, "mps")
    series = start("GPU-a", "GPU-b").take(at_least=1)
    time_s = series.looks[0].time_s
    assert [look for look in series.looks if look.time_s == time_s] == [
        Look(time_s=time_s, device=device, kind=kind, pids=pids)
        for device, kind, pids in [
            ("GPU-a", "compute", (11,)),
            ("GPU-a", "graphics", (12,)),
            ("GPU-a", "mps", ()),
            ("GPU-b", "compute", ()),
            ("GPU-b", "graphics", ()),
            ("GPU-b", "mps", (13,)),
        ]
    ]
    assert series.times_s[0] <= time_s


def test_a_board_that_is_not_there_is_told(start: Start, standin: Boards) -> None:
    """The others are sampled, and the sentence says why this one is not."""
    standin(Board(uuid="GPU-a"))
    series = start("GPU-x", "GPU-a").take(at_least=1)
    assert series.devices == ["machine", "GPU-a"]
    assert list(series.faults) == ["GPU-x"]
    assert "nvmlDeviceGetHandleByUUID" in series.faults["GPU-x"]


def test_without_a_driver_the_machine_is_sampled(start: Start) -> None:
    """Each board that was asked for is told to be missing."""
    series = start("GPU-a", "GPU-b").take(at_least=1)
    assert series.devices[0] == "machine"
    assert set(series.faults) == {"GPU-a", "GPU-b"}


def test_what_libraries_print_is_no_answer(
    start: Start, standin: Boards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a line on standard output would spoil the line that follows."""
    standin()
    (tmp_path / "pynvml.py").write_text(LOUD_BINDINGS)
    monkeypatch.syspath_prepend(tmp_path)
    sampler = start("GPU-a")
    assert len(sampler.take(at_least=1).times_s) >= 1
    assert "too loud" in sampler.series.faults["GPU-a"]


def test_counters_of_the_cpu_become_power(start: Start, powercap: SimpleNamespace) -> None:
    """All that a counter counts, also over its turn, is in the power of some sample."""
    powercap.zone("intel-rapl:0", "package-0", 262_143_000_000)
    powercap.zone("intel-rapl:0:0", "dram", 0)
    sampler = start(sysfs=powercap.sysfs)
    sampler.take(at_least=2)
    for folder, count in (("intel-rapl:0", 671_149), ("intel-rapl:0:0", 500_000)):
        # At once, as the kernel does it: a file that is just being written has no number.
        (powercap.root / "next").write_text(str(count))
        (powercap.root / "next").replace(powercap.root / folder / "energy_uj")
    sampler.take()
    series = sampler.take(at_least=1)
    for device, energy_j in (("package-0", 1.0), ("dram-0", 0.5)):
        times_s, powers_w = series.column(device, "power_w")
        steps_s = [b - a for a, b in pairwise(series.tracks[device].times_s)]
        assert len(times_s) == len(steps_s)
        found_j = sum(power_w * step_s for power_w, step_s in zip(powers_w, steps_s, strict=True))
        assert found_j == pytest.approx(energy_j, rel=1e-3)
        assert series.source(device) == Source(name="RAPL", averaging_s=0.02)


def test_closing_ends_the_process_in_peace(start: Start, survivors: Survivors) -> None:
    """It ends by itself with status 0; closing again is nothing, and the series stays."""
    sampler = start()
    sampler.take(at_least=2)
    process = sampler._process
    sampler.close()
    assert process.returncode == 0
    assert not sampler.is_alive
    assert (sampler.pid, sampler.failure) == (None, None)
    assert survivors() == []
    sampler.close()
    assert len(sampler.take().times_s) >= 2


def test_a_process_that_does_not_end_is_killed(
    start: Start, survivors: Survivors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stopped process does not see that it should end."""
    sampler = start()
    monkeypatch.setattr(module, "_QUIT_TIMEOUT_S", 0.2)
    os.kill(sampler.pid, signal.SIGSTOP)
    sampler.close()
    assert survivors() == []


def test_a_process_that_was_killed_ends_the_series(start: Start) -> None:
    """Nothing is raised; the samples so far stay, and what follows is a gap."""
    sampler = start()
    count = len(sampler.take(at_least=2).times_s)
    os.kill(sampler.pid, signal.SIGKILL)
    series = sampler.take(at_least=5)
    assert not sampler.is_alive
    assert sampler.failure == (
        "the sampling process was killed by SIGKILL; the series is not complete"
    )
    assert len(series.times_s) == count
    last_s = series.times_s[-1]
    assert series.between(last_s, last_s + 1).gaps == [(last_s, last_s + 1)]
    first_until_s = series.until_s
    assert sampler.take().until_s > first_until_s


def test_a_process_that_does_not_answer_is_ended(
    start: Start, survivors: Survivors, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver that hangs does not hold up the measurement for ever."""
    sampler = start()
    sampler.take(at_least=1)
    monkeypatch.setattr(module, "_ANSWER_TIMEOUT_S", 0.05)
    os.kill(sampler.pid, signal.SIGSTOP)
    assert len(sampler.take().times_s) >= 1
    assert sampler.failure == (
        "the sampling process did not answer within 0.05 s and was ended; the series is not "
        "complete"
    )
    assert survivors() == []


@pytest.mark.parametrize(
    ("lines", "how"),
    [
        (None, "could not be started (No such file or directory)"),
        (["exit 7"], "ended by itself with status 7 (without a word)"),
        (["echo first >&2", "echo OSError: no room >&2", "exit 1"],
         "ended by itself with status 1 (OSError: no room)"),
    ],
    ids=["missing", "silent", "speaking"],
)  # fmt: skip
def test_a_process_that_does_not_start_is_told(
    start: Start,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    lines: list[str] | None,
    how: str,
) -> None:
    """There is an empty series, with the reason, and no error."""
    python = tmp_path / "python"
    if lines is not None:
        script(python, *lines)
    before = descriptors()
    monkeypatch.setattr(sys, "executable", str(python))
    sampler = start()
    assert sampler.failure == f"the sampling process {how}; the series is not complete"
    assert sampler.take(at_least=1).devices == []
    assert descriptors() == before


def test_what_an_interpreter_prints_at_its_start_is_ignored(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some installations greet whoever starts them."""
    python = script(tmp_path / "python", "echo Welcome", f'exec {sys.executable} "$@"')
    monkeypatch.setattr(sys, "executable", python)
    sampler = start()
    assert len(sampler.take(at_least=1).times_s) >= 1
    assert sampler.failure is None


def test_modules_of_the_current_folder_do_not_hide_others(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project may have a `json.py`."""
    (tmp_path / "json.py").write_text("raise ImportError('not this one')\n")
    monkeypatch.chdir(tmp_path)
    assert start().failure is None


def test_an_interrupted_request_loses_no_sample(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C between question and answer leaves the answer to the next request."""
    sampler = start()
    real = sampler._pipes.wait

    def interrupted(timeout_s: float) -> list[bytes]:
        real(timeout_s)  # says the request
        raise KeyboardInterrupt

    monkeypatch.setattr(sampler._pipes, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        sampler.take(at_least=2)
    monkeypatch.setattr(sampler._pipes, "wait", real)
    select.select([sampler._process.stdout], [], [])
    times_s = sampler.take(at_least=2).times_s
    assert len(times_s) >= 4
    assert sampler.take().times_s[: len(times_s)] == times_s


def test_ctrl_c_is_not_for_the_sampling_process(start: Start) -> None:
    """It leads a session of its own, which no terminal signals."""
    sampler = start()
    assert os.getsid(sampler.pid) == sampler.pid != os.getsid(0)


def test_samplers_leave_no_descriptors_behind(start: Start) -> None:
    """A session of many cases does not run out of files."""
    before = descriptors()
    for is_killed in (False, True):
        sampler = start()
        if is_killed:
            os.kill(sampler.pid, signal.SIGKILL)
            sampler.take()
        sampler.close()
    assert descriptors() == before


PARENT = """
import os, select, signal, sys
from pytest_lem.energy.sampling.sampler import Sampler

sampler = Sampler((), 0.02)
sampler.take(at_least=1)
watched = os.pidfd_open(sampler.pid)
"""
KILL = "os.kill(os.getpid(), signal.SIGKILL)\n"
#: More than a pipe holds, of which nothing is read.
ASK = """
sampler._pipes.say('{"take": 9, "at_least": 1500}')
sampler._pipes.wait(0)
select.select([sampler._process.stdout], [], [])
"""
#: A fork that holds the pipes open, and tells whether the sampling process ends all the same.
FORK = """
if os.fork() == 0:
    ended, _, _ = select.select([watched], [], [], 20)
    print("ended" if ended else "still there", flush=True)
    os._exit(0)
"""


def test_it_dies_with_its_parent(survivors: Survivors) -> None:
    """A parent that was killed by SIGKILL leaves nothing behind."""
    done = subprocess.run([sys.executable, "-c", PARENT + KILL], check=False)
    assert done.returncode == -signal.SIGKILL
    assert survivors() == []


def test_it_dies_with_its_parent_while_a_fork_lives(survivors: Survivors) -> None:
    """A fork of the parent, which never closes the pipes, does not keep it."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT + FORK + KILL], capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == "ended\n"
    assert survivors() == []


def test_it_dies_with_its_parent_in_the_middle_of_an_answer(survivors: Survivors) -> None:
    """An answer that fills the pipe, which nobody reads and a fork holds open, keeps it not."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT.replace("0.02", "0.0005") + ASK + FORK + KILL],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("ended\n", "")
    assert survivors() == []


def test_it_ends_with_a_parent_that_forgets_it(survivors: Survivors) -> None:
    """A parent that ends without closing it, with or without an error, takes it along."""
    done = subprocess.run(
        [sys.executable, "-c", PARENT + "raise SystemExit(3)"], capture_output=True, check=False
    )
    assert done.returncode == 3
    assert survivors() == []
