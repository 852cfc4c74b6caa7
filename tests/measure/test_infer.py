"""Measuring a model in a real host process, with a backend in pure Python and given energies."""

from __future__ import annotations

import dataclasses
import os
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
from pytest_lem.measure.infer import InferRun
from pytest_lem.measure.leftover import Leftover
from pytest_lem.measure.method import Method
from pytest_lem.measure.plan import InferPlan
from pytest_lem.measure.preflight.machine import Device, Machine
from pytest_lem.measure.round import Measurement
from pytest_lem.workloads.quality import QUALITY_TEXT
from pytest_lem.workloads.workload import Workload

OPTIONS = {"python": None, "order": 4, "cpu_s": 0.0, "faults": ""}
#: The phases before the warm-up, those of its load that the backend tells among them.
LOADING = ["start", "import", "load", "load/read", "load/train"]
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

    def make(*, faults: str = "", panel: Any = None, more: Any = None, **changes: Any) -> InferRun:
        spec = LoadSpec(
            backend="ngram",
            model=str(ngram),
            precision=changes.pop("precision", "float64"),
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
        names = [field.name for field in dataclasses.fields(InferPlan)]
        fields |= {name: changes.pop(name) for name in names if name in changes}
        method = Method(**{"rounds": 2, **changes})
        panel = panel or metered()[0]
        plan = InferPlan(**fields, method=method)
        return InferRun(plan, pool, panel, rests(method, panel), **(more or {}))

    return make


def _energy_j(found: Measurement) -> list[float | None]:
    return [energy.value_j for r in found.rounds for energy in r.energies]


def test_a_case_is_loaded_warmed_up_and_measured(run_of: Any) -> None:
    """Phases and rounds follow each other, each with the energy between its own stamps."""
    found = run_of().measure()
    assert [phase.name for phase in found.phases] == [*LOADING, "prepare", "warmup"]
    assert [r.seq for r in found.rounds] == [0, 1]
    assert _energy_j(found) == [pytest.approx(3 * r.window_s) for r in found.rounds]
    parts = [*(p for p in found.phases if "/" not in p.name), *found.rounds]
    stamps = [t for part in parts for t in (part.start_s, part.end_s)]
    assert stamps == sorted(stamps)


def test_what_a_backend_tells_of_its_load_stands_in_the_ledger(run_of: Any) -> None:
    """Its parts lie within the load; their energy is not known, and they are no setting."""
    found = run_of().measure()
    load, read, train = found.phases[2:5]
    assert load.start_s <= read.start_s <= read.end_s == train.start_s
    assert train.end_s <= load.end_s
    assert [bool(phase.energies) for phase in (load, read, train)] == [True, False, False]
    assert "spans" not in found.applied


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
    assert [phase.name for phase in second.phases] == ["prepare", "warmup"]
    assert "unsteady" not in second.flags


def test_the_meters_follow_the_host_and_are_closed(run_of: Any, metered: Any) -> None:
    """They are opened for the process that holds the model once it is there, and let go."""
    panel, meter = metered()
    run_of(panel=panel, rounds=1).measure()
    opened = [event for event in meter.events if event.startswith("open")]
    before, *during = (int(event.split()[1]) for event in opened)
    assert before == os.getpid()
    assert len(during) == 2
    assert len(set(during)) == 1
    assert psutil.pid_exists(during[0])
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
    """Loading and warm-up had energy, the first round had none."""
    panel, _ = metered(Tier.COUNTER, [1.0] * 5 + [None])
    found = run_of(panel=panel).measure()
    assert [r.reasons for r in found.rounds] == [["meter_silent"], []]


def test_an_early_warm_up_is_flagged(run_of: Any) -> None:
    """A criterion that cannot be met in the time is said to be missed."""
    assert "unsteady" in run_of(warmup_cv=1e-9, warmup_max_s=1e-6).measure().flags
    assert "unsteady" not in run_of().measure().flags


def test_power_at_rest_is_measured_before_and_after(run_of: Any, clock: Any) -> None:
    """Idle phases stand around the rounds, with the model loaded."""
    found = run_of(idle_s=10.0).measure()
    assert [phase.name for phase in found.phases] == [*LOADING, "prepare", "warmup", "idle", "idle"]
    before, after = (phase for phase in found.phases if phase.name == "idle")
    assert before.end_s <= found.rounds[0].start_s
    assert found.rounds[-1].end_s <= after.start_s
    assert clock.rests_s == [10.0, 10.0]


def test_cases_on_one_host_share_an_idle_phase(run_of: Any, clock: Any) -> None:
    """What was measured after one case stands before the next, and is not measured again."""
    first = run_of(idle_s=10.0).measure()
    second = run_of(idle_s=10.0, batch_size=1).measure()
    assert [(p.name, p.is_shared) for p in second.phases] == [
        ("prepare", False),
        ("warmup", False),
        ("idle", True),
        ("idle", False),
    ]
    assert second.phases[2].start_s == first.phases[-1].start_s
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
            extra = [replace(energy, device="unused")] if len(self.events) < 11 else []
            return [energy, *extra]

    panel, _ = metered()
    panel.meters = [Several(Tier.COUNTER)]
    found = run_of(panel=panel).measure()
    assert [e.device for p in found.phases[:3] for e in p.energies] == ["given"] * 3


def test_a_failure_leaves_what_was_found_before_it(run_of: Any, metered: Any) -> None:
    """The host dies in the second round: the first is kept, and the meters are let go."""
    panel, meter = metered()
    run = run_of(faults="sigkill@run:2", panel=panel)
    with pytest.raises(LemError) as caught:
        run.measure()
    assert caught.value.kind == "engine"
    assert [r.seq for r in run.measurement.rounds] == [0]
    assert (run.measurement.load_id, meter.events[-1]) == ("load-1", "close")


@pytest.mark.parametrize("place", ["load", "run:2"])
def test_after_a_failure_the_meters_are_let_go(run_of: Any, metered: Any, place: str) -> None:
    """They were opened for the load already."""
    panel, meter = metered()
    with pytest.raises(LemError):
        run_of(faults=f"raise@{place}", panel=panel).measure()
    assert meter.events[-1] == "close"


def test_after_a_failure_the_next_case_gets_a_new_host(run_of: Any) -> None:
    """A crash ends a case and not the session."""
    with pytest.raises(LemError):
        run_of(faults="sigkill@run:0").measure()
    assert run_of().measure().load_id == "load-2"


def test_doubts_about_the_prefill_are_doubts_about_the_case(run_of: Any, metered: Any) -> None:
    """A sensor that sleeps while the prefill is measured leaves no valid split."""
    panel, _ = metered(Tier.COUNTER, [1.0] * 7 + [None] * 2)
    found = run_of(panel=panel, is_split=True).measure()
    assert [r.reasons for r in found.rounds] == [[], []]
    assert found.reasons == {"meter_silent"}


def test_what_cannot_work_is_refused_before_a_host_starts(run_of: Any, tmp_path: Path) -> None:
    """The machine is looked at for the GPUs of the plan; the sentence is all that is left."""
    looked = []

    def look(uuids: Any) -> Machine:
        looked.append(uuids)
        return Machine(devices=(Device(uuid="GPU-a", capability=(7, 5)),))

    spec = LoadSpec(backend="ngram", model="m", precision="bfloat16", options=OPTIONS)
    run = run_of(spec=spec, gpu_uuids=("GPU-a",), more={"look": look})
    with pytest.raises(LemError, match="needs compute capability 8"):
        run.measure()
    assert looked == [("GPU-a",)]
    assert not (tmp_path / "logs").exists()
    assert (run.measurement.phases, run.measurement.load_id) == ([], None)


def test_a_doubt_before_the_load_stays_with_the_record(run_of: Any) -> None:
    """The case is measured, with a flag and the sentence; the next one on its host is not."""
    look = {"look": lambda _: Machine(devices=(Device(uuid="GPU-a", strangers=(77,)),))}
    first, second = (run_of(more=look).measure() for _ in range(2))
    assert "preflight" in first.flags
    (warned,) = first.warnings
    assert warned["category"] == "Preflight"
    assert warned["message"].startswith("the process 77 is on GPU-a before the model is loaded")
    assert (second.flags & {"preflight"}, second.warnings) == (set(), [])


def test_a_cold_start_has_a_host_and_caches_of_its_own(run_of: Any, pool: HostPool) -> None:
    """What the case before left is not used, and nothing of this one stays."""
    warm = run_of().measure()
    cold = [run_of(is_cold=True, faults="cache@load").measure() for _ in range(2)]
    assert [found.load_id for found in (warm, *cold)] == ["load-1", "load-2", "load-3"]
    assert all([p.name for p in found.phases] == [*LOADING, "prepare", "warmup"] for found in cold)
    places, counts = zip(*(found.applied["cache"] for found in cold), strict=True)
    assert (len(set(places)), counts) == (2, (1, 1))
    assert not any(Path(place).parent.exists() for place in places)
    assert pool.resident(run_of(faults="cache@load")._plan.spec) is None


def test_a_cold_start_is_recorded(run_of: Any, ngram: Path) -> None:
    """What was emptied, and how much of the model the kernel was asked to forget."""
    assert "cold_start" not in run_of().measure().applied
    assert run_of(is_cold=True).measure().applied["cold_start"] == {
        "empty_caches": ["VLLM_CACHE_ROOT", "TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR"],
        "dropped_bytes": sum(path.stat().st_size for path in ngram.iterdir()),
    }


def test_memory_that_a_case_left_is_told_with_the_next(
    run_of: Any, boards: Any, pool: HostPool, clock: Any
) -> None:
    """The host has ended, its memory is still in use, and the record is already with the test."""
    leftover = Leftover(clock, lambda _: None, boards)
    pool._on_end = leftover.check
    with_gpu = {"gpu_uuids": ("GPU-a",), "more": {"leftover": leftover}}
    first = run_of(case_key="the first", **with_gpu).measure()
    boards.used_bytes["GPU-a"] += 1 << 30
    second = run_of(precision="float32", **with_gpu).measure()
    assert "memory_left" not in first.flags
    assert "memory_left" in second.flags
    (warned,) = second.warnings
    assert warned["category"] == "MemoryLeft"
    assert "than before the host of the first (load-1) began" in warned["message"]


def test_a_cold_case_tells_itself_what_it_left(
    run_of: Any, boards: Any, pool: HostPool, clock: Any
) -> None:
    """Its host ends with it, so that the warning reaches its own record."""
    leftover = Leftover(clock, lambda _: None, boards)
    pool._on_end = leftover.check
    boards.growth_bytes = 1 << 30
    run = run_of(gpu_uuids=("GPU-a",), is_cold=True, more={"leftover": leftover})
    assert "memory_left" in run.measure().flags


@pytest.mark.parametrize("fault", ["raise@run:0", "oom@run:0"])
def test_an_engine_that_failed_is_not_asked_again(run_of: Any, pool: HostPool, fault: str) -> None:
    """The next case of the same load starts a host of its own."""
    run = run_of(faults=fault)
    with pytest.raises(LemError):
        run.measure()

    assert pool.resident(run._plan.spec) is None


def test_a_text_is_scored_after_the_rounds(run_of: Any) -> None:
    """On a line of its own in the ledger, and only where that is asked for."""
    found = run_of(is_scored=True).measure()
    assert found.phases[-1].name == "quality"
    assert found.phases[-1].start_s >= found.rounds[-1].end_s
    assert found.phases[-1].energies
    assert found.score is not None
    assert found.score.tokens == len(QUALITY_TEXT) - 1
    assert found.score.nats > found.score.tokens  # a chain of a few lines knows little of it
    assert run_of().measure().score is None


@pytest.mark.parametrize("fault", ["nan@score", "mute@score"])
def test_a_score_that_is_no_number_is_unknown(run_of: Any, fault: str) -> None:
    """A broken model gives NaN, which is no quality; some backends cannot tell it at all."""
    found = run_of(is_scored=True, faults=fault).measure()
    assert found.score.nats is None
    assert len(found.rounds) == 2
