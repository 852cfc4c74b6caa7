"""The one error of this project, and the kinds of failure a case can have."""

from __future__ import annotations

from enum import StrEnum


class FailureKind(StrEnum):
    """Why a case failed; stored with its record as `failure_kind`."""

    CONFIG = "config"
    DATA = "data"
    ENGINE = "engine"
    GATE = "gate"
    METER = "meter"
    OOM = "oom"
    STORAGE = "storage"
    TEST = "test"
    TIMEOUT = "timeout"
    TRACKING = "tracking"
    TRAINING = "training"


class LemError(Exception):
    """Something a person has to act on, in one sentence: what, why, what to do.

    `detail` is for the log (an engine's traceback, say) and is never part of the sentence.
    """

    def __init__(self, sentence: str, *, kind: FailureKind, detail: str = "") -> None:
        super().__init__(" ".join(sentence.splitlines()))
        self.kind = kind
        self.detail = detail

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle with the keyword arguments, which BaseException would lose."""
        return (_rebuild, (str(self), str(self.kind), self.detail))


def _rebuild(sentence: str, kind: str, detail: str) -> LemError:
    return LemError(sentence, kind=FailureKind(kind), detail=detail)


def config_error(sentence: str) -> LemError:
    """Return a mistake in what was asked for."""
    return LemError(sentence, kind=FailureKind.CONFIG)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return "; did you mean `x`?" or, without a near match, the list of what there is."""
    import difflib

    near = difflib.get_close_matches(word, known, n=1)
    return f"did you mean `{near[0]}`?" if near else "known: " + ", ".join(sorted(known))
