"""Whether what was asked for is what runs, by what the engine says of itself."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.errors import LemError, config_error

#: What leaves the choice to the library, and so cannot be different from it.
_NO_CHOICE: tuple[Any, ...] = (None, "auto", {})
#: Engines keep some settings in 32 bits and give 0.1 back as 0.10000000149.
_FLOAT32_SPACING = 2.0**-23
#: What the files of a model say of themselves asks for it, though no setting does.
_OF_FILES = "quantization of the model's files"
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

    What the engine does not tell is not compared; `auto` and null ask for nothing. Mappings are
    compared key by key: an engine may tell some of what was asked for, and more than that. Files
    that are quantised ask to be run so.
    """
    section = f"backends.{spec.backend}"
    found = list(_differences(section, spec.options, applied.get("options") or {}))
    if "precision" in applied:
        found[:0] = _compared("precision", spec.precision, applied["precision"])
    stored = applied.get("stored_quantization")
    if stored is not None and applied.get("quantization") is None:
        found.append(Difference(_OF_FILES, stored, None))
    return found


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


def _differences(
    section: str, asked: Mapping[Any, Any], told: Mapping[Any, Any]
) -> Iterator[Difference]:
    """Yield the differences of what is both asked for and told; JSON makes every key a text."""
    by_name = {str(key): value for key, value in told.items()}
    for key, value in asked.items():
        if str(key) in by_name:
            yield from _compared(f"{section}.{key}", value, by_name[str(key)])


def _compared(name: str, asked: Any, found: Any) -> Iterator[Difference]:
    if isinstance(asked, Mapping) and isinstance(found, Mapping):
        yield from _differences(name, asked, found)
    elif asked not in _NO_CHOICE and not _is_same(asked, found):
        yield Difference(name, asked, found)


def _is_same(asked: Any, found: Any) -> bool:
    """Tell whether two values of JSON mean the same; a bool is no number here."""
    if isinstance(asked, bool) or isinstance(found, bool):
        return asked is found
    if isinstance(asked, int | float) and isinstance(found, int | float):
        is_exact = isinstance(asked, int) and isinstance(found, int)
        return asked == found or (
            not is_exact and math.isclose(asked, found, rel_tol=_FLOAT32_SPACING)
        )
    if isinstance(asked, Mapping) and isinstance(found, Mapping):
        return asked.keys() == found.keys() and all(_is_same(asked[k], found[k]) for k in asked)
    if isinstance(asked, list | tuple) and isinstance(found, list | tuple):
        return len(asked) == len(found) and all(map(_is_same, asked, found))
    return bool(asked == found)
