"""What a gate says of a figure, and why: one text for each reason."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """What comparing one figure with a baseline came to."""

    PASS = "pass"  # noqa: S105 - no password
    IMPROVED = "improved"
    PROVISIONAL = "provisional"
    REGRESSED = "regressed"
    INCONCLUSIVE = "inconclusive"
    INVALID = "invalid"
    INCOMPARABLE = "incomparable"
    MISSING = "missing"


#: From the best to the worst: what stands for several figures is the last of them.
ORDER = tuple(Verdict)

#: What fails unless `gate.fail_verdicts` says otherwise.
FAILING = ("regressed", "inconclusive", "invalid", "incomparable", "missing")


class Cause(StrEnum):
    """Why a verdict is what it is."""

    AMBIGUOUS = "ambiguous"
    BRIEF_WINDOW = "brief_window"
    CONTENDED = "contended"
    DUPLICATE_KEY = "duplicate_key"
    ESTIMATED = "estimated"
    FACTS_DIFFER = "facts_differ"
    FACTS_UNKNOWN = "facts_unknown"
    FIRST_SESSION = "first_session"
    INVALID_ROUNDS = "invalid_rounds"
    LENGTH_DIFFERS = "length_differs"
    NOT_MEASURED = "not_measured"
    NOT_REPEATABLE = "not_repeatable"
    NOT_REPEATED = "not_repeated"
    NEVER_FAILS = "never_fails"
    NO_HISTORY = "no_history"
    NO_OUTPUTS = "no_outputs"
    NO_VALUE = "no_value"
    ONLY_ITSELF = "only_itself"
    OTHER_BOARD = "other_board"
    OTHER_CLOCK = "other_clock"
    OTHER_POWER_CAP = "other_power_cap"
    OTHER_SIDE_BUSY = "other_side_busy"
    OTHER_SOURCE = "other_source"
    OTHER_SURROUNDINGS = "other_surroundings"
    OTHER_TEMPERATURE = "other_temperature"
    OUTPUTS_DIFFER = "outputs_differ"
    OUTPUTS_UNKNOWN = "outputs_unknown"
    SCATTER_ASSUMED = "scatter_assumed"
    SHORTENED = "shortened"
    SHORTER_OUTPUT = "shorter_output"
    SHORT_WINDOW = "short_window"
    SIDES_DIFFER = "sides_differ"
    SIMULATED = "simulated"
    TOO_COARSE = "too_coarse"
    TOO_FEW_PAIRS = "too_few_pairs"
    UNSTEADY = "unsteady"


_TEXTS = {
    Cause.AMBIGUOUS: "cases of one run differ in nothing but what --lem-under-test names, so it "
    "is open which belong together; name fewer fields, or run them apart",
    Cause.BRIEF_WINDOW: "a window was shorter than 5 s or 50 ticks of the counter, which decides "
    "nothing; raise measure.min_window_s",
    Cause.CONTENDED: "other tests may have run at the same time; run energy tests alone (-n 0)",
    Cause.DUPLICATE_KEY: "another test of this run measured the same case; give one of them "
    "another workload name",
    Cause.ESTIMATED: "the energy is an estimate, which is not gated; gate throughput or latency "
    "by name (--lem-fail-on output_throughput_tok_s:5), or set gate.estimates",
    Cause.FACTS_DIFFER: "the baseline was measured under other circumstances; measure anew with "
    "--lem-save and accept it, or name what is meant to differ with --lem-under-test",
    Cause.FACTS_UNKNOWN: "a fact that has to agree is unknown, so nobody can say whether it does",
    Cause.FIRST_SESSION: "there was no history; this run begins one",
    Cause.INVALID_ROUNDS: "the measurement itself is not to be trusted; its record says why",
    Cause.LENGTH_DIFFERS: "the output is fixed in length, and the baseline has another one; one "
    "of the two generated what it was not asked for",
    Cause.NEVER_FAILS: "what the rule allows is as large as the figure itself, so that it could "
    "never fail; allow less",
    Cause.NOT_MEASURED: "its test is gone, or was selected and measured nothing",
    Cause.NOT_REPEATABLE: "a window, a body that ran once or a run that is over cannot be "
    "measured again, so a single test at a stricter level decides",
    Cause.NOT_REPEATED: "a second measurement in the same job did not confirm it",
    Cause.NO_HISTORY: "the baseline does not have this case; add it with --lem-save",
    Cause.NO_OUTPUTS: "the history has no outputs to hold this one's against; later sessions will",
    Cause.NO_VALUE: "the figure is unknown; its record says why",
    Cause.ONLY_ITSELF: "it was taken over from an earlier run, and the history has nothing else; "
    "measure anew to compare",
    Cause.OTHER_BOARD: "the history is of other boards of the same kind, so it scatters more",
    Cause.OTHER_CLOCK: "the mean SM clock is more than 1 % from the baseline's",
    Cause.OTHER_POWER_CAP: "the power cap slowed the GPU down for a share of the time that is more "
    "than 5 % from the baseline's, so speed and clock follow the cap as well",
    Cause.OTHER_SIDE_BUSY: "the host of the other side was at work meanwhile; load one side at a "
    "time (pair.together: false)",
    Cause.OTHER_SOURCE: "the source of the test has changed since the baseline was measured",
    Cause.OTHER_SURROUNDINGS: "driver, VBIOS, kernel or Python differ a little from the baseline's",
    Cause.OTHER_TEMPERATURE: "the rounds began more than 5 °C from the baseline's temperature",
    Cause.OUTPUTS_DIFFER: "it said something else than the baseline, more than quality.agreement "
    "allows, so its energy is that of another answer",
    Cause.OUTPUTS_UNKNOWN: "quality.agreement asks for the same output, which cannot be compared: "
    "decoding is not greedy, or the sides have different models",
    Cause.SCATTER_ASSUMED: "with fewer than 8 sessions the scatter between them is assumed "
    "(gate.session_cv)",
    Cause.SHORTENED: "a preset below `standard` measures energy too briefly to judge it; take "
    "--lem-preset=standard",
    Cause.SHORTER_OUTPUT: "it generated less than 90 % of the baseline's tokens: cheaper because "
    "it stopped early",
    Cause.SHORT_WINDOW: "a window was shorter than 1 s or 10 ticks of the counter; raise "
    "measure.min_window_s",
    Cause.SIDES_DIFFER: "the two sides did not run on the same machine, or were not measured alike",
    Cause.SIMULATED: "the energy is simulated; take another --lem-meter",
    Cause.TOO_COARSE: "the least change that would be found is above what the gate promises to "
    "find; more sessions of history lower it, and small changes need a paired comparison",
    Cause.TOO_FEW_PAIRS: "the least change that would be found is above what the gate promises to "
    "find; more pairs (pair.pairs), more loads (pair.loads) or longer windows lower it",
    Cause.UNSTEADY: "the warm-up ended before the energy was steady; raise measure.warmup_max_s",
}


def text_of(cause: str) -> str:
    """Return the text of a reason; one of a later release stands by itself."""
    return _TEXTS.get(cause, cause)  # type: ignore[call-overload,no-any-return]


def worst(verdicts: list[Verdict]) -> Verdict:
    """Return the verdict that stands for all of them; PASS for none."""
    return max(verdicts, key=ORDER.index, default=Verdict.PASS)
