"""`--lem-ab` in a session: both sides within each test, what is said of them, what is refused."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

SUITE = """
    import pytest

    @pytest.mark.parametrize("batch_size", [1, 2])
    def test_decode(inference, batch_size):
        assert inference().output_tokens > 0
"""
ALONE = "def test_decode(inference):\n    assert inference().output_tokens > 0"
#: B does three times the work for a batch, which no other load on this machine brings about.
SLOWER, FASTER = "--lem-ab=ngram.cpu_s:0.001,0.003", "--lem-ab=ngram.cpu_s:0.003,0.001"
SPEED = "--lem-fail-on=output_throughput_tok_s:20"
BRIEF = ("--lem-set=pair.pairs=7", "--lem-set=measure.min_window_s=0", "--lem-promise=1000")


def _sides(run_file: Any) -> list[dict[str, Any]]:
    return [r.case.settings.model_extra["options"] for r in run_file.records]


def test_a_side_that_is_slower_fails_its_test(engine: Any, lem: Any, stored: Any) -> None:
    """It is flagged, measured again with fresh loads, and named with the change that was made."""
    result = lem(SUITE, SLOWER, SPEED, *BRIEF)

    result.assert_outcomes(failed=2)
    assert result.ret == 1
    found = stored()
    assert [(c.verdict, c.baseline, c.m) for c in found.comparisons] == [
        ("regressed", "ngram.cpu_s:0.001", 2)
    ] * 2
    for c in found.comparisons:
        assert c.p <= 0.05
        assert c.p_repeated <= 0.25
        assert 0.2 < c.ratio < 0.5
        assert c.attribution is None  # that of speed itself has no parts
        assert c.under_test == ["ngram.cpu_s: 0.001 -> 0.003"]
        assert c.candidate == found.run.id
    assert _sides(found) == [{"cpu_s": 0.001}, {"cpu_s": 0.003}] * 2
    assert [r.failure_kind for r in found.records] == [None, "gate"] * 2
    result.stdout.fnmatch_lines(
        [
            "lem: paired: ngram.cpu_s: 0.001 -> 0.003, *:20; 2 tests, each 7 pairs on 2 loads a*",
            "*output_throughput_tok_s is -* worse than ngram.cpu_s:0.001 (* pairs); 20 % is*",
        ]
    )


def test_rounds_know_their_side_pair_stage_and_load(engine: Any, lem: Any, stored: Any) -> None:
    """Every stage has two loads of its own, and every load has a log of its own."""
    lem(ALONE, SLOWER, SPEED, *BRIEF)
    a, b = stored().records
    for side, record in (("A", a), ("B", b)):
        assert {r.side for r in record.rounds} == {side}
        assert [r.seq for r in record.rounds] == list(range(len(record.rounds)))
        stages = {stage: {r.load_id for r in record.rounds if r.stage == stage} for stage in (1, 2)}
        assert [len(loads) for loads in stages.values()] == [2, 2]
        assert stages[1].isdisjoint(stages[2])
        assert [r.pair for r in record.rounds if r.stage == 1] == list(range(7))
    times = sorted((r.t0, r.side) for record in (a, b) for r in record.rounds if r.stage == 1)
    assert "".join(side for _, side in times) == "ABBAABBAABBAAB"


def test_a_side_that_is_faster_passes(engine: Any, lem: Any, stored: Any) -> None:
    """It is told, and fails nothing."""
    result = lem(SUITE, FASTER, SPEED, *BRIEF)
    result.assert_outcomes(passed=2)
    assert {c.verdict for c in stored().comparisons} == {"improved"}


def test_the_same_work_under_two_names_passes(engine: Any, lem: Any, stored: Any) -> None:
    """Whatever this machine does meanwhile, nothing doubles."""
    result = lem(SUITE, "--lem-ab=ngram.order:4,5", "--lem-fail-on=output_throughput_tok_s:300",
                 "--lem-promise=5000", *BRIEF[:2])  # fmt: skip
    result.assert_outcomes(passed=2)
    assert {c.verdict for c in stored().comparisons} == {"pass"}
    assert all(r.stage == 1 for record in stored().records for r in record.rounds)


def test_energy_that_is_estimated_is_not_gated_unless_that_is_asked_for(
    engine: Any, lem: Any, stored: Any
) -> None:
    """The defaults gate energy, so they fail closed where it is not measured."""
    lem(ALONE, "--lem-ab=ngram.order:4,5", *BRIEF).assert_outcomes(failed=1)
    energy, _ = stored().comparisons
    assert (energy.metric, energy.verdict) == ("energy_per_output_token_j", "invalid")


def test_the_axis_of_a_test_gives_way(engine: Any, lem: Any, stored: Any) -> None:
    """Its own list is not run through: the two sides are, once, and the test gets A's value."""
    suite = """
        import pytest

        @pytest.mark.parametrize("batch_size", [1, 2, 4])
        def test_decode(inference, batch_size):
            assert batch_size == 2
            assert inference().output_tokens > 0
    """
    result = lem(suite, "--lem-ab=batch_size:2,3", "--lem-fail-on=output_throughput_tok_s:900",
                 "--lem-promise=9000", *BRIEF[:2])  # fmt: skip
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["collected 1 item"])
    assert [r.case.settings.batch_size for r in stored().records] == [2, 3]


