"""The bridge to pytest-benchmark."""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

#: A clock that stands still but for the work, so that pytest-benchmark finds the same figures in
#: every run; its steps are powers of two, of which sums are exact.
CLOCK = """
now = 0.0

def timer():
    global now
    now += 2**-30
    return now

def work(value=None, *, seconds=2**-6):
    global now
    now += seconds
    return value
"""

SUITE = """
import pytest
from clock import work

def test_plain(benchmark):
    assert benchmark(work, 7, seconds=2**-5) == 7

def test_decorated(benchmark):
    benchmark.extra_info["colour"] = "blue"
    @benchmark
    def found():
        return work()
    assert found is None

@pytest.mark.parametrize("rounds", [1, 3])
def test_pedantic(benchmark, rounds):
    assert benchmark.pedantic(work, args=(7,), rounds=rounds, iterations=2, warmup_rounds=1) == 7

@pytest.mark.benchmark(min_rounds=4, group="few")
def test_set_up(benchmark):
    found = benchmark.pedantic(work, setup=lambda: ((8,), {}), teardown=work, rounds=3)
    assert found == 8

def test_other():
    pass
"""

REAL_TIME = "--benchmark-timer=time.perf_counter"


@pytest.fixture
def bench(suite, monkeypatch):
    """Run a suite whose benchmarks are timed by a clock of their own; they write `bench.json`."""
    suite.makepyfile(clock=CLOCK)
    suite.syspathinsert()
    monkeypatch.setenv("PYTHONPATH", str(suite.path))

    def run(source, *arguments):
        if source:
            suite.makepyfile(test_it=source)
        timing = ("--benchmark-timer=clock.timer", "--benchmark-max-time=0.1")
        outputs = ("--benchmark-json=bench.json", "--lem-json=run.json")
        if "no:lem" in arguments:
            outputs = outputs[:1]
        # Workers of pytest-xdist get the path on which a process was started.
        is_parallel = "-n2" in arguments
        way = suite.runpytest_subprocess if is_parallel else suite.runpytest_inprocess
        return way(*timing, *outputs, "-Wdefault", *arguments)

    return run


@pytest.fixture
def timed(suite):
    """Return a function that reads what pytest-benchmark wrote in the last run, by test."""

    def read():
        text = Path(suite.path, "bench.json").read_text()
        return {bench["name"]: bench for bench in json.loads(text)["benchmarks"]}

    return read


def records(stored):
    return {record.case.key.partition("::")[2]: record for record in stored().records}


def energies(timed):
    return {name: bench["extra_info"].get("energy") for name, bench in timed().items()}


def tables(result):
    """Return the lines of pytest-benchmark's tables, which end with what the columns mean."""
    lines = result.stdout.lines
    start = next(n for n, line in enumerate(lines) if " benchmark" in line and "---" in line)
    return lines[start : lines.index("Legend:")]


def test_a_whole_suite_is_measured_and_its_timings_stay_as_they_were(bench, timed, stored):
    """Statistics, data and tables are to the letter those of a run without this plugin."""
    without = bench(SUITE, "-p", "no:lem")
    expected = timed()
    result = bench(None, "--lem-benchmark")
    for each in (without, result):
        each.assert_outcomes(passed=6)
    assert tables(result) == tables(without)
    found = timed()
    assert list(found) == list(expected)
    for name, entry in found.items():
        energy = entry["extra_info"].pop("energy")
        assert energy["rounds"] == 2
        assert energy["case"] == f"test_it::{name}"
        assert entry == expected[name]
    assert found["test_decorated"]["extra_info"] == {"colour": "blue"}
    assert list(records(stored)) == list(found)
    assert {(r.case.kind, r.status, r.nodeid) for r in stored().records} == {
        ("call", "ok", f"test_it.py::{name}") for name in found
    }


