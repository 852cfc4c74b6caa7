"""The gate of a session: what is compared with which history, and on what terms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_lem.config.gate import GateSettings
from pytest_lem.config.resolve import Resolved
from pytest_lem.errors import LemError
from pytest_lem.gate.baseline import Baseline, baseline_of
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.promise import promise_of
from pytest_lem.gate.rule import DEFAULTS, Rule, rules_of
from pytest_lem.plugin.rundir import run_directory, store_directory
from pytest_lem.plugin.settings import is_gated, resolved_gate
from pytest_lem.results.comparability import NOTHING_KNOWN
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import entry_of
from pytest_lem.results.record import Record
from pytest_lem.results.store import Store, check_name, is_name

_GATE = pytest.StashKey["Gating | None"]()
#: The history of a run that has no branch and is compared with none.
_UNNAMED = "default"


class Gating:
    """Rules, terms and history of a session."""

    def __init__(self, config: pytest.Config) -> None:
        """Read settings and history; raises LemError for what is wrong with either."""
        resolved = resolved_gate(config)
        gate, self.origins = resolved.settings.gate, resolved.origins
        self.store = Store(store_directory(config))
        self.failing = frozenset(gate.fail_verdicts)
        self.rules = rules_in(resolved)
        self.saves_to = history_to_save(config, gate)
        self.baseline = self._read(config, gate)
        self.is_gated = gate.baseline is not None
        self.terms = replace(
            terms_of(gate, self.rules, is_saving=self.saves_to is not None),
            least_agreement=resolved.settings.quality.agreement,
        )
        self.judge = Judge(self.baseline, self.terms, run_directory(config).name)

    def compare(
        self,
        record: Record,
        rules: Sequence[Rule],
        *,
        is_repeatable: bool,
        promise_pct: float | None = None,
    ) -> list[Comparison]:
        """Compare a record with the history; a promise takes the place of the session's."""
        judge = self.judge
        if promise_pct is not None:
            judge = replace(judge, terms=replace(judge.terms, promise=promise_pct / 100))
        found = judge.judge(
            entry_of([record]),
            record.comparability or NOTHING_KNOWN,
            rules,
            is_repeatable=is_repeatable,
        )
        return [replace(c, cycle=record.cycle, attempt=record.attempt) for c in found]

    def fails(self, comparison: Comparison) -> bool:
        """Tell whether a comparison fails its test."""
        return comparison.verdict in self.failing

    @property
    def title(self) -> str:
        """Return what is compared with what, for the header."""
        count = self.baseline.sessions
        rules = (
            ", ".join(str(rule) for rule in self.rules) if self.rules != DEFAULTS else "defaults"
        )
        sessions = "1 session" if count == 1 else f"{count} sessions"
        return f"gate: baseline {self.baseline.name} ({sessions}), {rules}"

    def _read(self, config: pytest.Config, gate: GateSettings) -> Baseline:
        """Read the history; one that this run begins is empty."""
        under_test = UnderTest(gate.under_test, self.origins["gate.under_test"])
        name = gate.baseline or self.saves_to or _UNNAMED
        is_begun = name == self.saves_to and is_name(name) and not self.store.history(name)
        sessions = () if is_begun else self.store.each(name, _base(config, self.origins))
        return baseline_of(name, sessions, under_test)


def gating_of(config: pytest.Config) -> Gating | None:
    """Return the gate of a session that compares or saves; mistakes are usage errors."""
    if _GATE not in config.stash:
        try:
            config.stash[_GATE] = Gating(config) if is_gated(config) else None
        except LemError as error:
            raise pytest.UsageError(str(error)) from None
    return config.stash[_GATE]


def rules_in(resolved: Resolved) -> tuple[Rule, ...]:
    """Return the rules of the settings, or the defaults."""
    texts = resolved.settings.gate.fail_on
    if texts is None:
        return DEFAULTS
    return rules_of(texts, resolved.origins["gate.fail_on"])


def terms_of(gate: GateSettings, rules: Sequence[Rule], *, is_saving: bool) -> Terms:
    """Return the terms on which the settings let a gate decide."""
    return Terms(
        alpha=gate.alpha,
        promise=promise_of(gate.promise_pct, rules, "--lem-promise"),
        prior_cv=gate.session_cv,
        allows_estimates=gate.estimates,
        is_saving=is_saving,
    )


def history_to_save(config: pytest.Config, gate: GateSettings) -> str | None:
    """Return the history that this run is added to, or None."""
    if gate.save:
        check_name(gate.save, "--lem-save")
        return gate.save
    if not gate.autosave:
        return None
    if gate.baseline and is_name(gate.baseline):
        return gate.baseline
    return _branch(config.rootpath) or _UNNAMED


def _branch(root: Path) -> str | None:
    """Return the branch as a name, None where there is none."""
    from pytest_lem.results.environment import branch

    found = (branch(root) or "").replace("/", "-")
    return found if is_name(found) else None


def _base(config: pytest.Config, origins: dict[str, str]) -> Path:
    """Return the folder to which the path of a baseline is relative."""
    is_typed = origins["gate.baseline"].startswith("--")
    return config.invocation_params.dir if is_typed else config.rootpath
