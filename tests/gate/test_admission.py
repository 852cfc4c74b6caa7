"""Admission: what joins a history, what waits, what never does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from pytest_lem.flags import Flag
from pytest_lem.gate.admission import admit
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import Entry

Make = Callable[..., Any]


def _said(
    verdict: Verdict, *causes: Cause, metric: str = "energy_per_output_token_j"
) -> Comparison:
    return Comparison(
        case="case", metric=metric, baseline="main", candidate="r",
        verdict=verdict, reasons=[*causes],
    )  # fmt: skip


def _admitted(entry: Entry, *verdicts: Verdict) -> tuple[str | None, str]:
    admit(entry, [_said(verdict) for verdict in verdicts])
    return entry.verdict, entry.state


@pytest.mark.parametrize("before", ["joined", "waiting", "never"])
def test_what_was_not_gated_joins(entry: Make, before: str) -> None:
    """A first night has nothing to be judged by, and a stale state does not matter."""
    assert _admitted(entry(state=before, verdict="regressed")) == (None, "joined")


@pytest.mark.parametrize("verdict", [Verdict.PASS, Verdict.PROVISIONAL])
def test_what_is_as_before_joins(entry: Make, verdict: Verdict) -> None:
    """A young history grows with what it cannot tell from itself."""
    assert _admitted(entry(state="never"), verdict) == (verdict, "joined")


@pytest.mark.parametrize("verdict", [Verdict.REGRESSED, Verdict.IMPROVED, Verdict.INCOMPARABLE])
def test_what_has_changed_waits_for_a_person(entry: Make, verdict: Verdict) -> None:
    """A regression would be its own baseline, and an improvement may be a broken meter."""
    assert _admitted(entry(), verdict) == (verdict, "waiting")


def test_one_figure_that_has_changed_is_enough(entry: Make) -> None:
    """The whole case waits, and the worst verdict stands for it."""
    for other in (Verdict.PASS, Verdict.PROVISIONAL, Verdict.INVALID, Verdict.INCONCLUSIVE):
        assert _admitted(entry(), other, Verdict.IMPROVED, other)[1] == "waiting"
    assert _admitted(entry(), Verdict.IMPROVED, Verdict.REGRESSED, Verdict.PASS) == (
        "regressed", "waiting",
    )  # fmt: skip


def test_an_estimate_beside_a_good_throughput_does_not_keep_a_case_out(entry: Make) -> None:
    """Without a sensor the history of the throughput grows all the same."""
    found = entry(tier="estimated", state="never")
    admit(found, [_said(Verdict.INVALID, Cause.ESTIMATED), _said(Verdict.PASS)])
    assert (found.verdict, found.state, found.unjudged) == ("pass", "joined", [])


def test_energy_that_was_not_to_be_trusted_is_no_part_of_the_history(entry: Make) -> None:
    """The case joins by its throughput, and the figure of a brief window is left out."""
    for verdict, cause in (
        (Verdict.INCONCLUSIVE, Cause.BRIEF_WINDOW),
        (Verdict.INVALID, Cause.SHORT_WINDOW),
    ):
        found = entry(state="never")
        speed = _said(Verdict.PASS, Cause.OTHER_SOURCE, metric="output_throughput_tok_s")
        admit(found, [_said(verdict, cause), speed])
        assert (found.verdict, found.state) == ("pass", "joined")
        assert found.unjudged == ["energy_per_output_token_j"]


@pytest.mark.parametrize(
    "fields",
    [
        {"validity": "invalid"},
        {"validity": "unknown"},
        {"flags": [Flag.CONTENDED]},
        {"flags": [Flag.DUPLICATE_KEY]},
        {"energy_j": None, "speed_tok_s": None},
    ],
    ids=str,
)
@pytest.mark.parametrize("verdicts", [[], [Verdict.PASS], [Verdict.REGRESSED]], ids=str)
def test_what_is_not_sound_never_joins(
    entry: Make, fields: dict[str, Any], verdicts: list[Verdict]
) -> None:
    """Nor may a person accept it."""
    assert _admitted(entry(**fields), *verdicts)[1] == "never"


@pytest.mark.parametrize("verdicts", [[], [Verdict.PASS], [Verdict.PROVISIONAL]], ids=str)
def test_what_failed_never_joins(entry: Make, verdicts: list[Verdict]) -> None:
    """A test whose own assertions failed may have measured something else."""
    assert _admitted(entry(status="failed"), *verdicts)[1] == "never"


def test_what_the_gate_itself_failed_waits(entry: Make) -> None:
    """A regression fails its test, and waits all the same."""
    assert _admitted(entry(status="failed"), Verdict.REGRESSED) == ("regressed", "waiting")


@pytest.mark.parametrize("verdict", [Verdict.INVALID, Verdict.INCONCLUSIVE])
def test_what_could_not_be_judged_in_any_figure_does_not_join(
    entry: Make, verdict: Verdict
) -> None:
    """Only PASS and PROVISIONAL join: else a wrong length would be right the next night."""
    assert _admitted(entry(), verdict, verdict)[1] != "joined"
