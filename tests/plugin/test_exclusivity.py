"""Tests that measure run alone; the runs are real ones, with workers and locks."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from itertools import combinations
from pathlib import Path

import filelock  # noqa: F401 - like what conftest.py imports
import pytest
from standin import Board

from pytest_lem.energy.exclusive import Claim, Locks
from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.plugin.exclusivity import visible_boards

HELD = "PYTEST_LEM_LOCK_HELD"
IDS = ("GPU-aaaa", "GPU-bbbb")
WAITING = "lem: waiting for this machine to be free of other tests\n"

#: A conftest.py by which each test writes down when it ran, fixtures included.
INTERVALS = """
import json, os, time
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item):
    start_s = time.monotonic()
    result = yield
    line = json.dumps([start_s, time.monotonic(), "energy" in item.fixturenames]) + "\\n"
    with open("intervals", "a") as file:
        os.write(file.fileno(), line.encode())
    return result
"""
#: Two workers are in the middle of something nearly all the time.
MIXED = """
import pytest
from burn import burn

@pytest.mark.parametrize("n", range(6))
def test_measured(energy, n):
    with energy.window():
        burn()

@pytest.mark.parametrize("n", range(6))
def test_plain(n):
    burn()
"""


@pytest.fixture
def folder():
    """Return the folder of the locks, which is the test's own."""
    return Path(os.environ["LEM_LOCK_DIR"])


@pytest.fixture
def isolations(suite):
    """Return a function that runs tests with arguments, and returns the scope of each."""
    suite.makeconftest(
        """
        from pytest_lem.plugin.exclusivity import isolation_of

        def pytest_runtest_teardown(item):
            with open("scopes", "a") as file:
                print(item.name, isolation_of(item).scope, file=file)
        """
    )

    def run(source, *arguments):
        suite.makepyfile(test_it=source)
        result = suite.runpytest_subprocess(*arguments, timeout=60)
        assert result.ret == 0
        return dict(line.split() for line in Path("scopes").read_text().splitlines())

    return run


def test_each_test_has_what_its_figures_need(isolations, engine):
    """Work in this process, and a model's without a GPU, need the machine; others share it."""
    source = """
    import pytest

    @pytest.mark.energy
    def test_body():
        pass

    def test_fixture(energy):
        pass

    def test_model(inference):
        pass

    @pytest.mark.energy(rounds=1)
    def test_marked_model(inference):
        pass

    def test_plain():
        pass
    """
    assert isolations(source) == {
        "test_body": "machine",
        "test_fixture": "machine",
        "test_model": "machine",
        "test_marked_model": "machine",
        "test_plain": "none",
    }


@pytest.mark.parametrize(
    ("variable", "held"),
    [
        (None, "machine:shared GPU-aaaa GPU-bbbb"),
        ("1", "machine:shared GPU-bbbb"),
        ("GPU-b", "machine:shared GPU-bbbb"),
        ("", "machine:exclusive"),
    ],
)
def test_a_model_has_the_gpus_that_it_may_use(engine, standin, monkeypatch, variable, held):
    """The rest of the machine goes on, and other GPUs do."""
    standin(*(Board(uuid=uuid) for uuid in IDS))
    if variable is None:
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    else:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    engine.makepyfile(
        test_it=f"""
        import os
        from pytest_lem.energy.exclusive import Claim
        from pytest_lem.plugin.exclusivity import claim_of

        def test_model(inference):
            assert os.environ[{HELD!r}] == {held!r}

        def test_call(energy):
            assert os.environ[{HELD!r}] == "machine:exclusive"

        def test_plain(request):
            assert os.environ[{HELD!r}] == "machine:shared"
            assert claim_of(request.node, ("GPU-x",)) == Claim(gpus=("GPU-x",))
        """
    )
    engine.runpytest_subprocess().assert_outcomes(passed=3)


@pytest.mark.parametrize(
    ("boards", "variable", "found"),
    [
        ([Board(uuid=IDS[0]), Board(uuid=IDS[1], name="other")], "1", IDS),
        ([Board(uuid=IDS[0], mig_mode=1, slices=("MIG-1", "MIG-2"))], "MIG-2", IDS[:1]),
    ],
    ids=["untold index", "slice"],
)
def test_boards_are_what_is_locked(standin, monkeypatch, boards, variable, found):
    """A slice has no energy of its own; where it cannot be told which board, it is all of them."""
    standin(*boards)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", variable)
    program = """
from pytest_lem.energy.gpu.driver import Driver
from pytest_lem.plugin.exclusivity import visible_boards

print(visible_boards(Driver()))
"""
    output = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert output.stdout.decode().strip() == str(found)


def test_without_a_driver_there_are_no_boards(monkeypatch):
    """Whatever the variable says."""
    monkeypatch.setattr("pytest_lem.energy.gpu.driver.LIBRARY", "no-such-library.so")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert visible_boards(Driver()) == ()


@pytest.mark.parametrize(
    ("source", "arguments"),
    [
        ("def test_plain():\n    pass\n", []),
        ("def test_x(energy):\n    energy(list)\n", ["--lem=off"]),
        ("def test_x(energy):\n    energy(list)\n", ["--collect-only", "-v"]),
    ],
    ids=["nothing to measure", "off", "not run"],
)
def test_a_session_that_does_not_measure_locks_nothing(isolations, folder, source, arguments):
    """Nobody waits for a session whose figures nobody sees."""
    Path("scopes").touch()
    assert set(isolations(source, *arguments).values()) <= {"none"}
    assert not folder.exists()