def test_the_marker_asks_for_one_test(bench, timed, stored):
    """A marked test is not measured as a body any more: the windows hold calls of the target."""
    source = """
    import pytest
    from burn import burn
    from clock import work

    @pytest.mark.energy(rounds=3, work=4, unit="page")
    def test_marked(benchmark):
        benchmark(burn)

    def test_other(benchmark):
        benchmark(work)
    """
    bench(source, REAL_TIME).assert_outcomes(passed=2)
    (record,) = stored().records
    assert record.case.key == "test_it::test_marked"
    assert [(r.work.calls, r.work.units) for r in record.rounds] == [(1, 4.0)] * 3
    found = energies(timed)
    assert found["test_other"] is None
    assert found["test_marked"] == {
        "energy_per_call_j": record.metrics["energy_per_call_j"].value,
        "energy_per_call_u_k2_j": record.metrics["energy_per_call_j"].u,
        "tier": "estimated",
        "call_duration_s": record.metrics["call_duration_s"].value,
        "rounds": 3,
        "calls": 3,
        "status": "ok",
        "validity": "valid",
        "reason": None,
        "flags": "estimated, short_window, shortened",
        "case": "test_it::test_marked",
        "run": stored().run.id,
    }
    assert found["test_marked"]["energy_per_call_j"] > 0


def test_short_calls_are_repeated_until_a_window_is_long_enough(bench, stored):
    """As with the fixture `energy`: pytest-benchmark's own number of rounds is no matter."""
    source = """
    def test_short(benchmark):
        benchmark.pedantic(len, ("shelf",), rounds=1)
    """
    bench(source, "--lem-benchmark", "--lem-set=measure.min_window_s=0.05")
    (record,) = stored().records
    assert all(r.work.calls > 100 and r.t1 - r.t0 > 0.01 for r in record.rounds)


def test_every_call_is_set_up_and_torn_down_outside_of_its_window(bench, stored, suite):
    """With a setup or a teardown a window holds one call, and is flagged as short."""
    source = """
    import time
    from pathlib import Path
    import pytest

    log = []
    def note(name):
        log.append((name, time.monotonic()))

    def setup():
        note("setup")
        return ("a",), {"b": "c"}

    def target(a, *, b):
        note("call")
        assert (a, b) == ("a", "c")

    def teardown(a, *, b):
        note("teardown")
        assert (a, b) == ("a", "c")

    @pytest.mark.energy
    def test_it(benchmark):
        benchmark.pedantic(target, setup=setup, teardown=teardown, rounds=5)
        assert [name for name, _ in log] == ["setup", "call", "teardown"] * 7
        Path("log").write_text(" ".join(str(time_s) for _, time_s in log[15:]))
    """
    bench(source, "--lem-set=measure.min_window_s=1").assert_outcomes(passed=1)
    (record,) = stored().records
    moments = iter(map(float, Path("log").read_text().split()))
    for r in record.rounds:
        assert next(moments) < r.t0 < next(moments) < r.t1 < next(moments)
        assert r.work.calls == 1
    assert "short_window" in record.flags


def test_arguments_stay_where_a_setup_returns_none(bench, stored):
    """A setup may prepare things and leave the arguments to the test; the same with a teardown."""
    source = """
    calls = []

    def test_setup(benchmark):
        benchmark.pedantic(calls.append, args=(1,), setup=calls.clear, rounds=2)
        assert calls == [1]

    def test_teardown(benchmark):
        benchmark.pedantic(calls.append, args=(2,), teardown=calls.remove, rounds=2)
        assert calls == [1]
    """
    bench(source, "--lem-benchmark").assert_outcomes(passed=2)
    assert [[r.work.calls for r in record.rounds] for record in stored().records] == [[1, 1]] * 2


def test_woven_functions_are_measured_where_they_are_called(bench, suite, timed, stored):
    """`benchmark.weave` and `patch` go through the fixture itself."""
    source = """
    import pytest
    import shelf

    @pytest.mark.parametrize("way", ["weave", "patch"])
    def test_woven(benchmark, way):
        getattr(benchmark, way)("shelf.inner")
        assert shelf.outer(3) == 6

    def test_fixture(benchmark_weave):
        benchmark_weave("shelf.inner")
        assert shelf.outer(3) == 6
    """
    suite.makepyfile(shelf="def inner(n):\n    return 2 * n\ndef outer(n):\n    return inner(n)")
    bench(source, "--lem-benchmark", REAL_TIME).assert_outcomes(passed=3)
    names = ["test_woven[weave]", "test_woven[patch]", "test_fixture"]
    assert list(records(stored)) == list(energies(timed)) == names


