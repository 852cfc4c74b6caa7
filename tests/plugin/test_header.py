"""What is printed before the tests run."""

from __future__ import annotations

import pytest

SOURCE = "def test_x(energy):\n    energy(list)\n"


def _header(result):
    return [line for line in result.stdout.lines if line.startswith("lem: ")]


def test_the_header_names_preset_meter_tier_and_time(lem):
    """After the collection one line says how it will be measured; a moment is not announced."""
    result = lem(SOURCE + "def test_y(energy):\n    energy(list)\n", "--lem-set=measure.rounds=1",
                 "--lem-set=measure.min_window_s=0.02")  # fmt: skip
    (line,) = _header(result)
    assert line == (
        "lem: smoke preset, 1 window of at least 0.02 s; "
        "energy estimated: CPU time x 7 W per busy CPU"
    )


def test_the_planned_time_is_the_sum_of_all_windows(lem):
    """Rounds times windows of every test, with what its marker says; bodies run once."""
    source = """
    import pytest

    @pytest.mark.energy(rounds=3, min_window=50)
    def test_a(energy):
        pass

    @pytest.mark.energy
    def test_body():
        pass

    @pytest.mark.energy(rounds=2, min_window=20)
    def test_repeated_body():
        pass
    """
    result = lem(source, "--collect-only")
    assert "3 min 10 s or more for 3 tests" in _header(result)[0]


def test_gaps_between_tests_are_planned(lem):
    """Each test that is due has one before it; those that are skipped are not counted at all."""
    source = (
        SOURCE
        + """
import pytest

@pytest.mark.energy
def test_body():
    pass

@pytest.mark.skip
def test_never(energy):
    energy(list)
"""
    )
    result = lem(source, "--collect-only", "--lem-gap=30")
    assert "1 min or more for 2 tests" in _header(result)[0]


PLAIN = "def test_x(inference):\n    pass\n"
WITH_RATE = """
import pytest

@pytest.mark.parametrize("rate", [5])
def test_x(inference, rate):
    pass
"""


@pytest.mark.parametrize(
    ("source", "settings"),
    [(PLAIN, {"arrivals": "constant", "rate": "5"}), (WITH_RATE, {"arrivals": "constant"})],
    ids=["settings", "parameters"],
)
def test_ramps_of_traffic_are_planned(lem, source, settings):
    """Three windows of 20 s, each with a ramp of 10 s before it, whoever says so."""
    traffic = {"ramp_s": "10", **settings}
    arguments = [f"--lem-set=traffic.{name}={value}" for name, value in traffic.items()]
    measure = ("--lem-set=measure.rounds=3", "--lem-set=measure.min_window_s=20")
    result = lem(source, "--collect-only", *measure, *arguments)
    assert "1 min 30 s or more for 1 test" in _header(result)[0]


def test_windows_of_few_requests_are_planned_as_long_as_they_are(lem):
    """At a request in four seconds, ten of them take 40, whatever was asked for."""
    arguments = ("arrivals=poisson", "rate=0.25", "ramp_s=5")
    result = lem(
        PLAIN,
        "--collect-only",
        "--lem-set=measure.rounds=2",
        *(f"--lem-set=traffic.{argument}" for argument in arguments),
    )
    assert "1 min 30 s or more for 1 test" in _header(result)[0]


def test_a_preset_that_nobody_chose_is_called_the_default(lem, configure):
    """A reader must see whether the method was chosen or fell out of the machine."""
    configure("lem_meter = estimated\n")
    result = lem(SOURCE, "--collect-only")
    assert _header(result)[0].startswith(
        "lem: quick preset (by default), 3 windows of at least 1 s, 3 s or more for 1 test; "
    )


def test_quiet_runs_have_no_header(lem):
    """`-q` takes the line away."""
    assert _header(lem(SOURCE, "-q")) == []


def test_a_run_without_energy_tests_says_nothing(lem):
    """The plugin is silent until it is used, whatever was configured."""
    result = lem("def test_plain():\n    pass\n", "-v")
    body = [line for line in result.stdout.lines if not line.startswith(("plugins:", "rootdir:"))]
    assert not [line for line in body if "lem" in line or "energy" in line]
