"""Each worker has GPUs of its own."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from standin import Board

from pytest_lem.plugin.assignment import assign_devices, share

VARIABLE = "CUDA_VISIBLE_DEVICES"

#: Tests that write down which worker saw what; with one that asks for energy.
SUITE = f"""
import os
import pytest

@pytest.fixture(params=range(4))
def seen(request, worker_id):
    with open("seen", "a") as file:
        print(worker_id, os.environ.get({VARIABLE!r}), file=file)

def test_plain(seen):
    pass
"""
ASKING = "\ndef test_measured(energy):\n    energy(list)\n"


@pytest.fixture
def seen(suite):
    """Return a function that runs a suite with two workers, and returns what each saw."""

    def run(source, passed):
        suite.makepyfile(test_it=source)
        result = suite.runpytest_subprocess("-n2")
        result.assert_outcomes(passed=passed)
        return set(Path("seen").read_text().splitlines())

    return run


@pytest.mark.parametrize(
    ("devices", "count", "shares"),
    [
        ("ab", 2, ["a", "b", "a"]),
        ("abcd", 2, ["ab", "cd", "ab"]),
        ("abc", 2, ["a", "b", "c", "a"]),
        ("ab", 3, ["a", "b", "a", "b"]),
        ("a", 2, ["a", "a"]),
    ],
)
def test_devices_are_shared_out_evenly(devices, count, shares):
    """More workers than devices share them; a worker in place of a crashed one gets some, too."""
    assert [share(devices, index, count) for index in range(len(shares))] == shares


@pytest.mark.parametrize(
    ("variable", "worker", "count", "left"),
    [
        ("3,1", "gw0", 2, "3"),
        ("3,1", "gw1", 2, "1"),
        ("GPU-a, GPU-b,GPU-c", "gw1", 2, "GPU-b"),
        ("MIG-1,MIG-2", "gw1", 2, "MIG-2"),
        ("0,1,-1,2", "gw1", 2, "1"),
        ("0,1,,2", "gw2", 3, "0"),
        ("7", "gw1", 2, "7"),
        ("", "gw1", 2, ""),
        ("-1", "gw1", 2, "-1"),
        ("3,1", "gw0", 1, "3,1"),
        ("3,1", "named", 2, "3,1"),
    ],
)
def test_the_callers_own_list_is_cut(monkeypatch, variable, worker, count, left):
    """As it is written: an index counts what the caller sees, never the boards of the machine."""
    monkeypatch.setenv(VARIABLE, variable)
    assign_devices(SimpleNamespace(workerinput={"workerid": worker, "workercount": count}))
    assert os.environ[VARIABLE] == left


def test_a_run_without_workers_keeps_the_list(monkeypatch):
    """There is nobody to share with."""
    monkeypatch.setenv(VARIABLE, "3,1")
    assign_devices(SimpleNamespace())
    assert os.environ[VARIABLE] == "3,1"


def test_without_a_driver_and_a_list_nothing_is_assigned(monkeypatch):
    """An empty variable would hide GPUs that are there all the same."""
    monkeypatch.setattr("pytest_lem.energy.gpu.driver.LIBRARY", "no-such-library.so")
    monkeypatch.delenv(VARIABLE, raising=False)
    assign_devices(SimpleNamespace(workerinput={"workerid": "gw0", "workercount": 2}))
    assert VARIABLE not in os.environ


def test_workers_see_their_share_of_the_list(seen, monkeypatch):
    """In a real run with two workers, without a driver's help."""
    monkeypatch.setenv(VARIABLE, "GPU-b,GPU-a")
    assert seen(SUITE + ASKING, passed=5) == {"gw0 GPU-b", "gw1 GPU-a"}


def test_without_a_list_the_boards_are_shared_out_by_uuid(seen, standin, monkeypatch):
    """As the driver lists them."""
    standin(Board(uuid="GPU-x"), Board(uuid="GPU-y"))
    monkeypatch.delenv(VARIABLE, raising=False)
    assert seen(SUITE + ASKING, passed=5) == {"gw0 GPU-x", "gw1 GPU-y"}


def test_a_suite_that_does_not_measure_keeps_its_devices(seen, monkeypatch):
    """The plugin changes nothing for tests that do not use it."""
    monkeypatch.setenv(VARIABLE, "0,1")
    assert seen(SUITE, passed=4) == {"gw0 0,1", "gw1 0,1"}


def test_a_worker_that_has_used_cuda_keeps_its_devices_and_is_warned(suite, monkeypatch):
    """CUDA reads the variable once, so the assignment would be believed by all but CUDA."""
    monkeypatch.setenv(VARIABLE, "0,1")
    suite.makeconftest(
        """
        import sys
        from types import ModuleType, SimpleNamespace

        torch = sys.modules["torch"] = ModuleType("torch")
        torch.cuda = SimpleNamespace(is_initialized=lambda: True, device_count=lambda: 0)
        """
    )
    suite.makepyfile(
        test_it=f"""
        import os
        import pytest

        @pytest.mark.parametrize("n", range(4))
        def test_x(energy, n):
            assert os.environ[{VARIABLE!r}] == "0,1"
        """
    )
    result = suite.runpytest_subprocess("-n2")
    result.assert_outcomes(passed=4, warnings=2)
    result.stdout.fnmatch_lines(
        ["*PytestWarning: the worker gw? used CUDA before its tests were collected*in fixtures*"]
    )
