"""Several processes of one load: pooled answers, and what becomes of the rest when one fails."""

import os
import signal
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from pytest_lem import FailureKind, LemError
from pytest_lem.workloads.workload import Workload

PROMPTS = ("A vaccine sho", "Water", "The moon", "Rain")


class Group:
    """Asks a host that has copies beside it."""

    def __init__(self, asker: Any) -> None:
        self.asker = asker

    def load(self, timeout_s: float = 60.0, **options: Any) -> dict[str, Any]:
        spec = {"backend": "ngram", "model": str(self.asker.model), "precision": "float64"}
        return self.asker.ask(
            "load",
            "loaded",
            timeout_s,
            backend="ngram_copies:CopiesBackend",
            spec={**spec, "options": options, "max_batch_size": 4},
        )["applied"]

    def prepare(self, timeout_s: float = 60.0) -> dict[str, Any]:
        plain = Workload(prompts=PROMPTS, output_tokens=6).plain()
        return self.asker.ask("prepare", "prepared", timeout_s, workload=plain, batch_size=4)

    def window(self, repetitions: int = 2, timeout_s: float = 60.0) -> dict[str, Any]:
        self.asker.ask("arm", "armed")
        ran = self.asker.run(repetitions, timeout_s)
        return ran | self.asker.collect(timeout_s)

    def measure(self, short: str, timeout_s: float, **options: Any) -> None:
        """Take every step of a measurement; `short` is the place of the one with less time."""
        steps: dict[str, Callable[[float], Any]] = {
            "load": lambda limit_s: self.load(limit_s, **options),
            "prepare": self.prepare,
            "run": lambda limit_s: self.window(timeout_s=limit_s),
        }
        for place, step in steps.items():
            step(timeout_s if short.startswith(place) else 60.0)

    @property
    def others(self) -> list[psutil.Process]:
        """The processes that the host has started and that have not ended."""
        found = psutil.Process(self.asker.host.pid).children(recursive=True)
        return [process for process in found if process.status() != psutil.STATUS_ZOMBIE]


@pytest.fixture
def group(asker: Any) -> Group:
    return Group(asker)


@pytest.fixture
def failure(group: Group, survivors: Callable[[], list[psutil.Process]]) -> Callable[..., LemError]:
    """Return a function that measures until it fails, and sees that only the host is left."""

    def failing(fault: str, place: str, timeout_s: float = 60.0, **options: Any) -> LemError:
        with pytest.raises(LemError) as caught:
            group.measure(place, timeout_s, faults=f"{fault}@{place}", **options)
        assert group.others == []
        group.asker.host.close()
        assert survivors() == []
        return caught.value

    return failing


def test_the_parts_are_pooled_into_the_whole(group):
    """Every request is there once, in order, with the ids that one process gives."""
    group.load(processes=1)
    group.prepare()
    alone = group.window()
    group.load(processes=2)
    prepared = group.prepare()
    assert (prepared["requests"], prepared["input_tokens"]) == (4, sum(map(len, PROMPTS)))
    both = group.window()
    same = ("token_ids", "input_tokens", "output_tokens", "batch")
    of = [[{name: r[name] for name in same} for r in w["requests"]] for w in (alone, both)]
    assert of[0] == of[1]
    assert [r["rank"] for r in both["requests"]] == [0, 0, 1, 1] * 2
    assert both["text"] == alone["text"]
    assert "processes" not in alone


def test_each_process_has_a_raw_entry(group):
    """The window holds what each did, and its memory is theirs together."""
    applied = group.load(processes=4)
    assert [facts["rank"] for facts in applied["processes"]] == [0, 1, 2, 3]
    assert applied["processes"][0]["pid"] == group.asker.host.pid
    group.prepare()
    window = group.window(3)
    entries = window["processes"]
    assert [entry["pid"] for entry in entries] == [f["pid"] for f in applied["processes"]]
    assert len({entry["pid"] for entry in entries}) == 4
    assert [entry["requests"] for entry in entries] == [3, 3, 3, 3]
    assert sum(entry["output_tokens"] for entry in entries) == 3 * 4 * 6
    for entry in entries:
        assert window["start_s"] <= entry["start_s"] <= entry["end_s"] <= window["end_s"]
        assert entry["busy_s"] <= entry["end_s"] - entry["start_s"]
    peaks = [entry["peak_host_memory_bytes"] for entry in entries]
    assert window["peak_host_memory_bytes"] == sum(peaks)


