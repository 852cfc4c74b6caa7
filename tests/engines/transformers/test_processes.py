"""Copies of a model in several processes, for real: two on a CPU, which meet over gloo."""

from __future__ import annotations

import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from pytest_lem import FailureKind, LemError, read_run
from pytest_lem.backends.host.child import Server
from pytest_lem.backends.host.copies import LostCopies
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.backends.transformers.checksum import checksum_of
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.parallel import Place, part_of
from pytest_lem.workloads.workload import Workload

#: The further process, or with VICTIM the first one, does what FAULT says in a forward pass of a
#: number; loading takes three.
FAULTY = """
import os, signal, torch

def fault():
    name, at = os.environ["FAULT"].split("@")
    Own.passes += 1
    is_victim = ("LEM_RANK" in os.environ) != ("VICTIM" in os.environ)
    if is_victim and Own.passes == int(at):
        if name == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        elif name == "stop":
            os.kill(os.getpid(), signal.SIGSTOP)
        else:
            torch.empty(1 << 50)

class Own(LlamaForCausalLM):
    passes = 0

    def forward(self, *given, **named):
        fault()
        return super().forward(*given, **named)
"""


class Rank0:
    """The server of a host process in this one, which spares an import of PyTorch."""

    def __init__(self) -> None:
        self._sent: list[dict[str, Any]] = []
        self.server = Server(lambda kind, **fields: self._sent.append({"type": kind, **fields}))

    def ask(self, kind: str, timeout_s: float = 300.0, **fields: Any) -> dict[str, Any]:
        message = {"type": kind, "deadline_s": time.monotonic() + timeout_s, **fields}
        self.server.answer(message)
        return self._sent[-1]

    def load(self, model: Path, **options: Any) -> dict[str, Any]:
        spec = {"backend": "transformers", "model": str(model), "precision": "float32"}
        spec |= {"options": {"processes": 2, **options}, "max_batch_size": 8}
        backend = "pytest_lem.backends.transformers:TransformersBackend"
        return dict(self.ask("load", backend=backend, spec=spec)["applied"])

    def prepare(self, batch_size: int, **workload: Any) -> dict[str, Any]:
        plain = Workload(**workload).plain()
        return self.ask("prepare", workload=plain, batch_size=batch_size)

    def window(self, timeout_s: float = 300.0) -> dict[str, Any]:
        self.ask("arm")
        return self.ask("run", timeout_s, repetitions=1) | self.ask("collect")


@pytest.fixture
def rank0(
    monkeypatch: pytest.MonkeyPatch, survivors: Callable[[], list[psutil.Process]]
) -> Iterator[Rank0]:
    """Serve as the first of several processes; none of the others stays."""
    import torch

    threads = torch.get_num_threads()
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    rank0 = Rank0()
    yield rank0
    rank0.server.close()
    rank0.server._backend.leave()  # type: ignore[union-attr]
    torch.set_num_threads(threads)
    assert survivors() == []


@pytest.fixture
def faulty(
    own_code: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """Return a function that makes a model with a fault."""
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))

    def make(fault: str) -> Path:
        monkeypatch.setenv("FAULT", fault)
        return own_code(FAULTY)

    return make


