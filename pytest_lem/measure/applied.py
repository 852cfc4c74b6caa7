"""Whether what was asked for is what runs, by what the engine says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.errors import LemError, config_error

#: What leaves the choice to the library, and so cannot be different from it.
_NO_CHOICE = (None, "auto")
CATEGORY = "NotApplied"


@dataclass(frozen=True, slots=True)
class Difference:
    """A setting, what was asked for it, and what is in force."""

    name: str
    asked: Any
    in_force: Any

    def __str__(self) -> str:
        return f"`{self.name}`: asked for {self.asked}, in force is {self.in_force}"

    def as_warning(self) -> dict[str, str]:
        """Return it as a record keeps warnings."""
        return {"category": CATEGORY, "message": str(self)}


def load_differences(spec: LoadSpec, applied: Mapping[str, Any]) -> list[Difference]:
    """Compare a load with what the engine says is in force.

    Options that the engine does not tell are not compared; `auto` and null ask for nothing.
    """
    in_force = applied.get("options") or {}
    pairs = [("precision", spec.precision, applied.get("precision", spec.precision))]
    pairs += [
        (f"backends.{spec.backend}.{name}", asked, in_force[name])
        for name, asked in spec.options.items()
        if name in in_force
    ]
    return [
        Difference(name, asked, found)
        for name, asked, found in pairs
        if asked not in _NO_CHOICE and asked != found
    ]


def batch_difference(asked: int, found: int | None) -> list[Difference]:
    """Compare the requests of a batch with the most that really ran in one step."""
    return [] if found in (None, asked) else [Difference("batch_size", asked, found)]


def refused(differences: list[Difference]) -> LemError:
    """Return the error of strict mode."""
    sentences = "; ".join(map(str, differences))
    return config_error(
        f"the engine does not run as it was asked to ({sentences}); ask for what it can do, or set "
        "`strict` to false to measure it all the same"
    )
