"""The stand-in tells the truth about its boards, through the bindings that the driver has."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from standin import VARIABLE, Board, StandIn, build

Make = Callable[..., StandIn]

_PREAMBLE = """
import json, sys
import pynvml as nvml
import ctypes
from standin import StandIn, State

def refused(name, *arguments):
    try:
        return getattr(nvml, name)(*arguments)
    except nvml.NVMLError as error:
        return type(error).__name__

def at(time_s, ask):
    boards.freeze(time_s)
    return ask()

def energy(index=0):
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    return nvml.nvmlDeviceGetTotalEnergyConsumption(handle)

def fields(*ids):
    values = nvml.nvmlDeviceGetFieldValues(board, list(ids))
    return [
        (v.nvmlReturn, v.value.uiVal if v.valueType == 1 else v.value.ullVal) for v in values
    ]

def pids(handle, kind="Compute"):
    found = getattr(nvml, f"nvmlDeviceGet{kind}RunningProcesses")(handle)
    return [(one.pid, one.usedGpuMemory) for one in found]

boards = StandIn.attach()
nvml.nvmlInit()
board = nvml.nvmlDeviceGetHandleByIndex(0)
"""


def _ask(expression: str, **names: Any) -> Any:
    """Return what an expression gives in a process of its own, which takes the boards for real."""
    script = (
        f"{_PREAMBLE}\nglobals().update(json.loads(sys.argv[1]))\nprint(json.dumps({expression}))"
    )
    command = [sys.executable, "-c", script, json.dumps(names)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _whole_s(boards: StandIn) -> float:
    """Return a moment of the recent past at which boards without a phase have a tick."""
    return float(int(boards.now_s()))


def test_the_file_has_one_layout_in_both_languages(standin: Make) -> None:
    """The size of the file is the same in C and in Python."""
    standin()
    in_c, in_python = _ask("[nvml.nvmlLib.standin_size(), ctypes.sizeof(State)]")
    assert in_c == in_python


def test_every_fact_of_a_board_comes_through(standin: Make) -> None:
    """What `Board` says is what the bindings give, each value in its own place."""
    board = Board(
        uuid="GPU-a",
        name="Board A",
        vbios="1.2",
        power_limit_w=450.5,
        temperature_c=61,
        sm_mhz=1111,
        memory_mhz=2222,
        max_sm_mhz=3333,
        max_memory_mhz=4444,
        busy_percent=55,
        memory_busy_percent=66,
        memory_total_bytes=2**36,
        memory_used_bytes=2**30,
        persistence_mode=0,
        ecc_mode=1,
        virtualization_mode=2,
        architecture=8,
        supported_reasons=0x1FF,
        capability_major=8,
        capability_minor=6,
    )
    standin(board)
    memory = {"total": 2**36, "free": 2**36 - 2**30, "used": 2**30}
    calls: dict[str, Any] = {
        "GetUUID(board)": "GPU-a",
        "GetName(board)": "Board A",
        "GetVbiosVersion(board)": "1.2",
        "GetIndex(board)": 0,
        "GetEnforcedPowerLimit(board)": 450_500,
        "GetPowerManagementLimit(board)": 450_500,
        "GetTemperature(board, 0)": 61,
        "GetTemperatureV(board, 0)": 61,
        "GetClockInfo(board, 0)": 1111,
        "GetClockInfo(board, 1)": 1111,
        "GetClockInfo(board, 2)": 2222,
        "GetMaxClockInfo(board, 1)": 3333,
        "GetMaxClockInfo(board, 2)": 4444,
        "GetUtilizationRates(board).gpu": 55,
        "GetUtilizationRates(board).memory": 66,
        **{f"GetMemoryInfo(board).{name}": value for name, value in memory.items()},
        **{f"GetMemoryInfo(board, 0x2000028).{name}": value for name, value in memory.items()},
        "GetPersistenceMode(board)": 0,
        "GetEccMode(board)": [1, 1],
        "GetMigMode(board)": [0, 0],
        "GetVirtualizationMode(board)": 2,
        "GetArchitecture(board)": 8,
        "GetSupportedClocksEventReasons(board)": 0x1FF,
        "GetCudaComputeCapability(board)": [8, 6],
    }
    assert _ask(f"[{', '.join('nvml.nvmlDevice' + call for call in calls)}]") == [*calls.values()]


def test_numbers_change_while_processes_look(standin: Make) -> None:
    """What one process changes, another sees at once; only what has a name can change."""
    boards = standin()
    seen = "(boards.change(0, temperature_c=80), nvml.nvmlDeviceGetTemperature(board, 0))[1]"
    assert _ask(seen) == 80
    boards.change(0, temperature_c=50)
    assert _ask("nvml.nvmlDeviceGetTemperature(board, 0)") == 50
    with pytest.raises(TypeError, match="no number `uuid`"):
        boards.change(0, uuid=1)


def test_the_library_knows_its_driver_and_boards(standin: Make) -> None:
    """Versions, the number of boards, and boards by their UUID."""
    standin(Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    assert _ask(
        """[
            nvml.nvmlSystemGetDriverVersion(),
            nvml.nvmlSystemGetCudaDriverVersion(),
            nvml.nvmlSystemGetCudaDriverVersion_v2(),
            nvml.nvmlDeviceGetCount(),
            nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByUUID("GPU-b")),
            refused("nvmlDeviceGetHandleByUUID", "GPU-c"),
            refused("nvmlDeviceGetHandleByIndex", 2),
        ]"""
    ) == ["580.82.07", 13000, 13000, 2, 1, "NVMLError_NotFound", "NVMLError_InvalidArgument"]


def test_the_counter_advances_at_ticks_only(standin: Make) -> None:
    """At 50 W and ticks of 100 ms it gains 5 J at a time, at the phase that was asked for."""
    boards = standin(Board(idle_w=50, phase_s=0.03))
    start_s = _whole_s(boards)
    times_s = [start_s + i / 100 for i in range(40)]
    found = _ask("[at(t, energy) for t in times]", times=times_s)
    steps = [later - earlier for earlier, later in pairwise(found)]
    assert {i + 1: step for i, step in enumerate(steps) if step} == {
        3: 5_000,
        13: 5_000,
        23: 5_000,
        33: 5_000,
    }


@pytest.mark.parametrize("gain", [1.0, 0.95])
def test_the_counter_integrates_what_the_board_draws(standin: Make, gain: float) -> None:
    """From tick to tick it gains the true energy times the gain, to the millijoule."""
    rng = random.Random(1)
    boards = standin(Board(gain=gain, tick_s=0.02, phase_s=0.007))
    start_s = _whole_s(boards)
    for offset_s in sorted(rng.uniform(0, 10) for _ in range(300)):
        boards.set_power(0, rng.uniform(60, 700), start_s + offset_s)
    ticks_s = [start_s + 0.007 + 0.02 * k for k in sorted(rng.sample(range(600), 50))]
    found = _ask("[at(t + 0.001, energy) for t in ticks]", ticks=ticks_s)
    for tick_s, reading_mj in zip(ticks_s, found, strict=True):
        true_j = gain * boards.true_energy_j(0, ticks_s[0], tick_s)
        assert reading_mj - found[0] == pytest.approx(true_j * 1e3, abs=1.01)


def test_the_true_energy_is_the_integral_of_the_power(standin: Make) -> None:
    """Idle power before the first change, and each power until the next."""
    boards = standin(Board(idle_w=70))
    start_s = _whole_s(boards)
    boards.set_power(0, 500, start_s)
    boards.set_power(0, 100, start_s + 2)
    assert boards.true_energy_j(0, start_s - 1, start_s + 3) == pytest.approx(70 + 1000 + 100)
    assert boards.true_energy_j(0, start_s + 0.5, start_s + 1) == pytest.approx(250)
    assert boards.true_energy_j(0, start_s + 5, start_s + 6) == pytest.approx(100)
    assert boards.true_energy_j(0, start_s - 4, start_s - 3) == pytest.approx(70)


def test_a_counter_that_sees_a_part_of_the_time_lets_it_stand_for_the_whole(standin: Make) -> None:
    """Bursts in the first quarter of each tick count four times, those after it never."""
    boards = standin(Board(idle_w=0, share=0.25), Board(idle_w=0, share=0.25))
    start_s = _whole_s(boards)
    for i in range(10):
        for index, delay_s in enumerate((0.0, 0.025)):
            boards.set_power(index, 400, start_s + i * 0.1 + delay_s)
            boards.set_power(index, 0, start_s + i * 0.1 + delay_s + 0.025)
    gained = "[at(end, lambda: energy(i)) - at(start, lambda: energy(i)) for i in (0, 1)]"
    assert _ask(gained, start=start_s, end=start_s + 1) == [400_000, 0]
    assert boards.true_energy_j(0, start_s, start_s + 1) == pytest.approx(100)
    assert boards.true_energy_j(1, start_s, start_s + 1) == pytest.approx(100)


def test_a_reading_that_disturbs_shows_with_the_next_tick_in_all_processes(standin: Make) -> None:
    """Ten readings of one process are in what another one reads after the next tick."""
    boards = standin(Board(idle_w=50, disturbance_mj=700))
    start_s = _whole_s(boards)
    boards.freeze(start_s + 0.01)
    first = _ask("[energy() for _ in range(10)]")
    assert set(first) == {first[0]}
    boards.freeze(start_s + 0.11)
    assert _ask("[energy(), energy()]") == [first[0] + 5_000 + 7_000] * 2
    assert boards.readings(0) == 12


def test_a_reset_counter_begins_at_nothing(standin: Make) -> None:
    """After the reset it shows what was drawn since, without the disturbances before."""
    boards = standin(Board(idle_w=100, disturbance_mj=1, offset_mj=9_000))
    start_s = _whole_s(boards)
    boards.reset_counter(0, start_s + 0.25)
    times_s = [start_s + 0.2, start_s + 0.24, start_s + 0.26, start_s + 0.3, start_s + 1.0]
    found = _ask("[at(t, energy) for t in times]", times=times_s)
    assert found[0] == found[1] >= 9_000 + 3_599 * 100_000
    assert found[2:] == [0, 5_000 + 1, 75_000 + 2]


def test_power_is_an_average_that_is_made_ten_times_a_second(standin: Make) -> None:
    """A step from 70 to 500 W is seen over 1 s, or over 25 ms, of what the last figure covers."""
    boards = standin(Board(idle_w=70))
    start_s = _whole_s(boards)
    boards.set_power(0, 500, start_s)
    found = _ask(
        "[at(t, lambda: [nvml.nvmlDeviceGetPowerUsage(board), fields(185, 186)]) for t in times]",
        times=[start_s + 0.09, start_s + 0.25, start_s + 2],
    )
    mixed_mw = 0.8 * 70_000 + 0.2 * 500_000
    assert found == [
        [70_000, [[0, 70_000], [0, 70_000]]],
        [mixed_mw, [[0, mixed_mw], [0, 500_000]]],
        [500_000, [[0, 500_000], [0, 500_000]]],
    ]


def test_each_field_says_whether_it_is_supported(standin: Make) -> None:
    """A field that the board refuses, or that nobody knows, is an error of its own."""
    standin(Board(unsupported=(185, 270)))
    values = _ask("fields(185, 186, 269, 270, 999)")
    assert [code for code, _ in values] == [3, 0, 0, 3, 3]


def test_throttling_is_told_as_bits(standin: Make) -> None:
    """Bits hold from change to change, under the present name and the one before."""
    boards = standin()
    start_s = _whole_s(boards)
    boards.set_reasons(0, 0x4 | 0x20, start_s)
    boards.set_reasons(0, 0x80, start_s + 1)
    now = "nvml.nvmlDeviceGetCurrentClocksEventReasons(board)"
    legacy = now.replace("Event", "Throttle")
    times_s = [start_s - 1, start_s, start_s + 0.9, start_s + 9]
    found = _ask(f"[at(t, lambda: [{now}, {legacy}]) for t in times]", times=times_s)
    assert found == [[bits, bits] for bits in (0, 0x24, 0x24, 0x80)]


def test_throttling_is_told_as_time(standin: Make) -> None:
    """Each field adds up the nanoseconds of its own bits, until now."""
    boards = standin()
    at_s = start_s = _whole_s(boards)
    held_s = {0x4: 1, 0x20 | 0x4: 2, 0x40: 4, 0x10: 8, 0x200: 16, 0x1: 32, 0x400: 64, 0x80: 128}
    for bits, duration_s in held_s.items():
        boards.set_reasons(0, bits, at_s)
        at_s += duration_s
    expected_s = {74: 3, 75: 6, 76: 8, 77: 16, 78: 32, 79: 64, 269: 2, 270: 4, 271: 100}
    found = _ask("at(t, lambda: fields(*ids))", t=start_s + 227, ids=[*expected_s])
    assert found == [[0, duration_s * 10**9] for duration_s in expected_s.values()]


def test_a_lost_board_refuses_everything_from_then_on(standin: Make) -> None:
    """Before that moment it answers, and other boards go on answering."""
    boards = standin(Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    lost_s = _whole_s(boards)
    boards.fail(0, "*", 15, lost_s)
    boards.freeze(lost_s - 1)
    script = """[
        at(t, lambda: [
            refused("nvmlDeviceGetIndex", board),
            str(refused("nvmlDeviceGetFieldValues", board, [])),
            isinstance(refused("nvmlDeviceGetHandleByUUID", "GPU-a"), str),
            nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByUUID("GPU-b")),
        ])
        for t in times
    ]"""
    before, after = _ask(script, times=[lost_s - 0.001, lost_s])
    assert before[0] == 0
    assert "GpuIsLost" not in before[1]
    assert before[2:] == [False, 1]
    assert after == ["NVMLError_GpuIsLost", "NVMLError_GpuIsLost", True, 1]


def test_a_function_can_refuse_for_a_while(standin: Make) -> None:
    """A code from one moment on, and the code 0 from a later one; other functions answer."""
    boards = standin()
    start_s = _whole_s(boards)
    boards.fail(0, "nvmlDeviceGetTotalEnergyConsumption", 4, start_s)
    boards.fail(0, "nvmlDeviceGetTotalEnergyConsumption", 0, start_s + 1)
    boards.fail(0, "nvmlDeviceGetComputeRunningProcesses", 3)
    asked = "[at(t, lambda: str(refused(name, board))) for t in times]"
    times_s = [start_s - 1, start_s, start_s + 1]
    found = _ask(asked, name="nvmlDeviceGetTotalEnergyConsumption", times=times_s)
    assert [one.isdigit() for one in found] == [True, False, True]
    assert found[1] == "NVMLError_NoPermission"
    refused = _ask(asked, name="nvmlDeviceGetComputeRunningProcesses", times=times_s[:1])
    assert refused == ["NVMLError_NotSupported"]
    assert _ask("nvml.nvmlDeviceGetPowerUsage(board)") == 70_000
    with pytest.raises(ValueError, match="no function `nvmlDeviceGetEnergy`"):
        boards.fail(0, "nvmlDeviceGetEnergy", 4)


def test_processes_come_and_go_by_kind(standin: Make) -> None:
    """Each kind has its list; memory may be unknown; who was removed is in none."""
    boards = standin(Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    for pid in range(1, 13):
        boards.add_process(0, pid, memory_bytes=pid * 2**20)
    boards.add_process(0, 77, "graphics")
    boards.add_process(0, 88, "mps", memory_bytes=5)
    for pid in range(3, 13):
        boards.remove_process(0, pid)
    kinds = '[pids(board, kind) for kind in ("Compute", "Graphics", "MPSCompute")]'
    expected = [[[1, 2**20], [2, 2**21]], [[77, None]], [[88, 5]]]
    assert _ask(kinds) == expected
    assert _ask("pids(nvml.nvmlDeviceGetHandleByIndex(1))") == []


def test_a_split_board_has_slices_with_processes_but_without_energy(standin: Make) -> None:
    """A slice is found by index and UUID, knows its board, and has no counter."""
    unsplit = Board(uuid="GPU-a", slices=("MIG-0",))
    boards = standin(unsplit, Board(uuid="GPU-b", mig_mode=1, slices=("MIG-1", "MIG-2")))
    boards.add_process(1, 11, mig_slice=0)
    boards.add_process(1, 22, mig_slice=1)
    script = """[
        nvml.nvmlDeviceGetMigMode(whole),
        nvml.nvmlDeviceGetMaxMigDeviceCount(whole),
        nvml.nvmlDeviceGetUUID(part),
        nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(whole, 0)),
        nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(part)),
        nvml.nvmlDeviceGetIndex(part),
        [nvml.nvmlDeviceIsMigDeviceHandle(handle).value for handle in (whole, part)],
        [pid for pid, _ in pids(whole)],
        [pid for pid, _ in pids(part)],
        refused("nvmlDeviceGetTotalEnergyConsumption", part),
        refused("nvmlDeviceGetMigDeviceHandleByIndex", whole, 2),
        refused("nvmlDeviceGetMigDeviceHandleByIndex", board, 0),
        refused("nvmlDeviceGetHandleByUUID", "MIG-0"),
    ]"""
    named = 'nvml.nvmlDeviceGetHandleByUUID("GPU-b"), nvml.nvmlDeviceGetHandleByUUID("MIG-2")'
    assert _ask(f"(lambda whole, part: {script})({named})") == [
        [1, 1],
        7,
        "MIG-2",
        "MIG-1",
        "GPU-b",
        1,
        [0, 1],
        [11, 22],
        [22],
        "NVMLError_NotSupported",
        "NVMLError_NotFound",
        "NVMLError_NotSupported",
        "NVMLError_NotFound",
    ]


def test_nothing_answers_outside_a_session(standin: Make) -> None:
    """After the last shutdown calls fail, as the driver's do; a new session answers again."""
    standin()
    script = """[
        (nvml.nvmlInit(), nvml.nvmlShutdown(), refused("nvmlDeviceGetIndex", board))[-1],
        (nvml.nvmlShutdown(), refused("nvmlDeviceGetIndex", board))[-1],
        refused("nvmlDeviceGetCount"),
        (nvml.nvmlInit(), nvml.nvmlDeviceGetIndex(board))[-1],
    ]"""
    assert _ask(script) == [0, "NVMLError_Uninitialized", "NVMLError_Uninitialized", 0]