def test_a_benchmark_that_is_never_called_measures_nothing(bench, stored):
    """pytest-benchmark warns; a budget on such a test fails it."""
    source = """
    import pytest

    def test_unused(benchmark):
        pass

    @pytest.mark.energy(max_joules=5)
    def test_budget(benchmark):
        pass
    """
    result = bench(source, "--lem-benchmark")
    result.assert_outcomes(passed=1, failed=1, warnings=2)
    result.stdout.fnmatch_lines(["*Benchmark fixture was not used at all*"])
    result.stdout.fnmatch_lines(
        ["the marker sets an energy budget, but this test measured nothing*"]
    )
    assert stored().records == []


def test_a_second_call_fails_as_it_did(bench, stored):
    """pytest-benchmark allows one; the first has its record."""
    source = """
    def test_twice(benchmark):
        benchmark(len, "a")
        benchmark.pedantic(len, ("a",))
    """
    result = bench(source, "--lem-benchmark", REAL_TIME)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E*FixtureAlreadyUsed: Fixture can only be used once.*"])
    (record,) = stored().records
    assert (record.status, len(record.rounds)) == ("failed", 2)


def test_a_failing_target_gets_no_pass(bench, stored):
    """The test fails as without us: same error, same lines of the traceback, no record."""
    source = """
    calls = []
    def target():
        calls.append(1)
        raise RuntimeError("no such shelf")

    def test_called(benchmark):
        benchmark(target)

    def test_pedantic(benchmark):
        assert len(calls) == 1
        benchmark.pedantic(target)

    def test_calls():
        assert len(calls) == 2
    """
    said = []
    for arguments in (("-p", "no:lem"), ("--lem-benchmark",)):
        result = bench(source, *arguments)
        result.assert_outcomes(passed=1, failed=2)
        said.append([line for line in result.stdout.lines if line.startswith(("E ", ">", "test_"))])
    assert "E       RuntimeError: no such shelf" in said[0]
    assert said[0] == said[1]
    assert stored().records == []


def test_a_failure_in_the_pass_says_where_it_comes_from(bench, timed, stored):
    """What cannot be called again fails its test, which is told why; the timings are kept."""
    source = """
    def test_once(benchmark):
        benchmark.pedantic(["only"].pop, rounds=1)
    """
    result = bench(source, "--lem-benchmark")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["E*IndexError: pop from empty list", "E*This was raised in the energy pass of pytest-lem*"]
    )
    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "test")
    bench_entry = timed()["test_once"]
    assert bench_entry["stats"]["rounds"] == 1
    energy = bench_entry["extra_info"]["energy"]
    assert (energy["energy_per_call_j"], energy["status"]) == (None, "failed")
    assert energy["reason"] == "pop from empty list"


@pytest.mark.parametrize("arguments", [["--benchmark-disable"], ["-n2"]], ids=["disabled", "xdist"])
def test_what_pytest_benchmark_leaves_out_is_measured_all_the_same(bench, stored, arguments):
    """It calls the target once where it is switched off, as it is under pytest-xdist."""
    result = bench(SUITE, "--lem-benchmark", *arguments)
    result.assert_outcomes(passed=6)
    result.stdout.fnmatch_lines(["lem: 5 benchmarks get an energy pass after the rounds of *"])
    found = records(stored)
    assert sorted(found) == [
        "test_decorated", "test_pedantic[1]", "test_pedantic[3]", "test_plain", "test_set_up",
    ]  # fmt: skip
    assert {r.isolation.scope for r in found.values()} == {"machine"}
    assert [len(r.rounds) for r in found.values()] == [2] * 5


MIXED = """
import pytest

def test_timed(benchmark):
    benchmark.pedantic(list)

@pytest.mark.energy
def test_body():
    pass

def test_other():
    pass
"""


