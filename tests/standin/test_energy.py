"""From end to end: pytest runs whose boards are made, with a truth that is known."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from standin import Board, StandIn

from pytest_lem import Record, RunFile, read_run
from pytest_lem.energy.sampling.archive import read_series
from pytest_lem.results.runfile import SCHEMA_VERSION

#: Quick preparation and short windows: the tick of these boards is 20 ms.
SETTINGS = (
    "energy.tick_search_s=0.6",
    "energy.sample_s=0.05",
    "measure.rounds=3",
    "measure.warmup_max_s=0.3",
    "measure.min_window_s=0.5",
    "measure.idle_s=0.3",
    "measure.max_delay_s=0.05",
)
TICK_S = 0.02

#: For tests with the empty `cache`: boards are tested there. Less is too uncertain to tell.
OBSERVE = "energy.observer_s=3"

#: A test whose work draws 500 W for a while, on a board that it has to itself.
CALL = """
import os, time
from standin import StandIn

BOARDS = StandIn.attach()
BOARDS.add_process(0, os.getpid())

def work(seconds=0.1):
    BOARDS.set_power(0, 500)
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        sum(range(1000))
    {}
    BOARDS.set_power(0, 70)

def test_work(energy):
    energy(work)
"""


#: What can happen to a board N while it is at work, by the reason that is given.
FAULTS = {
    "thermal_slowdown": "BOARDS.set_reasons(N, 0x40); BOARDS.set_reasons(N, 0)",
    "power_brake": "BOARDS.set_reasons(N, 0x80); BOARDS.set_reasons(N, 0)",
    "gpu_lost": "BOARDS.fail(N, 'nvmlDeviceGetTotalEnergyConsumption', 15)",
    "no_permission": "BOARDS.fail(N, 'nvmlDeviceGetTotalEnergyConsumption', 4)",
    "counter_reset": "BOARDS.reset_counter(N)",
    "foreign_process": "BOARDS.add_process(N, 1)",
}
#: Work like that of CALL, on one board after the other, in whose second round something happens.
FAULTY = f"""
import os, time
import pytest
from standin import StandIn

BOARDS = StandIn.attach()
FAULTS = {FAULTS!r}

@pytest.mark.parametrize("reason", FAULTS)
def test_work(energy, reason):
    N = list(FAULTS).index(reason)

    def work(seconds=0.05):
        BOARDS.set_power(N, 500)
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            pass
        done.append(N)
        if len(done) == 12:
            exec(FAULTS[reason])
        BOARDS.set_power(N, 70)

    done = []
    BOARDS.add_process(N, os.getpid())
    energy(work)
    BOARDS.remove_process(N, os.getpid())
