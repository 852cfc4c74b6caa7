"""Measuring a model in a real host process, with a backend in pure Python and given energies."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_lem.backends.host.pool import HostPool
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.energy.reading import Tier
from pytest_lem.errors import LemError
from pytest_lem.measure.infer import InferPlan, InferRun
from pytest_lem.measure.method import Method
from pytest_lem.measure.round import Measurement
from pytest_lem.workloads.workload import Workload

OPTIONS = {"python": None, "order": 4, "cpu_s": 0.0, "faults": ""}
WORKLOAD = Workload(prompts=("The sun", "A river"), output_tokens=6)


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[HostPool]:
    """Return a pool whose host ends with the test."""
    pool = HostPool(tmp_path / "logs", "")
    yield pool
    pool.close()


@pytest.fixture
def run_of(ngram: Path, pool: HostPool, metered: Any, rests: Any) -> Callable[..., InferRun]:
    """Make the run of a case: two rounds of two requests of six tokens, shortly warmed up."""

    def make(*, faults: str = "", panel: Any = None, **changes: Any) -> InferRun:
        spec = LoadSpec(
            backend="ngram",
            model=str(ngram),
            precision="float64",
            options={**OPTIONS, "faults": faults},
        )
        fields = {
            "spec": spec,
            "backend_class": "ngram_backend:NgramBackend",
            "python": None,
            "workload": WORKLOAD,
            "batch_size": 2,
            "timeout_s": 60.0,
        }
        fields |= {name: changes.pop(name) for name in [*fields] if name in changes}
        method = Method(**{"rounds": 2, **changes})
        panel = panel or metered()[0]
        return InferRun(InferPlan(**fields, method=method), pool, panel, rests(method, panel))

    return make


def _energy_j(found: Measurement) -> list[float | None]:
    return [energy.value_j for r in found.rounds for energy in r.energies]


def test_a_case_is_loaded_warmed_up_and_measured(run_of: Any) -> None:
    """Phases and rounds follow each other, each with the energy between its own stamps."""
    found = run_of().measure()
    assert [phase.name for phase in found.phases] == ["load", "warmup"]
    assert [r.seq for r in found.rounds] == [0, 1]
    assert _energy_j(found) == [pytest.approx(3 * r.window_s) for r in found.rounds]
    stamps = [t for part in (*found.phases, *found.rounds) for t in (part.start_s, part.end_s)]
    assert stamps == sorted(stamps)


def test_the_work_of_a_round_is_counted_from_its_requests(run_of: Any) -> None:
    """Prompt tokens without padding, and the output that came back."""
    found = run_of(workload=Workload(prompts=("The sun", "A"), output_tokens=6)).measure()
    work = found.rounds[0].work
    assert (work.requests, work.input_tokens, work.output_tokens) == (2, 8, 12)
    assert all(r.start_s <= q["sent_s"] <= q["done_s"] <= r.end_s for r in found.rounds
               for q in r.requests)  # fmt: skip
    assert found.applied["batch_size"] == 2
    assert found.text


def test_a_window_is_filled_with_repetitions(run_of: Any) -> None:
    """A round that has to be longer holds more requests, all of them counted."""
    (r,) = run_of(rounds=1, min_window_s=0.05).measure().rounds
    assert len(r.requests) == r.work.requests > 2
    assert r.work.output_tokens == 6 * r.work.requests


def test_the_next_case_uses_the_resident_host(run_of: Any, pool: HostPool) -> None:
    """Another batch size loads nothing, and is warmed up by one repetition, the fourth of all."""
    faults = "sigkill@run:6"
    first = run_of(faults=faults).measure()
    second = run_of(faults=faults, batch_size=1, warmup_max_s=60.0, warmup_cv=1e-9).measure()
    assert first.load_id == second.load_id == "load-1"
    assert [phase.name for phase in second.phases] == ["warmup"]
    assert "unsteady" not in second.flags


def test_the_meters_follow_the_host_and_are_closed(run_of: Any, metered: Any) -> None:
    """They are opened for the process that holds the model, and let go at the end."""
    panel, meter = metered()
    run_of(panel=panel, rounds=1).measure()
    opened = [event for event in meter.events if event.startswith("open")]
    assert len(opened) == 2
    assert len(set(opened)) == 1
    assert psutil.pid_exists(int(opened[0].split()[1]))
    assert meter.events[-1] == "close"


@pytest.mark.parametrize(
    ("fault", "ignore_eos", "reasons"),
    [
        ("", True, []),
        ("miscount@report", True, ["token_count"]),
        ("miscount@report", False, ["token_count"]),
    ],
)
def test_tokens_are_audited(run_of: Any, fault: str, ignore_eos: bool, reasons: list[str]) -> None:
    """What the backend says it made has to be what it gave."""
    workload = Workload(prompts=("The sun",), output_tokens=6, ignore_eos=ignore_eos)
    found = run_of(faults=fault, workload=workload).measure()
    assert [r.reasons for r in found.rounds] == [reasons] * 2


def test_a_free_end_may_come_early(run_of: Any) -> None:
    """Where the model may stop, fewer tokens than the most are no mistake."""
    prompt = "The capital of France is Paris, and the river through it is the Sei"
    workload = Workload(prompts=(prompt,), output_tokens=100, ignore_eos=False)
    (r,) = run_of(rounds=1, batch_size=1, workload=workload).measure().rounds
    assert (r.reasons, 0 < r.work.output_tokens < 100) == ([], True)


def test_a_silent_counter_makes_its_round_invalid(run_of: Any, metered: Any) -> None:
    """Load and warm-up had energy, the first round had none."""
    panel, _ = metered(Tier.COUNTER, [1.0, 1.0, None])
    found = run_of(panel=panel).measure()
    assert [r.reasons for r in found.rounds] == [["meter_silent"], []]


def test_an_early_warm_up_is_flagged(run_of: Any) -> None:
    """A criterion that cannot be met in the time is said to be missed."""
    assert "unsteady" in run_of(warmup_cv=1e-9, warmup_max_s=1e-6).measure().flags
    assert "unsteady" not in run_of().measure().flags


def test_power_at_rest_is_measured_before_and_after(run_of: Any, clock: Any) -> None:
    """Idle phases stand around the rounds, with the model loaded."""
    found = run_of(idle_s=10.0).measure()
    assert [phase.name for phase in found.phases] == ["load", "warmup", "idle", "idle"]
    before, after = (phase for phase in found.phases if phase.name == "idle")
    assert before.end_s <= found.rounds[0].start_s
    assert found.rounds[-1].end_s <= after.start_s
    assert clock.rests_s == [10.0, 10.0]


def test_cases_on_one_host_share_an_idle_phase(run_of: Any, clock: Any) -> None:
    """What was measured after one case stands before the next, and is not measured again."""
    first = run_of(idle_s=10.0).measure()
    second = run_of(idle_s=10.0, batch_size=1).measure()
    assert [(p.name, p.is_shared) for p in second.phases] == [
        ("warmup", False),
        ("idle", True),
        ("idle", False),
    ]
    assert second.phases[1].start_s == first.phases[-1].start_s
    assert len(clock.rests_s) == 3


def test_rounds_begin_after_random_rests(run_of: Any, clock: Any) -> None:
    """Every round of a case with a sensor rests before it."""
    run_of(max_delay_s=1.0, rounds=3).measure()
    assert len(clock.rests_s) == len(set(clock.rests_s)) == 3


def test_prefill_can_be_measured_by_itself(run_of: Any) -> None:
    """Its windows hold the same requests with one token each, and stand beside the rounds."""
    found = run_of(is_split=True, rounds=2).measure()
    prefill = [phase for phase in found.phases if phase.name == "prefill"]
    assert [(p.work.requests, p.work.output_tokens) for p in prefill] == [(2, 2), (2, 2)]
    assert [(r.work.requests, r.work.output_tokens) for r in found.rounds] == [(2, 12), (2, 12)]
    assert all(p.start_s > found.rounds[-1].end_s and p.energies for p in prefill)


def test_after_a_split_the_next_case_runs_its_own_workload(run_of: Any) -> None:
    """The prompts that were prepared for the prefill do not stay."""
    run_of(is_split=True).measure()
    found = run_of().measure()
    assert found.rounds[0].work.output_tokens == 12


def test_loading_leaves_out_gpus_that_are_not_used(run_of: Any, metered: Any) -> None:
    """Before the engine says what it uses, all it might use is read; the rest is dropped."""

    class Several(type(metered()[1])):
        def end(self, edge: int, start_s: float, end_s: float) -> list[Any]:
            (energy,) = super().end(edge, start_s, end_s)
            extra = [replace(energy, device="unused")] if len(self.events) < 5 else []
            return [energy, *extra]

    panel, _ = metered()
    panel.meters = [Several(Tier.COUNTER)]
    found = run_of(panel=panel).measure()
    assert [e.device for e in found.phases[0].energies] == ["given"]


def test_a_failure_leaves_what_was_found_before_it(run_of: Any, metered: Any) -> None:
    """The host dies in the second round: the first is kept, and the meters are let go."""
    panel, meter = metered()
    run = run_of(faults="sigkill@run:2", panel=panel)
    with pytest.raises(LemError) as caught:
        run.measure()
    assert caught.value.kind == "engine"
    assert [r.seq for r in run.measurement.rounds] == [0]
    assert (run.load_id, meter.events[-1]) == ("load-1", "close")


def test_after_a_failure_the_next_case_gets_a_new_host(run_of: Any) -> None:
    """A crash ends a case and not the session."""
    with pytest.raises(LemError):
        run_of(faults="sigkill@run:0").measure()
    assert run_of().measure().load_id == "load-2"


def test_doubts_about_the_prefill_are_doubts_about_the_case(run_of: Any, metered: Any) -> None:
    """A sensor that sleeps while the prefill is measured leaves no valid split."""
    panel, _ = metered(Tier.COUNTER, [1.0] * 4 + [None] * 2)
    found = run_of(panel=panel, is_split=True).measure()
    assert [r.reasons for r in found.rounds] == [[], []]
    assert found.reasons == {"meter_silent"}
