"""The order of the tests that measure models."""

from __future__ import annotations

from typing import Any

import pytest

SOURCE = """
import pytest

def test_first():
    pass

@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
@pytest.mark.parametrize("precision", ["float64", "float32"])
def test_grid(inference, precision, batch_size):
    pass

def test_last():
    pass
"""


#: Two models, in two tests, with others between and around them.
MIXED = """
import pytest

@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
def test_model_a(inference, batch_size):
    pass

def test_plain():
    pass

def test_call(energy):
    pass

@pytest.mark.parametrize("batch_size", [5, 6, 7, 8])
def test_model_b(inference, batch_size):
    pass
"""


@pytest.fixture
def order(engine: Any) -> Any:
    """Return the tests in the order in which they are collected."""

    def collect(*arguments: str) -> list[str]:
        engine.makepyfile(test_it=SOURCE)
        result = engine.runpytest_inprocess("--collect-only", "-q", *arguments)
        return [line.partition("::")[2] for line in result.outlines if "::" in line]

    return collect


def test_tests_of_one_load_follow_each_other(order: Any) -> None:
    """By default a model is loaded once."""
    found = order()
    assert (found[0], found[-1]) == ("test_first", "test_last")
    assert sum("float64" in name for name in found[1:5]) in {0, 4}


def test_shuffled_tests_are_the_same_ones_in_their_places(order: Any) -> None:
    """Others stay where they are, and nothing is lost."""
    grouped, shuffled = order(), order("--lem-order=shuffled")
    assert shuffled != grouped
    assert sorted(shuffled) == sorted(grouped)
    assert (shuffled[0], shuffled[-1]) == ("test_first", "test_last")


def test_interleaved_tests_take_one_of_each_load_in_turn(order: Any) -> None:
    """What drifts slowly is then in all loads alike."""
    found = order("--lem-order=interleaved")
    assert (found[0], found[-1]) == ("test_first", "test_last")
    loads = ["float64" in name for name in found[1:-1]]
    assert loads == [loads[0], not loads[0]] * 4
    assert sorted(found) == sorted(order())


def test_the_order_follows_from_the_seed(order: Any) -> None:
    """Every worker of pytest-xdist finds the same one; another seed gives another."""
    shuffled = order("--lem-order=shuffled")
    assert order("--lem-order=shuffled") == shuffled
    assert order("--lem-order=shuffled", "--lem-set=seed=43") != shuffled


def test_tests_between_models_stay_where_they_are(engine: Any) -> None:
    """Only tests that measure models change places, and only with each other."""
    engine.makepyfile(test_it=MIXED)
    kinds = {}
    for name in ("grouped", "shuffled"):
        result = engine.runpytest_inprocess("--collect-only", "-q", f"--lem-order={name}")
        found = [line.partition("::")[2] for line in result.outlines if "::" in line]
        kinds[name] = [test if "model" not in test else "model" for test in found]
        assert found.count("test_call") == 1
    assert kinds["grouped"] == kinds["shuffled"]
    assert kinds["shuffled"][4:6] == ["test_plain", "test_call"]


def test_an_order_that_there_is_not_is_refused(order: Any, engine: Any) -> None:
    """One sentence, from the command line as from the configuration."""
    engine.makepyfile(test_it=SOURCE)
    result = engine.runpytest_inprocess("--lem-order=random")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --lem-order: `order`: *'grouped', 'interleaved' or 'shuffled'*"]
    )


def test_workers_agree_on_the_order(engine: Any, order: Any, survivors: Any) -> None:
    """Each of them collects the tests in the order of a run without workers."""
    expected = order("--lem-order=shuffled")
    engine.makeconftest(
        """
        from pathlib import Path

        def pytest_collection_finish(session):
            name = getattr(session.config, "workerinput", {}).get("workerid")
            if name:
                Path(name).write_text("\\n".join(item.name for item in session.items))
        """
    )
    result = engine.runpytest_subprocess("-n2", "--lem-order=shuffled")
    result.assert_outcomes(passed=10)
    for name in ("gw0", "gw1"):
        assert (engine.path / name).read_text().splitlines() == expected
    assert survivors() == []
