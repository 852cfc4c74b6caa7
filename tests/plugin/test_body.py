"""The marker without a fixture: the body of the test is the work."""

from __future__ import annotations

import pytest


def test_a_body_runs_exactly_once_by_default(lem, stored):
    """A test that is only marked keeps its meaning: it runs once, without warm-up."""
    lem(
        """
        import pytest

        calls = []

        @pytest.mark.energy(work=2, unit="page")
        def test_body():
            calls.append(1)

        def test_count():
            assert len(calls) == 1
        """
    ).assert_outcomes(passed=2)
    (record,) = stored().records
    assert record.case.key == "test_it::test_body"
    assert [(r.work.calls, r.work.units) for r in record.rounds] == [(1, 2)]
    assert "single_round" in record.flags


def test_rounds_repeat_a_body(lem, stored):
    """`rounds=N` runs the body N times, each in a window of its own."""
    lem(
        """
        import pytest

        calls = []

        @pytest.mark.energy(rounds=3)
        def test_body():
            calls.append(1)

        def test_count():
            assert len(calls) == 3
        """
    ).assert_outcomes(passed=2)
    (record,) = stored().records
    assert [r.work.calls for r in record.rounds] == [1, 1, 1]
    assert record.settings_origin["measure.rounds"] == "marker"
    assert record.requested["measure"]["rounds"] == len(record.rounds)


def test_min_window_repeats_a_body_inside_each_window(lem, stored):
    """With `min_window` a short body fills the window, after a warm-up that finds its length."""
    lem(
        """
        import pytest

        @pytest.mark.energy(rounds=2, min_window=0.05)
        def test_body():
            sum(range(100))
        """
    ).assert_outcomes(passed=1)
    (record,) = stored().records
    assert [r.work.calls > 1 for r in record.rounds] == [True, True]
    assert record.settings_origin["measure.min_window_s"] == "marker"


@pytest.mark.parametrize(
    ("source", "key"),
    [
        ("@MARK\ndef test_x():\n    count()", "test_it::test_x"),
        (
            "@pytest.mark.asyncio\n@MARK\nasync def test_x():\n    count()\n    await sleep(0)",
            "test_it::test_x",
        ),
        (
            "@MARK\nclass TestX:\n    def test_x(self):\n        count()",
            "test_it::TestX::test_x",
        ),
        (
            "class TestX(unittest.TestCase):\n    @MARK\n    def test_x(self):\n        count()",
            "test_it::TestX::test_x",
        ),
        (
            "@MARK\n@pytest.mark.parametrize('n', [7])\ndef test_x(n):\n    count()",
            "test_it::test_x[7]",
        ),
        (
            "pytestmark = MARK\ndef test_x():\n    count()",
            "test_it::test_x",
        ),
    ],
    ids=["function", "async", "class", "unittest", "parametrized", "module"],
)
def test_every_kind_of_test_can_be_measured(lem, stored, source, key):
    """The marker measures functions, coroutines, methods and unittest's cases alike."""
    head = "import unittest, pytest\nfrom asyncio import sleep\nfrom pathlib import Path\n"
    head += "MARK = pytest.mark.energy(rounds=2)\n"
    head += "def count():\n    with Path('calls').open('a') as f:\n        f.write('x')\n"
    result = lem(head + source)
    result.assert_outcomes(passed=1)
    (record,) = stored().records
    assert (record.case.key, record.status) == (key, "ok")
    assert [r.work.calls for r in record.rounds] == [1, 1]
    with open("calls") as calls:  # noqa: PTH123 - in the directory of the inner run
        assert calls.read() == "xx"


def test_fixtures_stay_outside_of_the_window(lem, stored):
    """Setting up and tearing down happen once and before and after the measured time."""
    lem(
        """
        import time
        import pytest

        moments = {}

        @pytest.fixture
        def shelf():
            moments["up"] = time.monotonic()
            yield
            moments["down"] = time.monotonic()

        @pytest.mark.energy(rounds=2)
        def test_body(shelf, pytestconfig):
            moments.setdefault("first", time.monotonic())
            moments["last"] = time.monotonic()

        def test_order(record_property):
            assert moments["up"] < moments["first"] < moments["last"] < moments["down"]
            from pathlib import Path
            Path("moments").write_text(f"{moments['up']!r} {moments['down']!r}")
        """
    ).assert_outcomes(passed=2)
    with open("moments") as file:  # noqa: PTH123 - in the directory of the inner run
        up, down = map(float, file.read().split())
    (record,) = stored().records
    assert up < record.rounds[0].t0 < record.rounds[-1].t1 < down


def test_a_failing_body_fails_with_its_own_error_and_stops(lem, stored):
    """The first round that fails ends the test; its record says why."""
    result = lem(
        """
        import pytest

        calls = []

        @pytest.mark.energy(rounds=3)
        def test_body():
            calls.append(1)
            assert len(calls) < 2, "second time"

        def test_count():
            assert len(calls) == 2
        """
    )
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(['>*assert len(calls) < 2, "second time"', "E*second time"])
    (record,) = stored().records
    assert (record.status, record.failure_kind) == ("failed", "test")


def test_a_failing_unittest_case_is_reported_once(lem, stored):
    """unittest keeps exceptions to itself; no further round runs and no error comes on top."""
    result = lem(
        """
        import unittest
        import pytest

        class TestShelf(unittest.TestCase):
            @pytest.mark.energy(rounds=3)
            def test_wrong(self):
                assert 1 == 2

            @pytest.mark.energy(rounds=3)
            def test_skipped(self):
                self.skipTest("not here")
        """
    )
    result.assert_outcomes(failed=1, skipped=1)
    assert [(r.case.key, r.status) for r in stored().records] == [
        ("test_it::TestShelf::test_wrong", "failed")
    ]


def test_a_marker_with_a_fixture_leaves_the_body_alone(lem, stored):
    """With `energy` in its arguments a test measures what it says, not its whole body."""
    lem(
        """
        import pytest

        @pytest.mark.energy(work=3, rounds=4)
        def test_called(energy):
            energy(list)
        """
    ).assert_outcomes(passed=1)
    (record,) = stored().records
    assert len(record.rounds) == 4
    assert all(r.work.units == 3 * r.work.calls for r in record.rounds)