def test_a_test_that_fixes_the_setting_is_told(engine: Any, lem: Any, stored: Any) -> None:
    """Comparing a thing with itself shows nothing."""
    suite = """
        def test_decode(inference):
            inference(options={"cpu_s": 0.002})
    """
    result = lem(suite, SLOWER, SPEED, *BRIEF)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*--lem-ab ngram.cpu_s makes no difference to this test*"])
    assert not stored().comparisons


def test_a_side_that_dies_keeps_what_was_measured(engine: Any, lem: Any, stored: Any) -> None:
    """The test fails by that, nothing is compared, and the next test is measured."""
    result = lem(SUITE, "--lem-ab=ngram.faults:'',sigkill@run:3", SPEED, *BRIEF)
    result.assert_outcomes(failed=2)
    records = stored().records
    assert [r.status for r in records] == ["failed"] * 4
    assert {r.failure_kind for r in records} == {"engine"}
    assert all(record.rounds for record in records)
    assert not stored().comparisons
    assert result.ret == 1


def test_a_side_that_does_not_load_shows_what_it_printed(
    engine: Any, lem: Any, stored: Any
) -> None:
    """The log is that of the load that failed, and the record has its hash."""
    result = lem(ALONE, "--lem-ab=ngram.faults:'',raise@load", SPEED, *BRIEF)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*the matrix is singular*", "*Captured backend log*"])
    a, b = stored().records
    assert (a.status, b.status, b.failure_kind) == ("failed", "failed", "engine")
    assert [name for name in b.artifacts if name.endswith("B-load-1.log")]


def test_a_run_that_compares_nothing_fails(engine: Any, lem: Any) -> None:
    """A gate that had nothing to judge has not passed."""
    result = lem("def test_body(energy):\n    energy(sum, [1])", SLOWER, SPEED, *BRIEF)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["lem: nothing was compared (ngram.cpu_s: 0.001 -> 0.003), since*"])


def test_without_measuring_side_a_runs_once(engine: Any, lem: Any) -> None:
    """`--lem=off` is for a quick look whether tests work."""
    lem(SUITE, SLOWER, "--lem=off").assert_outcomes(passed=2)


def test_workers_compare_as_one_process_does(engine: Any, stored: Any) -> None:
    """The level of the second stage counts the figures of all workers."""
    engine.makepyfile(test_it=SUITE)
    arguments = ("-n2", "--lem-json=run.json", SLOWER, SPEED, *BRIEF)
    engine.runpytest_subprocess(*arguments).assert_outcomes(failed=2)
    assert [(c.verdict, c.m) for c in stored().comparisons] == [("regressed", 2)] * 2


