"""An option carries all that a person and a test must know about it."""

from __future__ import annotations

from dataclasses import dataclass, fields

import pytest
from pydantic import TypeAdapter, ValidationError

from pytest_lem.backends.option import BackendOptions, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(BackendOptions):
    """One option of each kind."""

    size: int = option(3, "A size.", [4], on_gpu=[64], ge=1, companions={"python": "python3"})


def test_an_option_has_its_traits_in_its_metadata() -> None:
    """Description, examples and traits are where the documentation and the trials read them."""
    metadata = next(field.metadata for field in fields(Options) if field.name == "size")

    assert (metadata["description"], metadata["examples"]) == ("A size.", [4])
    assert metadata["json_schema_extra"] == {
        "on_gpu": [64],
        "companions": {"python": "python3"},
        "is_alone": False,
        "is_tried": True,
        "is_read_back": True,
    }


def test_every_backend_can_run_under_another_interpreter() -> None:
    """The interpreter is an option of all, and what is unset has its default."""
    assert Options(python="python3.12").python == "python3.12"
    assert Options().size == 3


@pytest.mark.parametrize("wrong", [{"size": 0}, {"size": "big"}, {"sise": 4}])
def test_limits_and_names_are_checked(wrong: dict[str, object]) -> None:
    """pydantic reads limits from the metadata, and takes no unknown name."""
    with pytest.raises(ValidationError):
        TypeAdapter(Options).validate_python(wrong)
