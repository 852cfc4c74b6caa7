"""Other plugins beside this one."""

from __future__ import annotations

import pytest

SOURCE = """
import pytest

@pytest.mark.energy
def test_x():
    pass

def test_plain():
    pass
"""


def test_a_rival_of_the_marker_gets_one_warning(lem, suite):
    """pytest-energy-reporter gives the marker `energy` another meaning; a person must choose."""
    suite.makepyfile(pytest_energy_reporter="")
    suite.syspathinsert()
    result = lem(SOURCE, "-p", "pytest_energy_reporter")
    result.assert_outcomes(passed=2, warnings=1)
    result.stdout.fnmatch_lines(
        ["*pytest-energy-reporter also uses the marker `energy`*`-p no:pytest_energy_reporter`*"]
    )


def test_a_rival_is_no_matter_without_energy_tests(lem, suite):
    """Nobody is warned about a marker that is not used."""
    suite.makepyfile(pytest_energy_reporter="")
    suite.syspathinsert()
    result = lem("def test_plain():\n    pass\n", "-p", "pytest_energy_reporter")
    result.assert_outcomes(passed=1, warnings=0)


@pytest.mark.parametrize("arguments", [["-p", "no:terminal"], ["-p", "no:cacheprovider"], ["-s"]])
def test_the_run_file_does_not_need_other_plugins(lem, stored, arguments):
    """Without a terminal or a cache the records are written all the same."""
    result = lem(SOURCE, *arguments)
    assert result.ret == 0
    assert [r.case.key for r in stored().records] == ["test_it::test_x"]


def test_parallel_workers_bring_their_records_to_one_file(lem, suite, stored):
    """Under xdist the controlling process writes; every record says who made it, and how."""
    source = "import pytest\n@pytest.mark.parametrize('n', range(4))\n"
    lem(source + "def test_x(energy, n):\n    energy(list)\n", "-n2").assert_outcomes(passed=4)
    records = stored().records
    assert sorted(r.case.key for r in records) == [f"test_it::test_x[{n}]" for n in range(4)]
    assert {r.worker for r in records} == {"gw0", "gw1"}
    assert {(r.isolation.scope, r.isolation.workers) for r in records} == {("machine", 2)}
    assert not any("contended" in r.flags for r in records)
    assert len(list(suite.path.glob(".lem/runs/*"))) == 1
    assert set(stored().environments) == {r.environment for r in records}


def test_every_attempt_of_a_rerun_has_a_record(lem, stored):
    """pytest-rerunfailures runs a test again: attempts are told apart, and the last one counts."""
    lem(
        """
        attempts = []

        def test_flaky(energy):
            attempts.append(1)
            energy(list)
            assert len(attempts) == 3
        """,
        "--reruns=3",
        "-p", "no:xdist",
    ).stdout.fnmatch_lines(["*1 passed, 2 rerun*"])  # fmt: skip
    assert [(r.case.key, r.attempt, r.status) for r in stored().records] == [
        ("test_it::test_flaky", 1, "failed"),
        ("test_it::test_flaky", 2, "failed"),
        ("test_it::test_flaky", 3, "ok"),
    ]


def test_the_first_failure_ends_the_run_and_keeps_what_was_measured(lem, stored):
    """`-x` stops; the records up to there are in the file, with the exit status."""
    lem(
        """
        def test_a(energy):
            energy(list)

        def test_b(energy):
            energy(int, "x")

        def test_c(energy):
            energy(list)
        """,
        "-x",
    ).assert_outcomes(passed=1, failed=1)
    assert [r.status for r in stored().records] == ["ok", "failed"]
    assert stored().run.exit_status == 1


def test_a_strangers_fixture_of_that_name_is_left_alone(lem, suite):
    """A suite that has a fixture `energy` of its own is not measured, locked or told anything."""
    source = """
    import pytest

    @pytest.fixture
    def energy():
        return 42

    def test_x(energy):
        assert energy == 42
    """
    result = lem(source)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("lem: *")
    assert not suite.path.joinpath(".lem").exists()


def test_a_fixture_that_builds_on_ours_is_ours(lem, stored):
    """Overriding `energy` by one that takes it still measures."""
    source = """
    import pytest

    @pytest.fixture
    def energy(energy):
        return energy

    def test_x(energy):
        energy(list)
    """
    lem(source).assert_outcomes(passed=1)
    assert len(stored().records) == 1
