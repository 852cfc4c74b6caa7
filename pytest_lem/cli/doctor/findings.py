"""What the doctor found: facts for programs, rows for people, and what is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_lem.energy.reading import TIERS, Tier

#: Version of the JSON document: a new major changes keys, a new minor only adds some.
DOCUMENT_VERSION = "1.0"


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that was looked at, and what there is to say about it."""

    label: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """What was found about one matter.

    Attributes:
        name: its key in the JSON document and its title.
        facts: plain JSON, with null for what is unknown.
        rows: the same for people.
        problems: sentences about what does not work or misleads.
        hints: sentences about what could be better.

    """

    name: str
    facts: Any
    rows: Sequence[Row]
    problems: Sequence[str] = ()
    hints: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All sections, and what follows from them.

    Attributes:
        sources: the meters that a run would take by itself, with their tiers.
        required: the worst tier that is wanted, None for any.

    """

    sections: Sequence[Section]
    sources: Mapping[str, Tier]
    required: Tier | None = None

    @property
    def tier(self) -> Tier:
        """Return the best tier of the sources."""
        return min(self.sources.values(), key=TIERS.index, default=Tier.NONE)

    @property
    def problems(self) -> list[str]:
        """Return what does not work, a tier that is worse than the required one included."""
        found = [problem for section in self.sections for problem in section.problems]
        if self.required is not None and TIERS.index(self.tier) > TIERS.index(self.required):
            found.append(
                f"energy would be of tier `{self.tier}`, and `{self.required}` is required; the "
                "section `meters` says what each better one lacks"
            )
        return found

    @property
    def hints(self) -> list[str]:
        """Return what could be better."""
        return [hint for section in self.sections for hint in section.hints]

    @property
    def verdict(self) -> str:
        """Return in one sentence how well energy is known here."""
        if self.tier is Tier.NONE:
            return "energy cannot be told here: no meter works"
        if self.tier is Tier.ESTIMATED:
            return (
                "energy can only be estimated here, for work on the CPU alone: there is no sensor "
                "that can be read"
            )
        names = [name for name, tier in self.sources.items() if tier is not Tier.ESTIMATED]
        return (
            f"energy can be measured here, by {' and '.join(names)} (tier `{self.tier}`)"
            f"{'; of work on the CPU it is estimated' if len(self.sources) > len(names) else ''}"
        )

    def plain(self) -> dict[str, Any]:
        """Return all as one JSON document."""
        return {
            "schema_version": DOCUMENT_VERSION,
            "tier": self.tier,
            "verdict": self.verdict,
            "problems": self.problems,
            "hints": self.hints,
            **{section.name: section.facts for section in self.sections},
        }


def failed(name: str, error: Exception) -> Section:
    """Return the section of a look that failed, with its facts unknown."""
    problem = (
        f"the section `{name}` could not be made ({type(error).__name__}: {error}); please report "
        "this as a fault of pytest-lem"
    )
    return Section(name=name, facts=None, rows=[Row(name, "unknown")], problems=[problem])
