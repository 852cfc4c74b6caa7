"""What a run could not be sent for."""

from __future__ import annotations

from pytest_lem.errors import FailureKind, LemError


def tracking_error(sentence: str) -> LemError:
    """Return why a push could not be done, which is no reason to fear for the results."""
    return LemError(
        f"{sentence}; nothing is lost, and `lem push` sends it later", kind=FailureKind.TRACKING
    )
