"""The judge: every verdict, for every reason, and what two measurements say together."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import log
from typing import Any

import pytest

from pytest_lem.flags import Flag
from pytest_lem.gate.history import History, interval, least_found, p_value
from pytest_lem.gate.judge import Judge, Terms, applies
from pytest_lem.gate.rule import Rule, rule_of
from pytest_lem.gate.sentence import sentence
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.definitions import GATEABLE
from pytest_lem.results.entry import Entry, Figure

Make = Callable[..., Any]
ENERGY = "energy_per_output_token_j"
SPEED = "output_throughput_tok_s"
#: Terms under which eight sessions that scatter by half a per cent decide what they promise.
CALM = {"prior_cv": 0.005}


@pytest.mark.parametrize(
    ("rule", "entry_of", "verdict"),
    [
        (f"{ENERGY}:1", (2.0, 100.0), Verdict.PASS),
        (f"{ENERGY}:1", (2.01, 100.0), Verdict.PASS),
        (f"{ENERGY}:1", (2.4, 100.0), Verdict.REGRESSED),
        (f"{ENERGY}:1", (1.6, 100.0), Verdict.IMPROVED),
        (f"{ENERGY}:25", (2.4, 100.0), Verdict.PASS),
        (f"{ENERGY}:1+0.5", (2.4, 100.0), Verdict.PASS),
        (f"{SPEED}:1", (2.0, 100.0), Verdict.PASS),
        (f"{SPEED}:1", (2.0, 80.0), Verdict.REGRESSED),
        (f"{SPEED}:1", (2.0, 120.0), Verdict.IMPROVED),
        (f"{SPEED}:40", (2.0, 80.0), Verdict.PASS),
    ],
)
def test_verdicts_of_the_history_test(
    judged: Make, rule: str, entry_of: tuple[float, float], verdict: Verdict
) -> None:
    """Worse is more joules and fewer tokens a second; the rule says how much is allowed."""
    assert judged(*entry_of, rule=rule, terms=CALM).verdict == verdict


def test_a_comparison_says_all_that_was_computed(judged: Make, entry: Make) -> None:
    """2.4 J after sessions of 1.9, 2 and 2.1 J: level, p, interval and what would be found."""
    past = [entry(joules) for joules in (1.9, 2.0, 2.1)]
    found = judged(2.4, 90.0, past=past, rule=f"{ENERGY}:2")
    history = History(logs=[log(joules) for joules in (1.9, 2.0, 2.1)], prior_cv=0.02)
    change = log(2.4) - history.mean
    assert (found.metric, found.unit, found.value) == (ENERGY, "J/token", 2.4)
    assert (found.baseline, found.candidate, found.case) == ("main", "now", "case")
    assert (found.theta, found.absolute, found.promise, found.m) == (0.02, None, 0.10, 1)
    assert (found.alpha, found.sessions) == (0.01, 3)
    assert found.p == pytest.approx(p_value(change, log(1.02), history))
    assert log(found.ratio) == pytest.approx(change)
    assert list(map(log, found.interval)) == pytest.approx(interval(change, history))
    assert log(1 + found.mde) == pytest.approx(least_found(log(1.02), history, alpha=0.01))
    assert found.scatter == history.scatter
    assert found.attribution["energy_pct"] == pytest.approx(100 * (found.ratio - 1))
    assert found.attribution["speed_pct"] == pytest.approx(-10.0)
    assert found.message == sentence(found)


def test_a_change_is_found_from_the_first_session_on(judged: Make, entry: Make) -> None:
    """A rejection holds at any age of the history, and a speed has a p of its own side."""
    assert judged(3.0, past=[entry()]).verdict == Verdict.REGRESSED
    assert judged(2.0, 60.0, past=[entry()], rule=SPEED).verdict == Verdict.REGRESSED
    assert judged(1.4, past=[entry()]).verdict == Verdict.IMPROVED


def test_a_young_history_passes_nothing(judged: Make, entry: Make) -> None:
    """What would be found is above the promise, and the scatter is assumed."""
    found = judged(past=[entry()])
    assert found.verdict == Verdict.PROVISIONAL
    assert found.reasons == [Cause.TOO_COARSE, Cause.SCATTER_ASSUMED]
    assert found.mde > found.promise
    assert judged(past=[entry()], terms={"promise": 0.2}).verdict == Verdict.PASS


def test_the_promise_is_at_least_twice_what_is_allowed(judged: Make) -> None:
    """Nothing below it could be undertaken."""
    assert judged(rule=f"{ENERGY}:20").promise == pytest.approx(0.4)
    assert judged(rule=f"{ENERGY}:20", terms={"promise": 0.5}).promise == 0.5


REASONS: dict[Cause, tuple[Verdict, dict[str, Any]]] = {
    Cause.BRIEF_WINDOW: (Verdict.INCONCLUSIVE, {"flags": [Flag.BRIEF_WINDOW]}),
    Cause.CONTENDED: (Verdict.INVALID, {"flags": [Flag.CONTENDED]}),
    Cause.DUPLICATE_KEY: (Verdict.INVALID, {"flags": [Flag.DUPLICATE_KEY]}),
    Cause.OTHER_SIDE_BUSY: (Verdict.INVALID, {"flags": [Flag.OTHER_SIDE_BUSY]}),
    Cause.ESTIMATED: (Verdict.INVALID, {"tier": "estimated"}),
    Cause.INVALID_ROUNDS: (Verdict.INVALID, {"validity": "invalid"}),
    Cause.NO_HISTORY: (Verdict.MISSING, {"past": []}),
    Cause.FIRST_SESSION: (Verdict.PROVISIONAL, {"past": [], "terms": {"is_saving": True}}),
    Cause.NO_VALUE: (Verdict.INVALID, {"energy_j": None}),
    Cause.OTHER_SOURCE: (Verdict.PASS, {"source_sha256": "bb"}),
    Cause.SHORTENED: (Verdict.INVALID, {"flags": [Flag.SHORTENED]}),
    Cause.SHORT_WINDOW: (Verdict.INVALID, {"flags": [Flag.SHORT_WINDOW]}),
    Cause.SIMULATED: (Verdict.INVALID, {"origin": "simulated"}),
    Cause.TOO_COARSE: (Verdict.PROVISIONAL, {"terms": {"promise": 0.011}}),
    Cause.UNSTEADY: (Verdict.INCONCLUSIVE, {"flags": [Flag.UNSTEADY]}),
    Cause.NEVER_FAILS: (Verdict.INVALID, {"rule": f"{SPEED}:1+100"}),
    Cause.NOT_REPEATABLE: (Verdict.PROVISIONAL, {"energy_j": 2.045, "is_repeatable": False}),
}


@pytest.mark.parametrize("cause", REASONS)
def test_each_reason_with_its_verdict(judged: Make, cause: Cause) -> None:
    """The reason comes first and its text is in the sentence of what was not decided."""
    verdict, fields = REASONS[cause]
    found = judged(**{"terms": CALM, **fields})
    assert (found.verdict, found.reasons[:1]) == (verdict, [cause])
    assert found.message == sentence(found)


#: Reasons of tests of their own; that a test is gone, only the whole run can tell.
ELSEWHERE = {
    Cause.AMBIGUOUS, Cause.FACTS_DIFFER, Cause.FACTS_UNKNOWN, Cause.LENGTH_DIFFERS,
    Cause.NOT_REPEATED, Cause.OTHER_BOARD, Cause.OTHER_CLOCK, Cause.OTHER_SURROUNDINGS,
    Cause.OTHER_TEMPERATURE, Cause.SCATTER_ASSUMED, Cause.SHORTER_OUTPUT, Cause.NOT_MEASURED,
    Cause.SIDES_DIFFER, Cause.TOO_FEW_PAIRS, Cause.OUTPUTS_DIFFER, Cause.OUTPUTS_UNKNOWN,
    Cause.NO_OUTPUTS, Cause.OTHER_POWER_CAP, Cause.ONLY_ITSELF,
}  # fmt: skip


def test_a_measurement_is_no_history_of_its_own(judged: Make, entry: Make) -> None:
    """What was taken over from the only session there is is neither missing nor judged."""
    found = judged(9.0, past=[entry()], measured_in="r0")
    assert (found.verdict, found.reasons) == (Verdict.PROVISIONAL, [Cause.ONLY_ITSELF])
    assert found.message.startswith("energy_per_output_token_j is not compared with main: it was ")
    saving = judged(9.0, past=[entry()], measured_in="r0", terms={"is_saving": True})
    assert saving.reasons == [Cause.ONLY_ITSELF]


def test_no_reason_is_left_without_a_test() -> None:
    """Whoever adds one shows what leads to it."""
    assert set(Cause) == set(REASONS) | ELSEWHERE


@pytest.mark.parametrize("cause", [Cause.BRIEF_WINDOW, Cause.UNSTEADY])
def test_energy_that_decides_nothing_shows_its_change(judged: Make, cause: Cause) -> None:
    """However large it is, there is neither a test nor a regression; throughput is judged."""
    flags = REASONS[cause][1]["flags"]
    found = judged(9.0, flags=flags)
    assert (found.verdict, found.p) == (Verdict.INCONCLUSIVE, None)
    assert found.ratio == pytest.approx(4.5)
    assert judged(2.0, 50.0, flags=flags, rule=SPEED).verdict == Verdict.REGRESSED


@pytest.mark.parametrize(
    ("past", "now", "cause"),
    [
        ({}, {"sm_clock_mhz": 1020.0}, Cause.OTHER_CLOCK),
        ({}, {"start_c": 46.0}, Cause.OTHER_TEMPERATURE),
        ({}, {"power_cap_share": 0.56}, Cause.OTHER_POWER_CAP),
        ({"kernel": "5.9"}, {}, Cause.OTHER_SURROUNDINGS),
    ],
)
def test_what_asks_for_care_changes_no_verdict(
    judged: Make, entry: Make, facts: Make, past: Any, *, now: Any, cause: Cause
) -> None:
    """It stands beside it, after the reasons of the verdict."""
    own = {"sm_clock_mhz": 1000.0, "start_c": 40.0, "power_cap_share": 0.5}
    fields = {"past": [entry(**own)] * 8, "then": facts(**past), "terms": CALM, **own, **now}
    assert judged(**fields).reasons == [cause]
    assert judged(**fields).verdict == Verdict.PASS
    assert judged(2.4, **fields).verdict == Verdict.REGRESSED


def test_another_board_counts_once_and_scatters_by_five_per_cent(judged: Make, facts: Make) -> None:
    """Twenty per cent are a regression on the board of the history, and none on another."""
    elsewhere = judged(2.4, then=facts(board="GPU-b"))
    assert judged(2.4).verdict == Verdict.REGRESSED
    assert elsewhere.verdict == Verdict.PROVISIONAL
    assert elsewhere.scatter == pytest.approx(0.05)
    assert elsewhere.reasons == [Cause.TOO_COARSE, Cause.OTHER_BOARD, Cause.SCATTER_ASSUMED]
    assert judged(4.0, then=facts(board="GPU-b")).verdict == Verdict.REGRESSED


def test_facts_that_differ_cannot_be_compared(judged: Make, facts: Make) -> None:
    """They are named, and a change that is meant is not among them."""
    now = facts({"backend.version": "2", "gpu.name": ["Other"]})
    found = judged(9.0, now=now)
    assert (found.verdict, found.reasons) == (Verdict.INCOMPARABLE, [Cause.FACTS_DIFFER])
    assert found.differences == ["backend.version: 1.0 -> 2", "gpu.name: Board -> Other"]
    assert (found.ratio, found.p) == (None, None)
    meant = judged(now=now, under_test=["backend.version"])
    assert meant.differences == ["gpu.name: Board -> Other"]
    both = judged(now=now, under_test=["backend.version", "gpu.name"])
    assert (both.verdict, both.differences) == (Verdict.PASS, [])
    assert both.under_test == ["backend.version: 1.0 -> 2", "gpu.name: Board -> Other"]


@pytest.mark.parametrize("unknown", ["backend.version", "model.sha256"])
def test_facts_that_are_unknown_cannot_be_compared(judged: Make, facts: Make, unknown: str) -> None:
    """Two unknowns are not alike."""
    both = facts({unknown: None})
    found = judged(now=both, then=both)
    assert (found.verdict, found.reasons) == (Verdict.INCOMPARABLE, [Cause.FACTS_UNKNOWN])
    assert found.differences == [unknown]


def test_cases_that_cannot_be_told_apart_cannot_be_compared(
    entry: Make, facts: Make, session: Make, baseline: Make
) -> None:
    """A session with two precisions, where the precision is under test."""
    known = baseline(under_test=["precision"])
    known.add(session("r1", *((entry(settings={"precision": p}), facts()) for p in ("a", "b"))))
    (found,) = Judge(known, Terms(), "now").judge(entry(), facts(), [Rule(metric=ENERGY)])
    assert (found.verdict, found.reasons) == (Verdict.INCOMPARABLE, [Cause.AMBIGUOUS])


@pytest.mark.parametrize("value", [0.0, -1.0])
@pytest.mark.parametrize("terms", [{}, {"is_saving": True}, {"promise": 10.0}], ids=str)
def test_what_is_no_figure_never_passes(
    entry: Make, facts: Make, baseline: Make, value: float, terms: dict[str, Any]
) -> None:
    """Zero and a negative value are invalid, however the gate is set."""
    new: Entry = entry()
    new.figures[ENERGY] = Figure(value, 0.0)
    new.figures[SPEED] = Figure(value, 0.0)
    rules = [Rule(metric=ENERGY), Rule(metric=SPEED)]
    found = Judge(baseline((entry(), facts())), Terms(**terms), "now").judge(new, facts(), rules)
    assert [c.verdict for c in found] == [Verdict.INVALID] * 2
    assert [c.reasons for c in found] == [[Cause.NO_VALUE]] * 2


@pytest.mark.parametrize("value", [0.0, float("nan"), float("inf")])
def test_a_history_that_is_no_figure_is_none(
    entry: Make, facts: Make, baseline: Make, value: float
) -> None:
    """A baseline of 0 J passes nothing."""
    old = entry()
    known = baseline((old, facts()))
    known.find(old, facts()).past[0].entry.figures[ENERGY] = Figure(value, 0.0)
    (found,) = Judge(known, Terms(), "now").judge(entry(), facts(), [Rule(metric=ENERGY)])
    assert (found.verdict, found.reasons) == (Verdict.MISSING, [Cause.NO_HISTORY])


@pytest.mark.parametrize("past", [[5e-324], [2.0, 1e-300], [1e-300, 1e300], [1.7e308]], ids=str)
def test_an_absurd_history_neither_passes_nor_breaks(
    judged: Make, entry: Make, past: list[float]
) -> None:
    """A file that was edited may have any number in it."""
    for joules in (2.0, 1e-300, 1e300):
        found = judged(joules, past=[entry(value) for value in past])
        assert found.verdict != Verdict.PASS


@pytest.mark.parametrize(
    "terms", [{"alpha": 1e-6, "prior_cv": 1.0}, {"alpha": 1e-9}, {"alpha": 1e-17}], ids=str
)
@pytest.mark.parametrize("is_repeatable", [True, False])
def test_extreme_terms_pass_nothing_and_break_nothing(
    judged: Make, entry: Make, terms: dict[str, float], *, is_repeatable: bool
) -> None:
    """A change that is never found is told as a comparison that can be stored."""
    found = judged(past=[entry()], terms=terms, is_repeatable=is_repeatable)
    assert found.verdict == Verdict.PROVISIONAL
    assert json.dumps(found.plain(), allow_nan=False)


def test_a_figure_that_the_history_lacks_is_missing(judged: Make, entry: Make) -> None:
    """Of a case that is known; a run that saves begins its history."""
    past = [entry(None)] * 8
    assert judged(past=past).verdict == Verdict.MISSING
    assert judged(past=past, terms={"is_saving": True}).verdict == Verdict.PROVISIONAL
    assert judged(past=past, rule=SPEED).verdict == Verdict.PASS


def test_estimates_are_judged_only_where_that_is_allowed(judged: Make, entry: Make) -> None:
    """Then like any other figure, and never without a word."""
    past = [entry(tier="estimated")] * 8
    terms = {**CALM, "allows_estimates": True}
    assert judged(2.4, tier="estimated", past=past).verdict == Verdict.INVALID
    assert judged(2.4, tier="estimated", past=past, terms=terms).verdict == Verdict.REGRESSED
    assert judged(2.0, 100.0, tier="estimated", past=past, rule=SPEED).verdict == Verdict.PASS


@pytest.mark.parametrize(
    ("kind", "chosen"),
    [
        (
            "infer",
            {
                "energy_per_output_token_j", "energy_per_input_token_j", "energy_per_request_j",
                "output_throughput_tok_s", "request_throughput_req_s", "ttft_s", "tpot_s",
                "energy_per_good_request_j", "goodput_req_s",
                "peak_host_memory_bytes", "peak_device_memory_bytes", "perplexity",
            },
        ),
        (
            "call",
            {
                "energy_per_call_j", "energy_per_unit_j", "unit_throughput_per_s",
                "call_duration_s",
            },
        ),
    ],
)  # fmt: skip
def test_rules_apply_to_the_kinds_that_have_their_metric(
    entry: Make, kind: str, chosen: set[str]
) -> None:
    """The default rules of models leave callables alone, and the other way round."""
    found = {metric for metric in GATEABLE if applies(rule_of(metric, "o"), entry(kind=kind))}
    assert found == chosen


def test_each_rule_that_applies_has_its_comparison(
    entry: Make, facts: Make, baseline: Make
) -> None:
    """In their order, and each says how many were judged beside each other."""
    rules = [Rule(metric=name) for name in (SPEED, "energy_per_call_j", ENERGY)]
    judge = Judge(baseline((entry(), facts())), Terms(), "now")
    found = judge.judge(entry(), facts(), rules)
    assert [(c.metric, c.m) for c in found] == [(SPEED, 2), (ENERGY, 2)]
    assert judge.judge(entry(kind="train"), facts(), [Rule(metric="energy_per_call_j")]) == []


@pytest.mark.parametrize(
    ("before", "now", "verdict", "reason"),
    [
        ([[1, 2, 3, 4]], [[1, 2, 3, 4]], "pass", None),
        ([[1, 2, 3, 4]], [[1, 2, 9, 4]], "regressed", "outputs_differ"),
        (None, [[1, 2, 3, 4]], "pass", "no_outputs"),
        ([[1, 2, 3, 4]], None, "invalid", "outputs_unknown"),
        (None, None, "invalid", "outputs_unknown"),
    ],
)
def test_a_night_is_held_against_what_the_last_one_said(
    judged: Make, entry: Make, *, before: Any, now: Any, verdict: str, reason: str | None
) -> None:
    """A history without outputs gets them from tonight on, and does not fail before."""
    past = [*[entry(outputs=[[9]])] * 7, entry(outputs=before)] if before else [entry()] * 8
    terms = {**CALM, "least_agreement": 0.9}
    found = judged(past=past, outputs=now, terms=terms)
    assert found.verdict == verdict
    assert found.reasons == ([reason] if reason else [])
    if not reason:
        assert found.agreement == 1.0
    assert judged(past=past, outputs=now, terms=CALM).verdict == "pass"


def test_a_callable_says_nothing(judged: Make, entry: Make) -> None:
    """Its outputs are nobody's business."""
    call = {"energy_j": None, "speed_tok_s": None, "kind": "call",
            "figures": {"energy_per_call_j": 2.0}}  # fmt: skip
    terms = {**CALM, "least_agreement": 0.9}
    found = judged(past=[entry(**call)] * 8, rule="energy_per_call_j:1", terms=terms, **call)
    assert (found.verdict, found.agreement) == ("pass", None)
