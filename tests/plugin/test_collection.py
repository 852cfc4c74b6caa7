"""Which tests are measured, and what stops before the first."""

from __future__ import annotations

import pytest


def test_a_fixture_used_through_another_fixture_asks_for_energy(lem, stored):
    """What counts is whether `energy` is used, not where its name stands."""
    lem(
        """
        import pytest

        @pytest.fixture
        def meter(energy):
            return energy

        def test_x(meter):
            meter(list)
        """,
        "--lem=only",
    ).assert_outcomes(passed=1)
    assert [r.case.key for r in stored().records] == ["test_it::test_x"]


def test_other_tests_of_the_module_are_left_alone(lem, stored):
    """Order and outcome of plain tests do not change."""
    result = lem(
        """
        def test_a():
            pass

        def test_b(energy):
            energy(list)

        def test_c():
            pass
        """,
        "--collect-only",
        "-q",
    )
    assert result.stdout.lines[:3] == [f"test_it.py::test_{name}" for name in "abc"]
    assert stored().records == []


def test_deselected_tests_are_not_checked(lem):
    """A mistake in a test that does not run stops nothing."""
    lem(
        """
        import pytest

        @pytest.mark.energy(wrk=1)
        def test_wrong():
            pass

        @pytest.mark.energy
        def test_right():
            pass
        """,
        "-k",
        "right",
    ).assert_outcomes(passed=1, deselected=1)


TIMEOUT = """
import pytest

@pytest.mark.energy(rounds=3, min_window=2)
{mark}
def test_x({argument}):
    pass
"""


@pytest.mark.parametrize(
    ("mark", "arguments", "limit"),
    [
        ("", ["--timeout=5"], "5"),
        ("@pytest.mark.timeout(4.5)", [], "4.5"),
        ("@pytest.mark.timeout(timeout=4)", ["--timeout=60"], "4"),
    ],
)
def test_a_timeout_shorter_than_the_windows_is_refused(lem, mark, arguments, limit):
    """A limit that ends a measurement which goes as planned is a mistake, said at once."""
    result = lem(TIMEOUT.format(mark=mark, argument="energy"), *arguments)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert result.stderr.str().strip() == (
        f"ERROR: test_it.py::test_x: the timeout of {limit} s is shorter than its windows and "
        "rests, 6 s; raise the timeout or shorten measure.rounds and measure.min_window_s"
    )


def test_a_timeout_in_the_ini_file_counts(lem, configure):
    """pytest-timeout takes its limit from the ini file, too."""
    configure("lem_preset = smoke\ntimeout = 5\n")
    result = lem(TIMEOUT.format(mark="", argument=""))
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: test_it.py::test_x: the timeout of 5 s is shorter *"])


@pytest.mark.parametrize(
    ("mark", "arguments"),
    [("", ["--timeout=7"]), ("@pytest.mark.timeout(0)", ["--timeout=5"]), ("", ["--lem=off"])],
)
def test_a_timeout_that_leaves_room_is_accepted(lem, mark, arguments):
    """Longer limits, none at all, and runs that measure nothing go on."""
    result = lem(
        TIMEOUT.format(mark=mark, argument="energy"), *arguments, "--timeout-method=signal"
    )
    result.assert_outcomes(passed=1)
