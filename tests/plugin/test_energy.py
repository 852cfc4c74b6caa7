"""The fixture `energy`."""

from __future__ import annotations

from pathlib import Path


def keys(stored):
    return [record.case.key for record in stored().records]


def test_result_is_passed_through_and_the_record_has_the_key_of_the_test(lem, stored):
    """`energy(fn, ...)` hands on arguments and result; the key is module::test[param]."""
    result = lem(
        """
        import pytest

        @pytest.mark.parametrize("size", [3, 4])
        def test_sum(energy, size):
            assert energy(lambda a, *, b: (a, b, size), 1, b=2) == (1, 2, size)
        """
    )
    result.assert_outcomes(passed=2)
    records = stored().records
    assert [r.case.key for r in records] == ["test_it::test_sum[3]", "test_it::test_sum[4]"]
    assert [r.nodeid for r in records] == [
        "test_it.py::test_sum[3]",
        "test_it.py::test_sum[4]",
    ]
    assert {(r.status, r.validity, r.case.kind, r.origin) for r in records} == {
        ("ok", "valid", "call", "measured")
    }
    assert all(r.case.settings.backend is None for r in records)


def test_short_work_is_repeated_inside_windows(lem, stored):
    """Calls are repeated until a window is as long as asked; every call is counted."""
    lem(
        """
        import pathlib

        calls = 0

        def fn():
            global calls
            calls += 1

        def test_repeated(energy):
            energy(fn)
            in_windows = sum(r.work.calls for r in energy.records[0].rounds)
            assert calls > in_windows  # the rest is the warm-up
        """,
        "--lem-set=measure.min_window_s=0.05",
        "--lem-set=measure.rounds=3",
    ).assert_outcomes(passed=1)
    (record,) = stored().records
    assert len(record.rounds) == 3
    assert all(r.work.calls > 1 for r in record.rounds)
    assert record.settings_origin["measure.rounds"] == "--lem-set measure.rounds"


def test_work_of_the_marker_counts_for_every_call(lem, stored):
    """`work=` is the work of one call, so the energy of a unit is that of a call over `work`."""
    lem(
        """
        import pytest
        from burn import burn

        @pytest.mark.energy(work=4, unit="page")
        def test_pages(energy):
            energy(burn)
        """
    ).assert_outcomes(passed=1)
    (record,) = stored().records
    assert [r.work.units for r in record.rounds] == [4 * r.work.calls for r in record.rounds]
    per_call, per_unit = (record.metrics[f"energy_per_{of}_j"].value for of in ("call", "unit"))
    assert per_call == 4 * per_unit > 0
    assert record.case.settings.unit == "page"


def test_several_measurements_of_a_test_are_numbered_or_named(lem, stored):
    """The first has the key of the test, later ones `#2`, `#3`, or `#` and their name."""
    lem(
        """
        def test_many(energy):
            energy(list)
            with energy.window("load"):
                pass
            energy(dict)
            with energy.window():
                pass
        """
    ).assert_outcomes(passed=1)
    assert keys(stored) == [f"test_it::test_many{end}" for end in ("", "#load", "#3", "#4")]


def test_two_windows_of_one_name_are_refused(lem, stored):
    """A name given twice in a test would mix two cases under one key."""
    result = lem(
        """
        def test_twice(energy):
            for _ in range(2):
                with energy.window("load"):
                    pass
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["two windows of this test are called test_it::test_twice#load; rename one of them"]
    )
    assert keys(stored) == ["test_it::test_twice#load"]


def test_a_window_counts_the_work_that_is_set_before_it_closes(lem, stored):
    """`work` may be known only at the end of the block; `unit` comes with the window."""
    lem(
        """
        from burn import burn

        def test_window(energy):
            with energy.window(work=2, unit="token") as w:
                burn()
                assert w.record is None and w.energy_j is None
                w.work = 10
            assert w.energy_j > 0
            assert w.record is energy.records[0]
        """
    ).assert_outcomes(passed=1)
    (record,) = stored().records
    assert record.rounds[0].work.units == 10
    assert record.case.settings.unit == "token"
    assert record.rounds[0].energies[0].tier == "estimated"
    assert {"single_round", "estimated", "short_window", "shortened"} == set(record.flags)


def test_work_that_is_no_positive_number_is_refused(lem):
    """Work of 0 or less is refused where it is given and when the window closes."""
    result = lem(
        """
        import pytest
        from pytest_lem import LemError

        def test_given(energy):
            energy.window(work=0)

        def test_set(energy):
            with energy.window() as w:
                w.work = -3
        """
    )
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["`work` of a window is above 0, not 0"])
    result.stdout.fnmatch_lines(["`work` of a window is above 0, not -3"])


def test_a_measurement_inside_a_window_is_refused(lem, stored):
    """The meters read one window at a time; a second inside would spoil the first."""
    result = lem(
        """
        def test_nested(energy):
            with energy.window("outer"):
                energy(list)

        def test_next(energy):
            energy(list)
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["a window is still open in this test, and the meters read one*"])
    assert [(r.case.key, r.failure_kind) for r in stored().records] == [
        ("test_it::test_nested#outer", "config"),
        ("test_it::test_next", None),
    ]