def test_a_first_attempt_is_forgotten(engine: Any, lem: Any, stored: Any) -> None:
    """pytest-rerunfailures measures anew, and only the last attempt counts."""
    suite = """
        from pathlib import Path

        def test_decode(inference):
            inference()
            seen = Path("seen")
            if not seen.exists():
                seen.touch()
                raise AssertionError("the first time")
    """
    result = lem(suite, FASTER, SPEED, *BRIEF, "--reruns=1")
    result.assert_outcomes(passed=1)
    assert [(c.attempt, c.verdict) for c in stored().comparisons][-1] == (2, "improved")


@pytest.mark.parametrize(
    ("change", "least", "outcome", "verdict"),
    [
        ("ngram.order:4,1", "0.9", "failed", "regressed"),
        ("ngram.order:4,1", "null", "passed", "pass"),
        ("ngram.cpu_s:0.001,0.0011", "1", "passed", "pass"),
    ],
)
def test_energy_goes_with_what_was_said(
    engine: Any, lem: Any, stored: Any, change: str, *, least: str, outcome: str, verdict: str
) -> None:
    """Another answer has regressed where the same is asked for, and its share is told anyhow."""
    result = lem(ALONE, f"--lem-ab={change}", f"--lem-set=quality.agreement={least}",
                 "--lem-fail-on=output_throughput_tok_s:900", "--lem-promise=9000", *BRIEF[:2],
                 )  # fmt: skip
    result.assert_outcomes(**{outcome: 1})
    (c,) = stored().comparisons
    assert c.verdict == verdict
    assert (c.agreement == 1.0) is ("order" not in change)
    if verdict == "regressed":
        assert c.reasons[0] == "outputs_differ"
        result.stdout.fnmatch_lines(
            ["*% of the output is that of ngram.order:4; it said something*"]
        )


def test_a_model_that_knows_less_has_regressed(engine: Any, lem: Any, stored: Any) -> None:
    """Perplexity is gated with a tolerance of its own, beside speed, in one test."""
    result = lem(ALONE, "--lem-ab=ngram.order:4,1", "--lem-set=quality.perplexity=true",
                 "--lem-fail-on=perplexity:1", "--lem-fail-on=output_throughput_tok_s:900",
                 "--lem-promise=9000", *BRIEF[:2])  # fmt: skip
    result.assert_outcomes(failed=1)
    quality, speed = sorted(stored().comparisons, key=lambda c: c.metric, reverse=True)
    assert (quality.metric, quality.verdict) == ("perplexity", "regressed")
    assert quality.ratio > 1.01
    assert speed.verdict == "pass"
    for record in stored().records:
        assert record.metrics["perplexity"].value > 1
    assert [phase.name for phase in record.phases].count("quality") == 2


def test_a_quality_that_was_not_measured_passes_no_gate(engine: Any, lem: Any, stored: Any) -> None:
    """It is named in the rule and was not asked for."""
    lem(ALONE, "--lem-ab=ngram.order:4,5", "--lem-fail-on=perplexity:1", *BRIEF).assert_outcomes(
        failed=1
    )
    (c,) = stored().comparisons
    assert (c.verdict, c.reasons) == ("invalid", ["no_value"])
    assert "quality.perplexity" in stored().records[0].metrics["perplexity"].reason


def test_outputs_that_chance_made_are_not_compared(engine: Any, lem: Any, stored: Any) -> None:
    """Asking for the same ones all the same cannot pass."""
    lem(ALONE, "--lem-ab=ngram.order:4,5", "--lem-set=quality.agreement=0.5",
        "--lem-set=workload.temperature=1.0", "--lem-fail-on=output_throughput_tok_s:900",
        "--lem-promise=9000", *BRIEF[:2]).assert_outcomes(failed=1)  # fmt: skip
    (c,) = stored().comparisons
    assert (c.agreement, c.verdict, c.reasons[0]) == (None, "invalid", "outputs_unknown")