"""


@pytest.fixture
def run(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> Callable[..., RunFile]:
    """Run a test module in a process of its own, and return its run file."""
    monkeypatch.setenv("LEM_LOCK_DIR", str(pytester.path / "locks"))

    def start(source: str, *arguments: str, settings: tuple[str, ...] = ()) -> RunFile:
        pytester.makeini("[pytest]\naddopts = -p no:hypothesispytest -p no:asyncio\n")
        pytester.makepyfile(test_it=source)
        chosen = [f"--lem-set={setting}" for setting in (*SETTINGS, *settings)]
        pytester.runpytest_subprocess(
            "--lem-preset=standard", "--lem-json=run.json", *chosen, *arguments
        )
        return read_run(Path(pytester.path, "run.json"))

    return start


def board(**fields: Any) -> Board:
    """Return a board with a fast counter."""
    return Board(tick_s=TICK_S, **fields)


def check(record: Record, boards: StandIn, index: int = 0) -> None:
    """Compare the energy of every round with the truth: within U, and within the bound."""
    assert record.rounds
    for r in record.rounds:
        (energy,) = (e for e in r.energies if e.domain == "gpu")
        true_j = boards.true_energy_j(index, r.t0, r.t1)
        assert abs(energy.value - true_j) <= energy.bound
        assert abs(energy.value - true_j) <= 2 * energy.u_random
        assert energy.value == pytest.approx(true_j, rel=0.01)


def test_a_callable_is_measured_within_its_uncertainty(
    standin: Any, run: Any, pytester: pytest.Pytester
) -> None:
    """Every round of a run agrees with the truth, and so do power at rest and the net energy.

    The board, tested in this run, satisfies the strictest requirement; what is stored about it is
    whole.
    """
    boards = standin(board(temperature_c=61))
    (record,) = run(CALL.format(""), "--lem-require-tier=counter", settings=(OBSERVE,)).records
    check(record, boards)
    check_series(record)
    check_document(Path(pytester.path, "run.json"))
    assert (record.status, record.validity, record.reasons) == ("ok", "valid", [])
    assert "polling_sensitive" not in record.flags
    metrics = record.metrics
    calls = sum(r.work.calls for r in record.rounds)
    true_j = sum(boards.true_energy_j(0, r.t0, r.t1) for r in record.rounds) / calls
    true_net_j = true_j - 70 * sum(r.t1 - r.t0 for r in record.rounds) / calls
    assert true_j > 49
    assert metrics["energy_per_call_j"].value == pytest.approx(true_j, rel=0.01)
    assert metrics["power_idle_w"].value == pytest.approx(70, abs=metrics["power_idle_w"].u)
    assert metrics["energy_net_per_call_j"].value == pytest.approx(true_net_j, rel=0.03)
    assert metrics["energy_per_call_j"].tier == "counter"
    assert [phase.name for phase in record.phases] == ["idle", "idle"]


def test_a_model_is_measured_on_the_board_that_it_uses(
    ngram: Path, standin: Any, run: Any, observed: Any
) -> None:
    """Of two boards, the one that the host process names is read, in every phase."""
    observed("GPU-a", "GPU-b")
    boards = standin(board(uuid="GPU-a"), board(uuid="GPU-b"))
    source = f"""
    def test_model(inference):
        inference(backend="ngram", model={str(ngram)!r}, precision="float64", batch_size=2,
                  workload={{"output_tokens": 8}}, options={{"board": 1, "board_s": 0.05}},
                  measure={{"split": True}})
    """
    (record,) = run(source).records
    assert (record.status, record.message) == ("ok", None)
    check(record, boards, index=1)
    assert [phase.name for phase in record.phases if "/" not in phase.name] == [
        "start", "import", "load", "prepare", "warmup", "idle", "idle",
        "prefill", "prefill", "prefill",
    ]  # fmt: skip
    uuids = {e.device for p in record.phases for e in p.energies if e.domain == "gpu"}
    assert uuids == {"GPU-b"} == set(record.applied["device_uuids"])
    assert record.metrics["energy_per_output_token_j"].value > 0
    assert record.metrics["prefill_energy_j"].value > 0


def check_series(record: Record) -> None:
    """Power, clocks and temperature lie in a file whose hash and rate are in the record."""
    path = Path(record.series.path)
    assert record.artifacts[record.series.path]
    series = read_series(next(Path.cwd().glob(f".lem/runs/*/{path}")))
    uuid = next(e.device for e in record.rounds[0].energies if e.domain == "gpu")
    assert series.mean(uuid, "temperature_c") == 61
    assert series.maximum(uuid, "power_w") > 100
    assert record.series.samples == len(series.times_s) > 20
    assert record.series.interval_s == 0.05
    assert record.rounds[0].temperatures[uuid]["max_c"] == 61
    assert record.rounds[0].clocks[uuid]["sm_mhz"] > 0


@pytest.mark.usefixtures("observed")
def test_a_board_that_sees_a_part_of_the_time_is_covered_by_the_scatter(
    standin: Any, run: Any
) -> None:
    """A sensor that looks a quarter of the time errs round by round; ten rounds know it."""
    boards = standin(board(share=0.25))
    beating = "for n in range(8): BOARDS.set_power(0, 500 - 60 * (n % 2)); sum(range(300_000))"
    (record,) = run(CALL.format(beating), settings=("measure.rounds=10",)).records
    true_j = sum(boards.true_energy_j(0, r.t0, r.t1) for r in record.rounds)
    metric = record.metrics["energy_per_call_j"]
    calls = sum(r.work.calls for r in record.rounds)
    assert abs(metric.value - true_j / calls) <= metric.u


class TestDoubts:
    """What makes a measurement INVALID, really provoked."""

    def test_a_fault_in_the_middle(self, standin: Any, run: Any, observed: Any) -> None:
        """A round says why, the case is INVALID, and the run goes on to its end.

        Each fault has a board of its own, so that the next test finds nothing of it.
        """
        standin(*(board(uuid=f"GPU-{reason}") for reason in FAULTS))
        observed(*(f"GPU-{reason}" for reason in FAULTS))
        found = run(FAULTY, settings=("measure.min_window_s=0.2", "measure.idle_s=0.1")).records
        assert [r.nodeid.partition("[")[2] for r in found] == [f"{reason}]" for reason in FAULTS]
        for record, reason in zip(found, FAULTS, strict=True):
            assert (record.status, record.validity) == ("ok", "invalid"), reason
            assert record.reasons == [reason]
            assert len(record.rounds) == 3
            assert record.rounds[0].reasons == []

    @pytest.mark.usefixtures("observed")
    def test_a_slice_is_the_whole_board(self, standin: Any, run: Any) -> None:
        """Under MIG the figure is INVALID, until somebody asserts that the board is theirs."""
        short = ("measure.rounds=2", "measure.idle_s=0.1")
        standin(board(mig_mode=1))
        (record,) = run(CALL.format(""), settings=short).records
        assert record.reasons == ["mig"]
        standin(board(mig_mode=1))
        (record,) = run(CALL.format(""), settings=(*short, "energy.own_board=true")).records
        assert (record.reasons, "whole_board" in record.flags) == ([], True)

    def test_a_disturbed_counter_is_read_four_times_a_window(self, standin: Any, run: Any) -> None:
        """It is flagged, and nobody polls it once that is known."""
        standin(board(uuid="GPU-disturbed", disturbance_mj=400))
        short = (OBSERVE, "measure.rounds=1", "measure.idle_s=0")
        (record,) = run(CALL.format(""), settings=short).records
        assert "polling_sensitive" in record.flags
        boards = standin(board(uuid="GPU-disturbed", disturbance_mj=400))
        (record,) = run(CALL.format(""), settings=(OBSERVE, "measure.idle_s=0")).records
        # Four a window, and two when it was found out what there is.
        assert boards.readings(0) <= 4 * 3 + 2
        true_j = sum(boards.true_energy_j(0, r.t0, r.t1) for r in record.rounds)
        calls = sum(r.work.calls for r in record.rounds)
        metric = record.metrics["energy_per_call_j"]
        assert abs(metric.value - true_j / calls) <= metric.u


def check_document(path: Path) -> None:
    """What is stored about boards is JSON to the letter."""
    content = json.loads(path.read_text())
    assert content["schema_version"] == SCHEMA_VERSION
    assert len(content["devices"]) == 1
