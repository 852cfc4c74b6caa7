"""What the gate says of a whole run: cases that are missing, what was saved, what is wrong."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from pytest_lem.gate.admission import admit
from pytest_lem.gate.judge import applies
from pytest_lem.gate.sentence import sentence
from pytest_lem.gate.sharing import sharing
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.plugin.gating import Gating
from pytest_lem.reports.figures import counted
from pytest_lem.results.attempts import last_attempts
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.session import Session, entries_of


@dataclass(slots=True)
class GateOutcome:
    """What comparing and saving a run came to.

    Attributes:
        comparisons: those of the last attempt at each test, and what is missing.
        problems: sentences for which the run fails, whatever its tests say.
        notes: sentences about what was saved and what waits.

    """

    gating: Gating
    comparisons: list[Comparison]
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def saves_to(self) -> str | None:
        """Return the history that the run is added to."""
        return self.gating.saves_to

    def admit(self, session: Session) -> None:
        """Decide for each entry whether it joins the history, by the verdicts on its figures."""
        by_case: dict[str | None, list[Comparison]] = {}
        for comparison in self.comparisons:
            by_case.setdefault(comparison.digest, []).append(comparison)
        for entry in session.entries:
            found = by_case.get(entry.digest, [])
            if not self.gating.is_gated:  # the history is asked all the same, before it grows
                found = self.gating.judge.judge(
                    entry, session.facts[entry.comparability], self.gating.rules
                )
            admit(entry, found)
        self._note(session)

    def _note(self, session: Session) -> None:
        if self.saves_to is None:
            return
        counts = Counter(entry.state for entry in session.entries)
        text = f"saved to {self.saves_to}: {counts['joined']} of {len(session.entries)} cases"
        if counts["waiting"]:
            text += (
                f"; {counts['waiting']} differ from their history and wait for "
                f"`lem baseline accept {self.saves_to}`"
            )
        self.notes.append(text)


def judge_run(gating: Gating, run_file: RunFile, *, expected: list[str] | None) -> GateOutcome:
    """Add what is missing to the comparisons of a run, and say what fails it.

    `expected` are the cases of the history that were asked for, None where no worker came to say.
    """
    outcome = GateOutcome(gating, last_attempts(run_file.comparisons))
    if not gating.is_gated:
        return outcome
    missing = [_missing(gating, identity) for identity in _unmeasured(gating, run_file, expected)]
    run_file.comparisons += missing
    outcome.comparisons += missing
    failing = [c for c in missing if gating.fails(c)]
    outcome.problems += [f"{c.case}: {c.message}" for c in failing]
    outcome.notes += _repetition(gating, run_file)
    if not run_file.comparisons:
        outcome.problems.append(
            f"the gate against {gating.baseline.name} compared nothing, since no test of this run "
            "measured anything; select tests that do, or leave the baseline out"
        )
    elif idle := _idle_rules(gating, run_file):
        outcome.problems.append(
            f"--lem-fail-on {', '.join(idle)} judged no case of this run, since none has the "
            "metric or markers have rules of their own; take it out, or select other tests"
        )
    return outcome


def _repetition(gating: Gating, run_file: RunFile) -> list[str]:
    """Say how far a second measurement can be trusted to be another one, if there was any."""
    if all(c.p_repeated is None for c in run_file.comparisons):
        return []
    found = sharing(gating.baseline, [rule.metric for rule in gating.rules])
    text = "what was flagged was measured again; "
    if found is None:
        text += "how far that repeats the first time is not known: --lem-cycles 2 would tell"
    else:
        text += f"such a repetition shares {100 * found.share:.0f} % of the scatter with its "
        text += f"session ({counted(found.figures, 'figure')} with cycles)"
    return [text]


def _unmeasured(gating: Gating, run_file: RunFile, expected: list[str] | None) -> list[str]:
    """Return the cases that were asked for and not measured; a run cut short leaves all open."""
    if run_file.run.exit_status not in {0, 1} or not expected:
        return []
    measured = {gating.baseline.identity(entry) for entry in entries_of(run_file.records)}
    return [identity for identity in expected if identity not in measured]


def _missing(gating: Gating, identity: str) -> Comparison:
    entry = gating.baseline.cases[identity][-1].entry
    comparison = Comparison(
        case=entry.key,
        digest=entry.digest,
        nodeid=entry.nodeid,
        metric="every figure",
        baseline=gating.baseline.name,
        candidate=gating.judge.run,
        verdict=Verdict.MISSING,
        reasons=[Cause.NOT_MEASURED],
    )
    return replace(comparison, message=sentence(comparison))


def _idle_rules(gating: Gating, run_file: RunFile) -> list[str]:
    """Return the rules that somebody typed and that judged nothing, nor would have."""
    if not gating.origins["gate.fail_on"].startswith(("--", "LEM_")):
        return []
    used = {(c.metric, c.theta, c.absolute or 0.0) for c in run_file.comparisons}
    compared = {c.digest for c in run_file.comparisons}
    others = [e for e in entries_of(run_file.records) if e.digest not in compared]
    return [
        str(rule)
        for rule in gating.rules
        if (rule.metric, rule.theta, rule.absolute) not in used
        and not any(applies(rule, entry) for entry in others)
    ]
