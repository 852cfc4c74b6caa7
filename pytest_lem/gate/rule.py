"""Rules: which figure is gated, and how much worse than its baseline it may be."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from math import exp, inf, isfinite, log, log1p

from pytest_lem.errors import config_error, did_you_mean
from pytest_lem.results.definitions import GATEABLE, METRICS

#: The allowed change where a rule names none.
DEFAULT_PERCENT = 1.0
_RULE = re.compile(
    r"(?P<metric>\w+)(?::(?P<percent>\d+(?:\.\d*)?|\.\d+)%?(?:\+(?P<absolute>\d+(?:\.\d*)?"
    r"(?:[eE][+-]?\d+)?|\.\d+))?)?"
)
_FORM = "METRIC:PCT or METRIC:PCT+ABS, such as energy_per_output_token_j:2 or ttft_s:5+0.01"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A figure that is gated.

    Attributes:
        metric: its name.
        theta: how much worse than the baseline is allowed, as a share (0.01 is one per cent).
        absolute: what is allowed on top, in the unit of the metric.
        is_named: whether somebody named the metric, or it is one of the defaults.

    """

    metric: str
    theta: float = DEFAULT_PERCENT / 100
    absolute: float = 0.0
    is_named: bool = True

    @property
    def is_higher_better(self) -> bool:
        """Tell whether more of it is better."""
        return METRICS[self.metric].direction == "higher"

    @property
    def is_energy(self) -> bool:
        """Tell whether joules are in it."""
        return self.metric.startswith("energy")

    def worsening(self, log_change: float) -> float:
        """Return a change of the logarithm, candidate less baseline, as a change to the worse."""
        return -log_change if self.is_higher_better else log_change

    def allowed(self, baseline: float) -> float:
        """Return how much worse the logarithm may be, for a baseline above 0.

        Infinite where the absolute part leaves nothing of the baseline, so that it never fails.
        """
        if self.is_higher_better:
            least = baseline / (1 + self.theta) - self.absolute
            return log(baseline / least) if least > 0 else inf
        return log1p(self.theta + self.absolute / baseline)

    def __str__(self) -> str:
        tail = f"+{self.absolute:g}" if self.absolute else ""
        return f"{self.metric}:{100 * self.theta:g}{tail}"


#: What is gated where only a baseline is named; each kind of case has two of them.
DEFAULTS = tuple(
    Rule(metric=metric, is_named=False)
    for metric in (
        "energy_per_output_token_j",
        "output_throughput_tok_s",
        "energy_per_call_j",
        "call_duration_s",
    )
)


def rule_of(text: str, origin: str) -> Rule:
    """Read `METRIC[:PCT[+ABS]]`; raises LemError for what is no rule or no figure to gate."""
    found = _RULE.fullmatch(text.strip())
    if found is None:
        raise config_error(f"{origin}: {text!r} is no rule; write {_FORM}")
    metric = found["metric"]
    _check_metric(metric, origin)
    percent = float(found["percent"] or DEFAULT_PERCENT)
    absolute = float(found["absolute"] or 0)
    if not (isfinite(percent) and isfinite(absolute)):
        raise config_error(f"{origin}: {text!r} allows everything, so that it would never fail")
    return Rule(metric=metric, theta=percent / 100, absolute=absolute)


def rules_of(texts: Iterable[str], origin: str) -> tuple[Rule, ...]:
    """Read rules, at most one for a metric."""
    rules = [rule_of(text, origin) for text in texts]
    names = [rule.metric for rule in rules]
    for name in names:
        if names.count(name) > 1:
            raise config_error(f"{origin}: there are two rules for {name}; take one out")
    return tuple(rules)


def percent(log_change: float) -> float:
    """Return a change of a logarithm as a change in per cent."""
    return 100 * (exp(log_change) - 1)


def _check_metric(metric: str, origin: str) -> None:
    if metric in GATEABLE:
        return
    if metric in METRICS:
        raise config_error(
            f"{origin}: {metric} is reported and never gated, since it is derived, estimated or "
            f"rests on too few samples; gate one of {', '.join(GATEABLE)}"
        )
    raise config_error(
        f"{origin}: there is no metric {metric!r}; {did_you_mean(metric, list(GATEABLE))}"
    )
