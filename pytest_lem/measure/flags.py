"""What a reader must know about a figure: one name and one text for each thing."""

from __future__ import annotations

from enum import StrEnum


class Flag(StrEnum):
    """A circumstance of a whole case. It does not make the figures wrong, but limits their use."""

    CONTENDED = "contended"
    DUPLICATE_KEY = "duplicate_key"
    ESTIMATED = "estimated"
    NO_ENERGY = "no_energy"
    SHORTENED = "shortened"
    SHORT_WINDOW = "short_window"
    SINGLE_ROUND = "single_round"
    UNSTEADY = "unsteady"


class Reason(StrEnum):
    """Why a round, and with it its case, is not to be trusted."""

    METER_SILENT = "meter_silent"
    TOKEN_COUNT = "token_count"  # noqa: S105 - a count of tokens


_TEXTS: dict[str, str] = {
    Flag.CONTENDED: "other tests ran at the same time (pytest-xdist) and may be in the figures; "
    "run energy tests with -n 0",
    Flag.DUPLICATE_KEY: "another test of this run measured the same case; change one of them or "
    "give its workload another name",
    Flag.ESTIMATED: "energy is an estimate from CPU time, not a measurement",
    Flag.NO_ENERGY: "energy is unknown here; time and tokens are measured",
    Flag.SHORTENED: "a preset below `standard` shortens the method; good for a look, not for gates",
    Flag.SHORT_WINDOW: "a window was shorter than 1 s, too short for the sensors; raise min_window",
    Flag.SINGLE_ROUND: "one round says nothing about scatter; raise the number of rounds",
    Flag.UNSTEADY: "the warm-up ended before the times were steady; raise measure.warmup_max_s",
    Reason.METER_SILENT: "a meter gave no value although work was done",
    Reason.TOKEN_COUNT: "the tokens that the backend reports, returns and was asked for differ",
}


def explained(word: str) -> str:
    """Return a flag or reason with its text; one of a later release stands by itself."""
    return f"{word}: {_TEXTS[word]}" if word in _TEXTS else word
