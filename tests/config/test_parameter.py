"""What can be set, as it is found in the classes that declare it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, Literal

import pytest

from pytest_lem.backends.option import BackendOptions, option
from pytest_lem.config.models import Settings
from pytest_lem.config.parameter import Parameter, option_parameters, settings_parameters

if TYPE_CHECKING:
    from nowhere import Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineOptions(BackendOptions):
    """Options with every limit that people meet."""

    threads: int | None = option(None, "Threads.", [1, 2], on_gpu=[8], ge=1, le=64)
    share: float = option(
        0.5, "Share.", [0.25], companions={"threads": 2}, gt=0, lt=1, is_read_back=False
    )
    kind: Literal["a", "b"] = option("a", "Kind.", ["a"], is_alone=True)
    device: str = option("auto", "Device.", ["cpu"], pattern=r"^(auto|cpu)$")
    sizes: list[int] | None = option(None, "Sizes.", [[1, 2]], min_length=1)
    extra: dict[str, Any] | None = option(None, "More.", [])


@dataclass
class BareOptions:
    """Options of a stranger, who describes nothing."""

    needed: int
    texts: list[str] = field(default_factory=list)
    callback: Callable[[], None] | None = None
    odd: float = field(default=float("nan"), metadata={"examples": "x", "ge": "y", "more": 1})


@dataclass
class PuzzlingOptions:
    """Options of a stranger, one of which has a type that is not there when the program runs."""

    puzzle: Missing = None
    threads: int | None = field(default=2, metadata={"ge": 1})


def _by_path(found: list[Parameter]) -> dict[str, Parameter]:
    return {parameter.path: parameter for parameter in found}


def _leaves(tree: dict[str, Any], prefix: str = "") -> list[str]:
    found = []
    for name, value in tree.items():
        is_section = isinstance(value, dict) and name != "backends"
        found += _leaves(value, f"{prefix}{name}.") if is_section else [prefix + name]
    return found


def test_every_setting_is_found_in_its_order() -> None:
    """The list is that of the models, section by section, and no setting is left out."""
    found = [parameter.path for parameter in settings_parameters()]
    assert found == _leaves(Settings().model_dump())


@pytest.mark.parametrize("parameter", settings_parameters(), ids=lambda p: p.path)
def test_every_setting_says_what_it_is(parameter: Parameter) -> None:
    """A person who reads the list needs a sentence, a type and an example."""
    assert parameter.description.endswith((".", "`"))
    assert parameter.kinds
    assert parameter.examples


@pytest.mark.parametrize(
    ("path", "text", "kinds", "default", "examples"),
    [
        ("batch_size", "integer ≥ 1 ≤ 65536", ("integer",), 1, (2,)),
        ("workload.top_p", "number > 0 ≤ 1", ("number",), 1.0, (0.9,)),
        ("strict", "boolean", ("boolean",), False, (True,)),
        ("order", "string (grouped, interleaved, shuffled)", ("string",), "grouped",
         ("shuffled",)),
        ("workload.requests", "integer ≥ 1 or null", ("integer", "null"), None, (4,)),
        (
            "energy.meters", "array of string with ≥ 1 items", ("array",), ["auto"],
            (["estimated"],),
        ),
    ],
)  # fmt: skip
def test_a_setting_has_its_type_with_limits_and_its_default(
    path: str, text: str, kinds: tuple[str, ...], default: object, examples: tuple[object, ...]
) -> None:
    """Limits and choices stand in the type, as validation applies them."""
    found = _by_path(settings_parameters())[path]
    assert (found.type, found.kinds) == (text, kinds)
    assert (found.default, found.examples) == (default, examples)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("python", "string or null"),
        ("threads", "integer ≥ 1 ≤ 64 or null"),
        ("share", "number > 0 < 1"),
        ("kind", "string (a, b)"),
        ("device", "string matching `^(auto|cpu)$`"),
        ("sizes", "array of integer with ≥ 1 items or null"),
        ("extra", "object or null"),
    ],
)
def test_an_option_has_its_type_with_limits(name: str, text: str) -> None:
    """Limits and patterns of `option` are shown, those of the common options too."""
    assert _by_path(option_parameters(EngineOptions))[name].type == text


def test_an_option_has_its_traits() -> None:
    """What needs a GPU, stands alone or is read back is what `option` was told."""
    found = _by_path(option_parameters(EngineOptions, "backends.engine."))
    threads = found["backends.engine.threads"]
    assert (threads.examples, threads.gpu_examples) == ((1, 2), (8,))
    assert (threads.is_alone, threads.is_read_back) == (False, True)
    assert found["backends.engine.kind"].is_alone
    assert not found["backends.engine.share"].is_read_back
    assert found["backends.engine.share"].companions == {"threads": 2}
    assert threads.description == "Threads."


@pytest.mark.parametrize("options", [EngineOptions, BareOptions, PuzzlingOptions])
def test_every_field_of_the_options_is_found(options: type[Any]) -> None:
    """None is left out, whatever its annotation, and all of it can be written as JSON."""
    found = option_parameters(options)
    assert [parameter.path for parameter in found] == [field.name for field in fields(options)]
    text = json.dumps([asdict(parameter) for parameter in found], allow_nan=False)
    assert [plain["path"] for plain in json.loads(text)] == [p.path for p in found]


def test_a_stranger_who_describes_nothing_is_understood_as_far_as_possible() -> None:
    """Types come from annotations; what is not said is empty, and what is no JSON is text."""
    found = _by_path(option_parameters(BareOptions))
    assert (found["needed"].type, found["needed"].default) == ("integer", None)
    assert (found["texts"].type, found["texts"].default) == ("array of string", [])
    assert "Callable" in found["callback"].type
    assert found["callback"].kinds == ()
    odd = found["odd"]
    assert (odd.examples, odd.gpu_examples, odd.companions) == ((), (), {})
    assert odd.description == ""
    assert (odd.default, odd.is_alone, odd.is_read_back) == ("nan", False, False)


def test_a_type_that_is_not_there_is_shown_as_it_is_written() -> None:
    """One annotation that cannot be looked up takes nothing from the others."""
    found = _by_path(option_parameters(PuzzlingOptions))
    assert found["puzzle"].type == "Missing"
    assert found["threads"].type == "integer ≥ 1 or null"