def test_an_exception_in_a_window_fails_the_test_with_its_own_error(lem, stored):
    """The record says that the test failed and why; what was measured before stays apart."""
    result = lem(
        """
        def test_broken(energy):
            with energy.window():
                raise RuntimeError("no such shelf")
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*raise RuntimeError*", "E * RuntimeError: no such shelf"])
    (record,) = stored().records
    assert (record.status, record.failure_kind, record.message, record.rounds) == (
        "failed",
        "test",
        "no such shelf",
        [],
    )
    assert record.metrics["energy_per_call_j"].reason == "no such shelf"


def test_an_exception_in_a_function_keeps_its_traceback(lem, stored):
    """A person sees the line of their own code that failed."""
    result = lem(
        """
        def deep():
            return 1 / 0

        def test_broken(energy):
            energy(deep)
        """
    )
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([">       return 1 / 0", "E       ZeroDivisionError*"])
    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "test")


def test_a_failing_assertion_after_the_measurement_fails_its_record(lem, stored):
    """Figures of a test that found its result wrong are kept, marked as failed."""
    lem("def test_wrong(energy):\n    assert energy(lambda: 1) == 2").assert_outcomes(failed=1)
    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "test")
    assert record.rounds


def test_a_skip_in_measured_code_leaves_no_record(lem, stored):
    """A test that skips itself has measured nothing, which is no failure."""
    lem(
        """
        import pytest

        def test_called(energy):
            energy(pytest.skip, "not here")

        def test_window(energy):
            with energy.window():
                pytest.skip("not here")

        @pytest.mark.energy
        def test_body():
            pytest.skip("not here")
        """
    ).assert_outcomes(skipped=3)
    assert stored().records == []


def test_coroutines_are_measured_in_the_running_loop(lem, stored):
    """`await energy.arun(coro_fn, ...)` repeats a coroutine function and returns its result."""
    lem(
        """
        import asyncio
        import pytest

        @pytest.mark.asyncio
        async def test_async(energy):
            loop = asyncio.get_running_loop()

            calls = []

            async def work(value):
                await asyncio.sleep(0)
                assert asyncio.get_running_loop() is loop
                calls.append(value)
                return value

            assert await energy.arun(work, "done") == "done"
            in_windows = sum(r.work.calls for r in energy.records[0].rounds)
            assert len(calls) > in_windows > 1
        """
    ).assert_outcomes(passed=1)
    (record,) = stored().records
    assert record.case.key == "test_it::test_async"
    assert len(record.rounds) == 2


def test_an_exception_in_a_coroutine_fails_its_record(lem, stored):
    """A coroutine that raises ends the test with its own error."""
    result = lem(
        """
        import pytest

        @pytest.mark.asyncio
        async def test_async(energy):
            async def work():
                raise RuntimeError("gone")

            await energy.arun(work)
        """
    )
    result.stdout.fnmatch_lines(["E * RuntimeError: gone"])
    assert [(r.status, r.message) for r in stored().records] == [("failed", "gone")]


def test_off_runs_everything_once_and_writes_nothing(suite):
    """With `--lem=off` the suite is a correctness suite: one call each, no file, no directory."""
    suite.makepyfile(
        """
        import pytest

        calls = []

        def fn(value):
            calls.append(value)
            return value

        def test_called(energy):
            assert energy(fn, 1) == 1
            assert calls == [1] and energy.records == []

        def test_window(energy):
            with energy.window(work=3) as w:
                fn(2)
            assert w.record is None and w.energy_j is None

        @pytest.mark.asyncio
        async def test_coroutine(energy):
            async def work():
                return fn(3)
            assert await energy.arun(work) == 3

        @pytest.mark.energy(rounds=5, max_joules=1e-12)
        def test_body():
            fn(4)

        def test_total():
            assert calls == [1, 2, 3, 4]
        """
    )
    result = suite.runpytest_inprocess("--lem=off")
    result.assert_outcomes(passed=5)
    result.stdout.fnmatch_lines(["lem: off, tests run once and nothing is measured"])
    result.stdout.no_fnmatch_line("*energy*===*")
    assert not Path(suite.path, ".lem").exists()


def test_warnings_of_measured_code_are_recorded_once_and_shown(lem, stored):
    """However often the work is repeated, a person sees its warning, and sees it once."""
    result = lem(
        """
        import warnings

        def test_careful(energy):
            energy(warnings.warn, "mind the step", UserWarning)
            energy(list)
        """
    )
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*UserWarning: mind the step"])
    first, second = stored().records
    assert [(w.category, w.message) for w in first.warnings] == [("UserWarning", "mind the step")]
    assert second.warnings == []


def test_warnings_before_a_failure_are_shown(lem, stored):
    """A warning often explains the failure that follows it."""
    result = lem(
        """
        import warnings

        def work():
            warnings.warn("mind the step")
            raise RuntimeError("fallen")

        def test_careful(energy):
            energy(work)
        """
    )
    result.assert_outcomes(failed=1, warnings=1)
    assert [w.message for w in stored().records[0].warnings] == ["mind the step"]


def test_warnings_as_errors_fail_the_test(lem, stored):
    """`-W error` reaches measured code, and nothing of the plugin warns by itself."""
    lem(
        """
        import warnings

        def test_loud(energy):
            energy(warnings.warn, "mind the step")

        def test_quiet(energy):
            energy(list)
        """,
        "-Werror",
    ).assert_outcomes(passed=1, failed=1)
    assert [r.message for r in stored().records] == ["mind the step", None]
