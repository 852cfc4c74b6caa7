"""A case from its checks to the end of its host: refused, started cold, killed, cleaned up."""

from __future__ import annotations

import json
import re
import signal
import sys

import pytest
from standin import Board

pytestmark = pytest.mark.usefixtures("engine")

MIB = 1 << 20
NO_PERMISSION = 4


@pytest.fixture(autouse=True)
def _no_process_stays(survivors):
    """Whatever became of a case, nothing that was started is left running."""
    yield
    assert survivors() == []


@pytest.fixture
def on_boards(suite, standin, monkeypatch):
    """Return a function that runs a source in a process of its own, which finds these boards."""
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)

    def run(source, *boards, arguments=(), prepare=lambda _: None):
        prepare(standin(*boards))
        suite.makepyfile(test_it=source)
        return suite.runpytest_subprocess("--lem-json=run.json", *arguments)

    return run


def _text(result):
    """Return what was printed, without line ends."""
    return re.sub(r"\s+", " ", result.stdout.str() + result.stderr.str())


#: By the number of devices, why it cannot be.
INDIVISIBLE = {
    3: "`backends.ngram.tensor_parallel_size` 3 needs 3 devices, and 2 are visible (GPU-a, GPU-b); "
    "lower it, or let CUDA_VISIBLE_DEVICES show more",
    2: "`backends.ngram.tensor_parallel_size` is 2, which does not divide the 9 attention heads of "
    "./model; take a size that does",
}


@pytest.fixture
def nine_heads(suite, ngram):
    """Make a model that says to have nine attention heads."""
    model = suite.mkdir("model")
    (model / "weights.bin").write_bytes((ngram / "weights.bin").read_bytes())
    config = json.loads((ngram / "config.json").read_text()) | {"num_attention_heads": 9}
    (model / "config.json").write_text(json.dumps(config))


@pytest.mark.usefixtures("nine_heads")
@pytest.mark.parametrize("size", INDIVISIBLE)
def test_a_model_that_cannot_be_divided_is_refused(on_boards, stored, suite, size):
    """In one sentence, before anything is started, and the next case runs."""
    source = f"""
    def test_it(inference):
        inference(model="./model", options={{"tensor_parallel_size": {size}}})

    def test_next(inference):
        assert inference().text
    """
    result = on_boards(source, Board(uuid="GPU-a"), Board(uuid="GPU-b"))
    result.assert_outcomes(failed=1, passed=1)
    refused, measured = stored().records
    assert (refused.failure_kind, refused.message) == ("config", INDIVISIBLE[size])
    assert (refused.phases, measured.status) == ([], "ok")
    assert [path.name for path in suite.path.glob(".lem/runs/*/logs/load-*")] == ["load-1.log"]


def test_a_cuda_device_that_is_not_visible_is_refused(lem, stored, monkeypatch):
    """The library would find out only after it was imported."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = lem("def test_it(inference):\n    inference(options={'device': 'cuda'})")
    result.assert_outcomes(failed=1)
    (record,) = stored().records
    assert record.failure_kind == "config"
    assert record.message.startswith("`backends.ngram.device` is cuda, but no GPU is visible")


def test_off_checks_nothing_that_it_does_not_look_at(suite, monkeypatch):
    """With `--lem=off` no driver is asked, so GPUs that are there would seem to be missing."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    suite.makepyfile("def test_it(inference):\n    inference(options={'device': 'cuda'})")
    suite.runpytest_inprocess("--lem=off").assert_outcomes(passed=1)


def test_a_stranger_on_the_gpu_is_told_before_the_load(on_boards, stored):
    """The record has the doubt with the process, and the table explains the flag."""
    source = """
    def test_it(inference):
        inference(options={"board": 0})
    """
    result = on_boards(source, Board(uuid="GPU-a"), prepare=lambda b: b.add_process(0, 1))
    result.assert_outcomes(passed=1)
    (record,) = stored().records
    (warned,) = record.warnings
    assert warned.category == "Preflight"
    assert warned.message.startswith("the process 1 is on GPU-a before the model is loaded")
    assert "preflight" in record.flags
    assert "* preflight: there was a doubt before the model was loaded" in _text(result)


@pytest.mark.parametrize("arguments", [(), ("--lem-require-tier=counter",)], ids=["seen", "needed"])
def test_a_counter_that_cannot_be_read_is_told_before_any_test(on_boards, suite, arguments):
    """The header says so; where it is needed the run ends before anything is loaded."""
    result = on_boards(
        "def test_it(inference):\n    inference()",
        Board(uuid="GPU-a"),
        arguments=("--lem-meter=nvml" if arguments else "--lem-meter=auto", *arguments),
        prepare=lambda b: b.fail(0, "nvmlDeviceGetTotalEnergyConsumption", NO_PERMISSION),
    )
    first, _, _ = _text(result).partition("test_it.py .")
    assert "this user may not read the counter; `lem doctor` says how to allow it" in first
    assert (result.ret == pytest.ExitCode.USAGE_ERROR) is bool(arguments)
    assert len(list(suite.path.glob(".lem/runs/*/logs/load-*"))) == (0 if arguments else 1)


COLD = """
def test_a(inference):
    inference(options={"faults": "cache@load"})

def test_b(inference):
    inference(options={"faults": "cache@load"})
"""