@pytest.mark.parametrize(
    ("arguments", "outcomes", "measured"),
    [
        (["--benchmark-only"], {"passed": 1, "skipped": 2}, ["test_timed"]),
        (["--benchmark-skip"], {"passed": 2, "skipped": 1}, ["test_body"]),
        (["--lem=only"], {"passed": 2, "deselected": 1}, ["test_timed", "test_body"]),
        (["--lem=only", "-k", "timed"], {"passed": 1, "deselected": 2}, ["test_timed"]),
    ],
)
def test_tests_are_chosen_as_ever(bench, stored, arguments, outcomes, measured):
    """pytest-benchmark's switches keep their meaning, and ours take its tests for energy tests."""
    result = bench(MIXED, "--lem-benchmark", *arguments)
    result.assert_outcomes(**outcomes)
    assert list(records(stored)) == measured
    announced = any("an energy pass after the rounds" in line for line in result.stdout.lines)
    assert announced == ("test_timed" in measured)


def test_off_adds_no_pass(bench, timed, suite):
    """Each target is called as often as pytest-benchmark does it."""
    source = """
    import pytest
    calls = []

    @pytest.mark.energy
    def test_it(benchmark):
        benchmark.pedantic(calls.append, (1,), rounds=3)
        assert len(calls) == 3
    """
    bench(source, "--lem=off", "--lem-benchmark").assert_outcomes(passed=1)
    assert energies(timed) == {"test_it": None}
    assert not suite.path.joinpath(".lem").exists()


def test_without_marker_and_option_nothing_happens(bench, timed, suite):
    """A suite of benchmarks beside an installed plugin loads nothing of the bridge."""
    suite.makeconftest(
        "def pytest_sessionfinish(session):\n"
        "    assert not session.config.pluginmanager.hasplugin('lem-bridge')\n"
    )
    bench(SUITE).assert_outcomes(passed=6)
    assert set(energies(timed).values()) == {None}
    assert not suite.path.joinpath(".lem").exists()


@pytest.mark.parametrize("way", ["variable", "ini"])
def test_the_switch_can_stand_in_the_environment_or_the_ini_file(
    bench, stored, configure, monkeypatch, way
):
    """A suite whose sources nobody may touch is measured from outside."""
    ini = "lem_preset = smoke\nlem_meter = estimated\nlem_set = energy.sample_s=0\n"
    configure(ini + ("lem_benchmark = true\n" if way == "ini" else ""))
    if way == "variable":
        monkeypatch.setenv("LEM_BENCHMARK", "1")
    bench(MIXED).assert_outcomes(passed=3)
    assert list(records(stored)) == ["test_timed", "test_body"]


def test_a_budget_is_judged(bench, timed, stored):
    """A call over its budget fails the test, and its record says so."""
    source = """
    import pytest
    from burn import burn

    @pytest.mark.energy(max_joules=1e-9)
    def test_costly(benchmark):
        benchmark.pedantic(burn)

    @pytest.mark.energy(max_joules=1e9)
    def test_cheap(benchmark):
        benchmark.pedantic(burn)
    """
    result = bench(source)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["test_it::test_costly: *"])
    assert {name: (r.status, r.failure_kind) for name, r in records(stored).items()} == {
        "test_costly": ("failed", "gate"),
        "test_cheap": ("ok", None),
    }


GATED = """
from burn import burn

def test_gated(benchmark):
    benchmark.pedantic(burn, rounds=2)
"""


def test_the_gate_judges_it_like_other_calls(bench, stored, timed, history):
    """What is flagged is measured again in the same test; `extra_info` keeps the first figures."""
    options = ["--lem-benchmark", "--lem-set=gate.estimates=true"]
    bench(GATED, *options, "--lem-save=main").assert_outcomes(passed=1)
    history(0.01)
    result = bench(GATED, *options, "--lem-baseline=main")
    result.assert_outcomes(failed=1)
    first, second = stored().records
    assert (first.repetition, second.repetition) == (1, 2)
    energy = timed()["test_gated"]["extra_info"]["energy"]
    assert energy["energy_per_call_j"] == first.metrics["energy_per_call_j"].value
    assert timed()["test_gated"]["stats"]["rounds"] == 2