@pytest.fixture
def environments(engine: Any, ngram: Path) -> Any:
    """Make two environments with the backend, each of which notes that a host was started in it."""
    for name in ("old", "new"):
        python = engine.path / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        note = f"echo {name} >> {engine.path}/started"
        path = f"PYTHONPATH={ngram.parent}"
        python.write_text(f'#!/bin/sh\n{note}\n{path} exec {sys.executable} "$@"\n')
        python.chmod(0o755)
    return engine


def test_two_environments_are_compared_in_one_session(
    environments: Any, lem: Any, stored: Any
) -> None:
    """Each side's host runs under its own interpreter, whatever backend a test has."""
    result = lem(ALONE, "--lem-ab-env=old,new", "--lem-fail-on=output_throughput_tok_s:900",
                 "--lem-promise=9000", *BRIEF[:2])  # fmt: skip
    result.assert_outcomes(passed=1)
    (c,) = stored().comparisons
    assert (c.baseline, c.under_test) == ("environment:old", ["environment: old -> new"])
    used = [options["python"] for options in _sides(stored())]
    assert used == [str(environments.path / name / "bin" / "python") for name in ("old", "new")]
    started = (environments.path / "started").read_text().split()
    assert (started.count("old"), started.count("new")) == (2, 2)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("old", "'old' does not name two environments; write PATH_A,PATH_B"),
        ("old,old/bin/python", "both sides are old; name two environments"),
        ("old,none", "there is no interpreter at none; name a virtual environment"),
        ("old,lem.yaml", "there is no interpreter at lem.yaml"),
    ],
)
def test_what_are_no_two_environments_is_refused(
    environments: Any, lem: Any, text: str, sentence: str
) -> None:
    """Before anything runs."""
    result = lem(ALONE, f"--lem-ab-env={text}")
    assert result.ret == 4
    assert sentence in result.stderr.str() + result.stdout.str()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--lem-ab=ngram.cpu_s:0.1"], "--lem-ab: 'ngram.cpu_s:0.1' does not name two sides"),
        (["--lem-ab=ngram.cpu:1,2"], "cpu"),
        (["--lem-ab=ngram.cpu_s:1,x"], "cpu_s"),
        (["--lem-ab=backend:ngram,nobody"], "nobody"),
        (["--lem-ab=precision:float64,int3"], "int3"),
        ([SLOWER, "--lem-save=main"], "compares two sides with each other, not with a history"),
        ([SLOWER, "--lem-baseline=main"], "leave out the options that compare or save"),
        ([SLOWER, "--lem-set=backends.ngram.cpu_s=1"], "both say what `ngram.cpu_s` is"),
        (["--lem-ab=backend:ngram,transformers", "--lem-backend=ngram"], "both say what `backend`"),
        ([SLOWER, "--lem-sweep=x.yaml"], "--lem-ab and --lem-sweep both vary; take one out"),
        ([SLOWER, "--lem-ab-env=a,b"], "--lem-ab and --lem-ab-env both vary; take one out"),
        ([SLOWER, "--lem-set=pair.pairs=3"], "pair.pairs"),
        ([SLOWER, SPEED, "--lem-promise=10"], "--lem-promise 10"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_cannot_be_compared_is_refused_before_anything_runs(
    engine: Any, lem: Any, arguments: list[str], sentence: str
) -> None:
    """As a usage error, in one sentence."""
    engine.path.joinpath("x.yaml").write_text("grid:\n  batch_size: [1, 2]\n")
    result = lem(SUITE, *arguments)
    assert result.ret == 4
    text = re.sub(r"\s+", " ", result.stderr.str() + result.stdout.str())
    assert sentence in text
    assert "Traceback" not in text