def test_a_driver_can_be_missing_or_broken(
    standin: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Without a file no driver is loaded, and a file of another layout is not read."""
    boards = standin()
    boards.fail(None, "nvmlInitWithFlags", 9)
    tries = (
        "import pynvml as n\ntry: n.nvmlInit()\nexcept n.NVMLError as e: print(type(e).__name__)"
    )

    def found() -> str:
        return subprocess.check_output([sys.executable, "-c", tries], text=True).strip()

    assert found() == "NVMLError_DriverNotLoaded"
    (tmp_path / "short").write_bytes(b"short")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "short"))
    assert found() == "NVMLError_LibRmVersionMismatch"
    monkeypatch.delenv(VARIABLE)
    assert found() == "NVMLError_DriverNotLoaded"


def test_a_process_that_loads_the_library_has_the_driver(
    standin: Make, nvml_library: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once the file is loaded, the bindings find it by its name, wherever it lies."""
    standin(Board(uuid="GPU-here"))
    monkeypatch.delenv("LD_LIBRARY_PATH")
    load = f"import ctypes; ctypes.CDLL({str(nvml_library)!r})"
    ask = "print(n.nvmlDeviceGetUUID(n.nvmlDeviceGetHandleByIndex(0)))"
    command = [sys.executable, "-c", f"{load}\nimport pynvml as n\nn.nvmlInit()\n{ask}"]
    assert subprocess.check_output(command, text=True).strip() == "GPU-here"


def test_time_runs_unless_it_is_frozen(standin: Make) -> None:
    """A change without a time counts from now, on the clock of all processes."""
    boards = standin()
    before_s = boards.now_s()
    _ask("boards.set_power(0, 500)")
    after_s = boards.now_s()
    assert boards.true_energy_j(0, before_s - 1, before_s) == pytest.approx(70)
    assert boards.true_energy_j(0, after_s, after_s + 1) == pytest.approx(500)
    assert time.monotonic() >= after_s > before_s
    first, second = _ask("[energy(), energy()]")
    assert first <= second


def test_processes_write_one_after_the_other(standin: Make) -> None:
    """Of two processes that change the power at the same time none loses a change."""
    boards = standin()
    writing = "[boards.set_power(0, 500) for _ in range(1500)]"
    with ThreadPoolExecutor(2) as pool:
        assert len([*pool.map(_ask, [writing, writing])]) == 2
    assert boards._board(0).power_mw.count == 1 + 2 * 1500


def test_changes_are_written_in_order(standin: Make) -> None:
    """A change before the last one is refused: it would rewrite what was already seen."""
    boards = standin()
    boards.set_power(0, 500, boards.now_s() + 5)
    with pytest.raises(ValueError, match="in order"):
        boards.set_power(0, 70)


def test_without_a_compiler_the_library_cannot_be_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error, never a skipped test."""
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="cc"):
        build(tmp_path)