def test_what_was_measured_is_taken_over_when_a_run_is_resumed(bench, stored, timed):
    """pytest-benchmark times it anew; its energy comes from the earlier run."""
    bench(GATED, "--lem-benchmark")
    earlier = timed()["test_gated"]["extra_info"]["energy"]
    bench(GATED, "--lem-benchmark", "--lem-resume").assert_outcomes(passed=1)
    (record,) = stored().records
    assert record.origin == "resumed"
    energy = timed()["test_gated"]["extra_info"]["energy"]
    assert energy["energy_per_call_j"] == earlier["energy_per_call_j"]


def test_the_added_time_is_announced_and_held_against_timeouts(bench):
    """Before the tests run; skipped ones are left out."""
    source = """
    import pytest

    @pytest.mark.timeout(10)
    @pytest.mark.parametrize("n", [1, 2])
    def test_it(benchmark, n):
        benchmark(len, "a")

    @pytest.mark.skip
    def test_skipped(benchmark):
        pass
    """
    result = bench(source, "--lem-benchmark", "--lem-set=measure.min_window_s=2", "--collect-only")
    result.stdout.fnmatch_lines(
        [
            "collected 3 items",
            "lem: smoke preset,*",
            "lem: 2 benchmarks get an energy pass after the rounds *: at least 8 s in all, less *",
        ]
    )
    result = bench(source, "--lem-benchmark", "--lem-set=measure.min_window_s=6")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: test_it.py::test_it?1?: the timeout of 10 s is shorter*"])


def test_a_test_that_uses_our_fixture_too_measures_what_it_says(bench, stored, timed):
    """There is no second pass behind the back of a test that calls `energy` itself."""
    source = """
    def test_both(benchmark, energy):
        benchmark(len, "a")
        energy(list)
        assert len(energy.records) == 1
    """
    bench(source, "--lem-benchmark", REAL_TIME).assert_outcomes(passed=1)
    assert len(stored().records) == 1
    assert energies(timed) == {"test_both": None}


def test_fixtures_on_top_of_theirs_are_measured(bench, stored):
    """Where a suite builds on `benchmark`, or calls it in a fixture, it is theirs all the same."""
    source = """
    import pytest

    @pytest.fixture
    def benchmark(benchmark):
        benchmark.extra_info["on"] = "top"
        return benchmark

    @pytest.fixture
    def result(benchmark):
        return benchmark.pedantic(len, ("abc",))

    def test_built_on(result):
        assert result == 3
    """
    bench(source, "--lem-benchmark").assert_outcomes(passed=1)
    assert {name: len(r.rounds) for name, r in records(stored).items()} == {"test_built_on": 2}


def test_methods_of_unittest_are_measured(bench, stored):
    """They get the fixture from one that is used by itself, as pytest-benchmark's pages show."""
    source = """
    import unittest
    import pytest

    class TestShelf(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def set_up(self, benchmark):
            self.benchmark = benchmark

        @pytest.mark.energy
        def test_marked(self):
            assert self.benchmark.pedantic(len, ("abc",)) == 3

        def test_other(self):
            assert self.benchmark.pedantic(len, ("abc",)) == 3
    """
    bench(source).assert_outcomes(passed=2)
    assert list(records(stored)) == ["TestShelf::test_marked"]
    bench(source, "--lem-benchmark").assert_outcomes(passed=2)
    assert list(records(stored)) == ["TestShelf::test_marked", "TestShelf::test_other"]


def test_cycles_repeat_a_benchmark_with_its_pass(bench, stored):
    """As they repeat every test that asks for energy."""
    bench(GATED, "--lem-benchmark", "--lem-cycles=2").assert_outcomes(passed=2)
    assert [r.cycle for r in stored().records] == [1, 2]
    assert {r.case.key for r in stored().records} == {"test_it::test_gated"}