def test_two_processes_give_what_one_gives(rank0: Rank0, demo: Path, load: Any) -> None:
    """In float32, greedy, the parts of a batch have the ids of the whole, each once, in order."""
    alone, _ = load(demo, num_threads=1)
    workload = Workload(output_tokens=6, requests=5)
    batches = alone.prepare(workload, 3).batches
    wanted = [request for batch in batches for request in alone.requests(alone.run(batch))]

    applied = rank0.load(demo)
    prepared = rank0.prepare(3, output_tokens=6, requests=5)
    window = rank0.window()

    assert (prepared["requests"], prepared["input_tokens"]) == (
        5,
        sum(request.input_tokens for request in wanted),
    )
    found = window["requests"]
    assert [r["token_ids"] for r in found] == [r.token_ids for r in wanted]
    parts = [(0, 3), (0, 3), (1, 3), (0, 2), (1, 2)]
    assert [(request["rank"], request["batch"]) for request in found] == parts
    assert window["text"] == alone.decode(wanted[0].token_ids)
    cpus = len(os.sched_getaffinity(0))
    assert [p["num_threads"] for p in applied["processes"]] == [max(1, cpus // 2)] * 2
    assert {p["weights_checksum"] for p in applied["processes"]} == {
        checksum_of(alone._torch, alone._model)
    }
    assert (applied["options"]["processes"], applied["process_group"]) == (2, "gloo")


@pytest.mark.parametrize(
    ("fault", "kind", "sentence"),
    [
        ("kill@9", "engine", "the host process of the backend was killed by SIGKILL"),
        ("stop@9", "timeout", "the backend did not answer in time and was killed; raise `measure."),
        ("oom@9", "oom", "the backend ran out of memory (RuntimeError: "),
        ("oom@1", "oom", "the backend ran out of memory (RuntimeError: "),
    ],
)
def test_a_process_that_fails_is_named(
    rank0: Rank0, faulty: Callable[[str], Path], fault: str, kind: str, sentence: str
) -> None:
    """Whether it dies, hangs or lacks memory, one sentence says who; the others end with it."""
    model = faulty(fault)

    def measure() -> None:
        rank0.load(model, trust_remote_code=True, num_threads=1)
        rank0.prepare(2, output_tokens=4)
        for _ in range(2):
            rank0.window(timeout_s=4.0 if fault.startswith("stop") else 300.0)

    with pytest.raises(LemError) as caught:
        measure()
    assert caught.value.kind is FailureKind(kind)
    assert str(caught.value).startswith(f"rank 1 of 2 processes: {sentence}")
    assert not psutil.Process().children()


def test_the_first_process_is_named_when_it_dies(
    pytester: pytest.Pytester,
    faulty: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    survivors: Callable[[], list[psutil.Process]],
) -> None:
    """Nobody but pytest is left to say so, and the other one ends with it."""
    model = faulty("kill@9")
    monkeypatch.setenv("VICTIM", "first")
    pytester.makepyfile(
        f"""
        def test_two(inference):
            options = {{"processes": 2, "num_threads": 1, "trust_remote_code": True}}
            inference(model={str(model)!r}, batch_size=2, options=options)
        """
    )
    done = pytester.runpytest_subprocess(
        "--lem-smoke", "--lem-backend=transformers", "--lem-json=run.json"
    )

    done.assert_outcomes(failed=1)
    (record,) = read_run(pytester.path / "run.json").records
    killed = "rank 0 of 2 processes: the host process of the backend was killed by SIGKILL"
    assert str(record.message).startswith(killed)
    assert survivors() == []


def test_the_record_has_each_process(
    pytester: pytest.Pytester, tiny_model: Path, survivors: Callable[[], list[psutil.Process]]
) -> None:
    """A run with a port in use that launchers take by habit; the parts need not be even."""
    pytester.makepyfile(
        """
        def test_two(inference):
            inference(batch_size=3, options={"processes": 2, "num_threads": 1})

        def test_too_few(inference):
            inference(batch_size=1, options={"processes": 2})
        """
    )
    with socket.create_server(("127.0.0.1", 29500), reuse_port=False):
        done = pytester.runpytest_subprocess(
            "--lem-smoke",
            "--lem-backend=transformers",
            f"--lem-model={tiny_model}",
            "--lem-precision=float32",
            "--lem-json=run.json",
        )

    done.assert_outcomes(passed=1, failed=1)
    done.stdout.fnmatch_lines(["*a batch of 1 cannot be divided among the 2 processes of *"])
    record = read_run(pytester.path / "run.json").records[0]
    assert record.applied["batch_size"] == 3
    assert "not_as_asked" not in record.flags
    both = record.applied["processes"]
    assert (len({p["pid"] for p in both}), len({p["weights_checksum"] for p in both})) == (2, 1)
    for found in record.rounds:
        assert [request.rank for request in found.requests] == [0, 0, 1]
        assert [(p.rank, p.pid, p.requests) for p in found.processes] == [
            (0, both[0]["pid"], 2),
            (1, both[1]["pid"], 1),
        ]
        assert sum(p.output_tokens for p in found.processes) == found.work.output_tokens
        assert max(p.end for p in found.processes) == pytest.approx(found.t1 - found.t0, abs=1e-5)
    assert 0 < (record.metrics["process_wait_share"].value or 0) < 1
    assert survivors() == []


def test_a_process_that_does_not_come_is_named(
    rank0: Rank0, tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever serves the rendezvous knows who is missing when the time is over."""
    options = TransformersOptions(processes=3)
    spec = LoadSpec(
        backend="transformers",
        model=str(tiny_model),
        precision="float32",
        options=options,  # type: ignore[arg-type]
    )
    backend = TransformersBackend()
    rank0.server._backend = backend
    places = backend.copies(spec)
    backend.load(spec)
    backend.deadline_s = time.monotonic() + 0.2
    with pytest.raises(LostCopies) as lost:
        backend.join()
    assert lost.value.ranks == (1, 2)
    monkeypatch.setenv(*places[1].popitem())
    assert Place.own() == Place(2, 3, backend._store.port)
    assert backend.copies(spec) == []
    assert backend.deadline_s < math.inf


def test_torchrun_is_refused(pytester: pytest.Pytester) -> None:
    """Started by it, the first process to end says what to do in its place, and runs nothing.

    torchrun then ends the others, at times before they have said it too.
    """
    pytester.makepyfile("def test_it(inference):\n    inference()\n")
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
         "-m", "pytest", "-p", "no:cacheprovider"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    said = "ERROR: pytest was started as rank {} of 2 processes (by torchrun, for instance)"
    assert any(said.format(rank) in done.stderr for rank in (0, 1))
    assert "--lem-set=backends.transformers.processes=2" in done.stderr


@pytest.mark.parametrize(("size", "parts"), [(4, [2, 2]), (5, [3, 2]), (2, [1, 1])])
def test_a_batch_is_divided_evenly(size: int, parts: list[int]) -> None:
    """Each item is in one part, and the parts follow each other."""
    items = list(range(size))
    found = [part_of(items, rank, 2) for rank in (0, 1)]
    assert [len(part) for part in found] == parts
    assert [item for part in found for item in part] == items


def test_a_batch_of_too_few_is_refused() -> None:
    """No process may be left without a request."""
    with pytest.raises(LemError, match="a batch of 2 cannot be divided among 3 processes"):
        part_of([1, 2], 0, 3)


@pytest.mark.parametrize("options", [{"device": "cuda:0"}, {"device_map": "auto"}])
def test_a_device_for_all_is_refused(options: dict[str, Any]) -> None:
    """Each copy has a device of its own."""
    with pytest.raises(ValueError, match="`processes` gives each copy a device of its own"):
        TransformersOptions(processes=2, **options)


def test_a_gpu_for_each_is_needed(tiny_model: Path) -> None:
    """Fewer are told before anything is started."""
    options = TransformersOptions(processes=2, device="cuda")
    spec = LoadSpec(
        backend="transformers",
        model=str(tiny_model),
        precision="float32",
        options=options,  # type: ignore[arg-type]
    )
    with pytest.raises(LemError, match="each on a GPU of its own, but PyTorch sees 0; lower it"):
        TransformersBackend().copies(spec)


def test_a_checksum_sees_every_bit_and_its_place(tiny_model: Path, load: Any) -> None:
    """Two weights that change places, or one that is off by its last bit, make another one."""
    import torch

    backend, _ = load(tiny_model)
    model = backend._model
    before = checksum_of(torch, model)
    assert checksum_of(torch, model) == before
    weight = model.model.layers[1].mlp.up_proj.weight
    found = {before}
    with torch.no_grad():
        weight[0, [0, 1]] = weight[0, [1, 0]]
        found.add(checksum_of(torch, model))
        weight[0, 0] = torch.nextafter(weight[0, 0], torch.tensor(1e9))
        found.add(checksum_of(torch, model))
    assert len(found) == 3