@pytest.mark.parametrize("place", ["load", "prepare", "run:0", "run:1", "collect"])
def test_a_process_that_dies_is_named(failure, place):
    """Wherever it dies, one sentence says who, and nobody is left."""
    error = failure("sigkill", place)
    assert error.kind is FailureKind.ENGINE
    assert str(error).startswith("rank 1 of 2 processes: the host process of the backend was ")
    assert "killed by SIGKILL, as the kernel does when memory runs out" in str(error)
    assert "host.log" in str(error)


@pytest.mark.parametrize("place", ["load", "prepare", "run:0", "run:1"])
def test_a_process_that_hangs_is_named(failure, place):
    """The deadline inside comes before that of pytest, so that it is known who was late."""
    error = failure("hang", place, 2.0)
    assert error.kind is FailureKind.TIMEOUT
    assert str(error) == (
        "rank 1 of 2 processes: the backend did not answer in time and was killed; raise "
        "`measure.timeout_s` if the work is that long"
    )


def test_a_process_that_dies_as_they_meet_is_named(group, survivors):
    """It is waited for no longer than the deadline, and then found to be dead."""
    with pytest.raises(LemError, match=r"^rank 1 of 2 processes: .* was killed by SIGKILL"):
        group.load(4.0, faults="sigkill@join")
    group.asker.host.close()
    assert survivors() == []


def test_of_several_the_one_that_hangs_is_named(failure):
    """Those that only wait for it are not blamed."""
    error = failure("hang", "run:0", 2.0, processes=4, broken=2)
    assert str(error).startswith("rank 2 of 4 processes: the backend did not answer in time")


@pytest.mark.parametrize("place", ["load", "prepare", "run:0", "run:1", "collect"])
def test_memory_that_one_process_lacks_is_told_apart(failure, place):
    """What a process itself says of its failure arrives, with its kind."""
    error = failure("oom", place)
    assert error.kind is FailureKind.OOM
    assert str(error).startswith("rank 1 of 2 processes: the backend ran out of memory")


def test_the_first_process_is_named_as_well(failure):
    """It is one of them, and ends the others when it fails."""
    error = failure("raise", "run:1", broken=0)
    assert error.kind is FailureKind.ENGINE
    assert str(error).startswith("rank 0 of 2 processes: the backend failed with RuntimeError: the")


def test_the_first_process_takes_the_others_along(group, survivors):
    """When it is killed, the keeper leaves nobody behind."""
    group.load()
    os.kill(group.asker.host.pid, signal.SIGKILL)
    with pytest.raises(LemError, match="was killed by SIGKILL"):
        group.prepare()
    assert survivors() == []


def test_a_mistake_of_all_names_none(group):
    """What is wrong in the same way everywhere is said once."""
    group.load()
    plain = Workload(prompts=("Water",) * 4, output_tokens=100_000).plain()
    with pytest.raises(
        LemError, match=r"^prompt 1 has 5 tokens and 100000 are to follow"
    ) as caught:
        group.asker.ask("prepare", "prepared", workload=plain, batch_size=4)
    assert caught.value.kind is FailureKind.DATA


def test_warnings_of_each_process_arrive(group):
    """They come with those of the first."""
    group.load(faults="warn@prepare")
    group.prepare()
    group.asker.host.settle(timeout_s=60)
    assert group.asker.host.warnings == [
        {"category": "DeprecationWarning", "message": "this chain is deprecated"}
    ]


def test_closing_ends_all(group, survivors):
    """A load that is no longer needed leaves no process."""
    group.load(processes=3)
    group.asker.host.close()
    assert group.asker.host._process.returncode == 0
    assert survivors() == []