def test_a_strangers_fixture_of_that_name_is_left_alone(lem, stored):
    """Without pytest-benchmark a marked test with such a fixture is a body, as before."""
    source = """
    import pytest

    @pytest.fixture
    def benchmark():
        return lambda function, *args: function(*args)

    def test_alone(benchmark):
        assert benchmark(len, "a") == 1

    @pytest.mark.energy
    def test_marked(benchmark):
        assert benchmark(len, "a") == 1
    """
    lem(source, "-p", "no:benchmark").assert_outcomes(passed=2)
    assert {name: len(r.rounds) for name, r in records(stored).items()} == {"test_marked": 1}


def test_tracers_are_paused_while_energy_is_measured(bench):
    """As pytest-benchmark does it: what coverage costs is no part of a call."""
    source = """
    import sys

    seen = []
    def target():
        seen.append((sys.gettrace(), sys.getprofile()))

    def tracer(*arguments):
        return None

    def test_it(benchmark):
        before = sys.gettrace()
        sys.settrace(tracer)
        try:
            benchmark.pedantic(target, rounds=2)
            after = sys.gettrace()
        finally:
            sys.settrace(before)
        assert after is tracer
        assert len(seen) > 3 and set(seen) == {(None, None)}
    """
    bench(source, "--lem-benchmark").assert_outcomes(passed=1)


def test_without_pytest_benchmark_the_option_says_what_to_install(suite):
    """A mistake, and not a traceback; without the option nothing changes."""
    suite.makepyfile(test_it="def test_x():\n    pass\n")
    result = suite.runpytest_inprocess("-p", "no:benchmark", "--lem-benchmark")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.lines[0] == (
        "ERROR: --lem-benchmark needs pytest-benchmark, which is not installed, or switched off; "
        "install it with pip install 'pytest-lem[benchmark]'"
    )
    suite.runpytest_inprocess("-p", "no:benchmark").assert_outcomes(passed=1)


def _brief(self, target, rounds):
    """Stand for a `pedantic` that takes less."""


def _bare(self, function):
    """Stand for a fixture that takes no arguments."""


@pytest.mark.parametrize(
    ("name", "other", "doubt"),
    [
        (
            "BenchmarkFixture.pedantic",
            _brief,
            "`benchmark.pedantic` does not take `args`",
        ),
        (
            "BenchmarkFixture.__call__",
            _bare,
            "`benchmark` does not take a function with its arguments",
        ),
        ("BenchmarkFixture", None, "it has no BenchmarkFixture"),
    ],
)
def test_a_pytest_benchmark_that_is_not_understood_is_refused(
    suite, monkeypatch, name, other, doubt
):
    """One sentence before any test runs: which version, what about it, what to do."""
    if other:
        monkeypatch.setattr(f"pytest_benchmark.fixture.{name}", other)
    else:
        monkeypatch.delattr(f"pytest_benchmark.fixture.{name}")
    suite.makepyfile(test_it=MIXED)
    result = suite.runpytest_inprocess("--lem-benchmark")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    (line,) = (line for line in result.stderr.lines if line.startswith("ERROR"))
    assert line == (
        f"ERROR: pytest-benchmark {version('pytest-benchmark')} is not understood ({doubt}), so "
        "energy cannot be measured beside it; install pytest-benchmark 5, or leave out "
        "--lem-benchmark and the marker `energy` on tests that use `benchmark`"
    )
    result = suite.runpytest_inprocess("--lem-benchmark", "-k", "body")
    result.assert_outcomes(passed=1, deselected=2)


def test_our_modules_and_theirs_are_not_imported_before_they_are_needed(suite):
    """An energy test beside benchmarks that nobody wants measured loads no bridge."""
    suite.makepyfile(test_it=MIXED)
    program = "import sys, pytest; pytest.main(sys.argv[1:]); print('FOUND', *sys.modules)"
    result = suite.run(sys.executable, "-c", program, "-p", "no:benchmark", "-k", "body")
    (line,) = (line for line in result.stdout.lines if line.startswith("FOUND"))
    assert "pytest_lem.plugin.body" in line.split()
    assert "pytest_lem.plugin.bridge" not in line
    assert "pytest_benchmark" not in line