@pytest.mark.parametrize("way", ["option", "setting"])
def test_every_case_can_have_a_cold_start(lem, stored, way):
    """Equal loads are made anew, each with caches that were empty; the record tells of it."""
    argument = {"option": "--lem-isolation=case", "setting": "--lem-set=measure.isolation=case"}
    lem(COLD, argument[way]).assert_outcomes(passed=2)
    first, second = stored().records
    assert [r.rounds[0].load_id for r in (first, second)] == ["load-1", "load-2"]
    assert [r.applied["cache"][1] for r in (first, second)] == [1, 1]
    assert first.applied["cold_start"]["dropped_bytes"] > 0
    assert first.case.digest == second.case.digest
    assert first.settings_origin["measure.isolation"].startswith("--lem-")


def test_cases_share_a_load_unless_they_are_told_not_to(lem, stored):
    """A single test may ask for a cold start; those beside it go on sharing."""
    lem(
        """
        def test_a(inference):
            inference()

        def test_b(inference):
            inference(measure={"isolation": "case"})

        def test_c(inference):
            inference()
            inference()
        """
    )
    records = stored().records
    assert [r.rounds[0].load_id for r in records] == ["load-1", "load-2", "load-3", "load-3"]
    assert ["cold_start" in r.applied for r in records] == [False, True, False, False]


def test_an_isolation_that_does_not_exist_is_a_usage_error(lem):
    """One sentence with the values that there are."""
    result = lem("def test_it(inference):\n    inference()", "--lem-isolation=none")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines("*--lem-isolation: `measure.isolation`: input should be 'load' or*")


#: The driver is waited for in tests that give the clock.
IMPATIENT = "from pytest_lem.measure import leftover\nleftover._PATIENCE_S = 0.2\n"
LEAKY = """
def test_leaky(inference):
    inference(options={"board": 0, "faults": "leak@end"})
"""


@pytest.mark.parametrize("arguments", [(), ("-Werror",)], ids=["plain", "error"])
def test_memory_that_stays_is_told_with_the_case_that_left_it(suite, on_boards, stored, arguments):
    """In the record of the next case and in pytest's summary; nothing fails for it."""
    suite.makeconftest(IMPATIENT)
    source = f"{LEAKY}\ndef test_next(inference):\n    inference(options={{'board': 0}})"
    result = on_boards(source, Board(uuid="GPU-a"), arguments=arguments)
    result.assert_outcomes(passed=2, warnings=1)
    first, second = stored().records
    sentence = (
        f"1024 MiB more are in use on GPU-a than before the host of {first.case.key} "
        f"({first.rounds[0].load_id}) began"
    )
    assert "memory_left" not in first.flags
    assert "memory_left" in second.flags
    assert [w.message.startswith(sentence) for w in second.warnings] == [True]
    assert f"PytestWarning: {sentence}" in _text(result)


@pytest.mark.parametrize("arguments", [(), ("-n1",)], ids=["plain", "xdist"])
def test_memory_that_the_last_case_left_is_told_at_the_end(suite, on_boards, stored, arguments):
    """There is no next record, but the summary is still to come."""
    suite.makeconftest(IMPATIENT)
    result = on_boards(LEAKY, Board(uuid="GPU-a"), arguments=arguments)
    result.assert_outcomes(passed=1, warnings=1)
    assert "PytestWarning: 1024 MiB more are in use on GPU-a than before" in _text(result)
    assert stored().records[0].warnings == []


def test_memory_that_comes_back_is_no_matter(on_boards, stored):
    """The usual case: the host ends, and the board is as it was."""
    source = LEAKY.replace("leak@end", "")
    on_boards(source, Board(uuid="GPU-a")).assert_outcomes(passed=1, warnings=0)
    assert stored().records[0].warnings == []


#: The warm-up is run 0, the first round run 1.
PLACES = ["import", "load", "prepare", "run:0", "run:1", "collect"]


@pytest.mark.parametrize("place", PLACES)
def test_nothing_stays_when_pytest_is_killed(suite, monkeypatch, place):
    """At every step, with processes that are deaf, and that have left the host's session."""
    faults = f"grandchild@import escape@import orphan@{place}"
    monkeypatch.setenv("NGRAM_FAULTS", faults)
    suite.makepyfile(f"def test_it(inference):\n    inference(options={{'faults': {faults!r}}})")
    result = suite.runpytest_subprocess()
    assert result.ret == -signal.SIGKILL


def test_nothing_stays_when_pytest_is_killed_as_the_host_starts(suite):
    """The interpreter comes up, and there is nobody any more."""
    python = suite.path / "python"
    python.write_text(f'#!/bin/sh\nkill -9 $PPID\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    suite.makepyfile(f"def test_it(inference):\n    inference(options={{'python': '{python}'}})")
    assert suite.runpytest_subprocess().ret == -signal.SIGKILL


@pytest.mark.parametrize("place", ["import", "load"])
def test_a_load_that_hangs_is_ended_by_its_own_limit(lem, stored, monkeypatch, place):
    """The same limit holds for an import, a load and an answer; the next case has a new host."""
    faults = f"grandchild@import escape@import hang@{place}"
    monkeypatch.setenv("NGRAM_FAULTS", faults)
    options = {"faults": faults}
    lem(
        f"def test_it(inference):\n    inference(options={options!r}, measure={{'timeout_s': 0.3}})"
    ).assert_outcomes(failed=1)
    (record,) = stored().records
    assert (record.failure_kind, record.rounds) == ("timeout", [])
    assert place not in [phase.name for phase in record.phases]