def overlaps():
    """Return how many pairs of tests, one of them measured, ran at the same time."""
    lines = Path("intervals").read_text().splitlines()
    assert len(lines) == 12
    intervals = [json.loads(line) for line in lines]
    return sum(
        one[0] < other[1] and other[0] < one[1]
        for one, other in combinations(intervals, 2)
        if one[2] or other[2]
    )


def test_no_test_runs_while_another_is_measured(suite):
    """Two workers, plain and measured tests: not one measured test overlaps any other."""
    suite.makeconftest(INTERVALS)
    suite.makepyfile(test_it=MIXED)
    suite.runpytest_subprocess("-n2").assert_outcomes(passed=12)
    assert overlaps() == 0


def test_without_the_lock_they_do_overlap(suite):
    """The control for the test above: the same suite, with our hook left out."""
    suite.makeconftest(INTERVALS)
    suite.makepyfile(test_it=MIXED)
    suite.runpytest_subprocess("-n2", "-p", "no:lem-exclusivity").assert_outcomes(passed=12)
    assert overlaps() > 0


def test_two_workers_measure_on_two_gpus_at_once(engine, standin, monkeypatch):
    """Each test ends only when the other has begun as well."""
    standin(*(Board(uuid=uuid) for uuid in IDS))
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    engine.makepyfile(
        test_it="""
        import time
        from pathlib import Path

        import pytest
        from burn import burn
        from pytest_lem.plugin.exclusivity import isolation_of

        @pytest.mark.parametrize("own, other", [("a", "b"), ("b", "a")])
        def test_model(inference, request, own, other):
            assert isolation_of(request.node).scope == "device"
            Path(own).touch()
            end_s = time.monotonic() + 30
            while not Path(other).exists():
                burn(0.01)
                assert time.monotonic() < end_s
        """
    )
    engine.runpytest_subprocess("-n2").assert_outcomes(passed=2)


def test_waiting_is_no_part_of_the_time_limit(suite):
    """A test with a limit of three seconds waits longer than that, and passes."""
    suite.makepyfile(
        test_one="""
        from pathlib import Path
        from burn import burn

        def test_plain():
            Path("begun").touch()
            burn(4)
        """,
        test_two="""
        from pathlib import Path
        import pytest
        import scipy.stats  # which on a slow machine would take much of the limit
        from burn import burn
        from pytest_lem.plugin.exclusivity import isolation_of

        @pytest.mark.timeout(30)
        def test_other_has_begun():
            while not Path("begun").exists():
                burn(0.01)

        @pytest.mark.timeout(3)
        def test_measured(energy, request):
            energy(list)
            assert isolation_of(request.node).waited_s > 3
        """,
    )
    suite.runpytest_subprocess("-n2", "--dist=loadfile").assert_outcomes(passed=3)


#: Measured and plain tests that run pytest themselves, on a test that is measured.
OUTER = """
import numpy  # which a run in this process would import, forget, and not import again

def run(pytester, *arguments):
    addopts = "addopts = -p no:hypothesispytest"
    pytester.makeini(f"[pytest]\\nlem_preset = smoke\\nlem_meter = estimated\\n{addopts}\\n")
    pytester.makepyfile('''
        from pytest_lem.plugin.exclusivity import isolation_of

        def test_inner(energy, request):
            energy(list)
            print("inner", isolation_of(request.node).scope)
    ''')
    result = pytester.runpytest(*arguments)
    result.assert_outcomes(passed=1)
    return result.stdout

def test_measured(energy, pytester):
    run(pytester, "-rP", *ARGUMENTS).fnmatch_lines(["inner " + EXPECTED])

def test_plain(pytester):
    run(pytester, "-rP", *ARGUMENTS).fnmatch_lines(["inner none"])
"""


@pytest.mark.parametrize(
    ("way", "arguments", "expected"),
    [("inprocess", [], "machine"), ("subprocess", [], "machine"), ("subprocess", ["-n2"], "none")],
)
def test_a_test_may_run_pytest_with_tests_that_measure(suite, way, arguments, expected):
    """It does not wait for itself; inside it there is as much peace as around it.

    Workers of such a run have nothing for themselves: they share what is held around them.
    """
    suite.makepyfile(test_it=f"EXPECTED, ARGUMENTS = {expected!r}, {arguments!r}\n" + OUTER)
    result = suite.runpytest_subprocess("-p", "pytester", f"--runpytest={way}", timeout=120)
    result.assert_outcomes(passed=2)


@pytest.fixture
def _interruptible():
    """Let processes started from here be interrupted; a job in the background begins deaf to it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_interruptible")
def test_a_long_wait_is_shown_and_can_be_interrupted(suite, monkeypatch):
    """Another run measures on this machine: after a while a person is told, and may give up."""
    suite.makepyfile(test_it="def test_x(energy):\n    energy(list)\n")
    with Locks(print).hold(Claim(machine="exclusive")) as isolation:
        assert isolation.scope == "machine"
        del os.environ[HELD]  # monkeypatch would bring it back
        run = suite.popen(
            [sys.executable, "-m", "pytest", "-p", "no:xdist"], stdout=subprocess.PIPE, text=True
        )
        assert run.stdout is not None
        limit = threading.Timer(60, run.kill)
        limit.start()
        with run:
            lines = iter(run.stdout.readline, "")
            told = list(iter(lambda: next(lines, WAITING), WAITING))
            run.send_signal(signal.SIGINT)
            rest = "".join(lines)
        limit.cancel()
    assert "collected 1 item\n" in told
    assert WAITING not in rest
    assert run.returncode == pytest.ExitCode.INTERRUPTED
    assert "KeyboardInterrupt" in rest
    assert "INTERNALERROR" not in rest
