"""The error that people read."""

from __future__ import annotations

import pickle

import pytest

from pytest_lem.errors import FailureKind, LemError, config_error, did_you_mean


def test_error_survives_pickling_with_kind_and_detail() -> None:
    """Errors cross process borders whole."""
    error = pickle.loads(  # noqa: S301 - made on the next line
        pickle.dumps(LemError("it failed", kind=FailureKind.OOM, detail="Traceback"))
    )
    assert (str(error), error.kind, error.detail) == ("it failed", FailureKind.OOM, "Traceback")


def test_detail_is_no_part_of_the_sentence() -> None:
    """What is meant for the log does not reach the one line that a person reads."""
    assert str(LemError("it failed", kind=FailureKind.ENGINE, detail="Traceback")) == "it failed"


def test_config_error_has_the_kind_config() -> None:
    """A mistake in what was asked for is told from a failing engine."""
    assert config_error("no").kind == "config"


@pytest.mark.parametrize(
    ("word", "hint"),
    [
        ("smok", "did you mean `smoke`?"),
        ("zzzzz", "known: quick, smoke"),
    ],
)
def test_hint_is_the_nearest_word_or_all_of_them(word: str, hint: str) -> None:
    """A typing error is answered with the word that was meant, anything else with the list."""
    assert did_you_mean(word, ["smoke", "quick"]) == hint


def test_failure_kinds_are_the_documented_ones() -> None:
    """Other tools read these words from the run file, so none may change or go."""
    assert {str(kind) for kind in FailureKind} >= {
        "engine", "oom", "timeout", "config", "data", "storage", "tracking", "gate", "meter",
    }  # fmt: skip
