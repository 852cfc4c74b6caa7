"""A chart: what the page's script draws, and the same in words.

Colours are names that the script looks up for light and dark: `@0` to `@6` of a palette for colour-
blind readers (Okabe and Ito), `@ink`, `@faint`, `@grid`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.reports.html.markup import Markup, element, island

#: Values so many times apart are drawn by their powers, and farther apart with fewer marks.
_FAR, _VERY_FAR = 20, 1000
_LOG = {"type": "log", "dtick": "D2"}
#: How many colours and signs there are before they repeat.
COLOURS = 7
SYMBOLS = (
    "circle",
    "square",
    "triangle-up",
    "cross",
    "pentagon",
    "hourglass",
    "star-triangle-down",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart with its title, and a sentence or two that say what is to be seen in it."""

    title: str
    words: str
    data: list[dict[str, Any]]
    layout: dict[str, Any] = field(default_factory=dict)
    height: int = 380

    def markup(self) -> Markup:
        """Return the figure; its plot is empty until the script has drawn it."""
        return element(
            "figure",
            element("figcaption", self.title),
            element(
                "div",
                class_="plot",
                role="img",
                aria_label=f"{self.title}: {self.words}",
                style=f"min-height: {self.height}px",
            ),
            element("p", self.words, class_="words"),
            island({"data": self.data, "layout": {**self.layout, "height": self.height}}),
            class_="chart",
        )


def axis(title: str, **more: Any) -> dict[str, Any]:
    """Return an axis with a title."""
    return {"title": {"text": title}, **more}


def spanning(values: Sequence[float]) -> dict[str, Any]:
    """Return what suits an axis: from 0, or by powers where positive values are far apart."""
    if min(values) > 0 and max(values) > _FAR * min(values):
        return {"type": "log", "dtick": 1} if max(values) > _VERY_FAR * min(values) else _LOG
    return {"rangemode": "tozero"}


def range_of(values: Sequence[float], least: float) -> dict[str, Any]:
    """Return the range of an axis for values less than `least` apart; others find their own.

    Around a constant the library would span 1 either way, whatever is drawn.
    """
    low, high = min(values), max(values)
    if high - low >= least:
        return {}
    start = (low + high - least) / 2
    if low >= 0:
        start = max(0.0, start)  # nobody draws less than 0 W
    return {"range": [start, start + least]}


def colour(number: int) -> str:
    """Return the name of the n-th colour."""
    return f"@{number % COLOURS}"


def symbol(number: int) -> str:
    """Return the n-th sign."""
    return SYMBOLS[number % len(SYMBOLS)]
