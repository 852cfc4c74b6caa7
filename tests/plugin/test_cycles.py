"""Cycles: each case several times, with a host of its own each time, pooled late."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = """
    import pytest
    from burn import burn

    @pytest.mark.parametrize("n", [1, 2])
    def test_it(energy, n):
        energy(burn)

    @pytest.mark.energy
    def test_body():
        burn()

    def test_plain():
        pass
"""


def test_each_case_runs_once_for_each_cycle(lem: Any, stored: Any) -> None:
    """A cycle ends before the next begins; what asks for no energy runs once."""
    lem(SOURCE, "--lem-cycles=2", "-v").assert_outcomes(passed=7)

    found = [(record.nodeid.partition("::")[2], record.cycle) for record in stored().records]
    assert found == [
        ("test_it[1-cycle:1]", 1),
        ("test_it[2-cycle:1]", 1),
        ("test_body[cycle:1]", 1),
        ("test_it[1-cycle:2]", 2),
        ("test_it[2-cycle:2]", 2),
        ("test_body[cycle:2]", 2),
    ]


def test_the_key_of_a_case_does_not_know_cycles(lem: Any, stored: Any) -> None:
    """History goes on whether a case is measured once or several times."""
    lem(SOURCE, "--lem-cycles=2")
    several = {record.case.key for record in stored().records}
    lem(None)

    assert several == {record.case.key for record in stored().records}
    assert all("duplicate_key" not in record.flags for record in stored().records)
    assert {record.cycle for record in stored().records} == {None}


def test_a_single_cycle_can_be_selected(lem: Any, stored: Any) -> None:
    """Ids take part in -k like those of any parameter."""
    lem(SOURCE, "--lem-cycles=3", "-k", "cycle:2").assert_outcomes(passed=3, deselected=7)

    assert {record.cycle for record in stored().records} == {2}


def test_the_session_pools_them(lem: Any, stored: Any, sessions: Any) -> None:
    """An entry is the ratio of the sums of all cycles, with the figure of each beside it."""
    lem(SOURCE, "--lem-cycles=3", "--lem-save=main")

    entry = next(e for e in sessions()[0].entries if e.key.endswith("test_it[1]"))
    records = [r for r in stored().records if r.case.digest == entry.digest]
    rounds = [r for record in records for r in record.rounds]
    pooled_s = sum(r.t1 - r.t0 for r in rounds) / sum(r.work.calls for r in rounds)
    assert entry.figures["call_duration_s"].value == pytest.approx(pooled_s)
    assert entry.measurements["call_duration_s"] == [
        record.metrics["call_duration_s"].value for record in records
    ]
    assert entry.nodeid.endswith("test_it[1]")


def test_each_cycle_has_a_host_of_its_own(engine: Any, stored: Any) -> None:
    """The model is loaded once a cycle, and cases of a cycle share it."""
    engine.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 2])
        def test_it(inference, batch_size):
            inference()
        """
    )
    engine.runpytest_inprocess("--lem-json=run.json", "--lem-cycles=2").assert_outcomes(passed=4)

    loads = [(record.cycle, record.rounds[0].load_id) for record in stored().records]
    assert loads == [(1, "load-1"), (1, "load-1"), (2, "load-2"), (2, "load-2")]


def test_workers_measure_all_cycles(suite: Any, lem: Any, stored: Any) -> None:
    """With pytest-xdist each is measured once, by whoever gets it."""
    suite.makepyfile(test_it=SOURCE)
    suite.runpytest_subprocess("-n2", "--lem-json=run.json", "--lem-cycles=2").assert_outcomes(
        passed=7
    )

    found = sorted((record.case.key, record.cycle) for record in stored().records)
    assert found == sorted({*found})
    assert len(found) == 6


def test_the_table_tells_cycles_apart(lem: Any) -> None:
    """A column has their numbers; it is not there for one cycle."""
    lem(SOURCE, "--lem-cycles=2").stdout.fnmatch_lines(["case * cycle * J/call *"])
    lem(None).stdout.no_fnmatch_line("case * cycle * J/call *")


def test_cycles_can_stand_in_a_file(lem: Any, suite: Any, stored: Any) -> None:
    """The setting is one like any other."""
    (suite.path / "lem.yaml").write_text("cycles: 2\n")

    lem(SOURCE, "--lem-config=lem.yaml").assert_outcomes(passed=7)

    assert stored().records[0].requested["cycles"] == 2
