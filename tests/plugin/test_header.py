"""What is printed before the tests run."""

from __future__ import annotations

SOURCE = "def test_x(energy):\n    energy(list)\n"


def _header(result):
    return [line for line in result.stdout.lines if line.startswith("lem: ")]


def test_the_header_names_preset_meter_tier_and_time(lem):
    """After the collection one line says how it will be measured and how long it takes."""
    result = lem(SOURCE + "def test_y(energy):\n    energy(list)\n", "--lem-set=measure.rounds=1",
                 "--lem-set=measure.min_window_s=0.02")  # fmt: skip
    (line,) = _header(result)
    assert line == (
        "lem: smoke preset, 1 windows of at least 0.02 s, 0 s or more for 2 tests; "
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


def test_a_preset_that_nobody_chose_is_called_the_default(lem, configure):
    """A reader must see whether the method was chosen or fell out of the machine."""
    configure("lem_meter = estimated\n")
    result = lem(SOURCE, "--collect-only")
    assert _header(result)[0].startswith(
        "lem: quick preset (by default), 3 windows of at least 1 s, 3 s or more for 1 tests; "
    )


def test_quiet_runs_have_no_header(lem):
    """`-q` takes the line away."""
    assert _header(lem(SOURCE, "-q")) == []


def test_a_run_without_energy_tests_says_nothing(lem):
    """The plugin is silent until it is used, whatever was configured."""
    result = lem("def test_plain():\n    pass\n", "-v")
    body = [line for line in result.stdout.lines if not line.startswith(("plugins:", "rootdir:"))]
    assert not [line for line in body if "lem" in line or "energy" in line]
