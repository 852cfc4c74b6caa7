"""Trials cover every example of everything that can be set, in few loads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.backends.option import BackendOptions, option
from pytest_lem.config.parameter import option_parameters, settings_parameters
from pytest_lem.config.trial import Trial, trials_of
from pytest_lem.config.workload import WorkloadSettings
from pytest_lem.registry import BACKENDS, entries, load


@dataclass(frozen=True, slots=True, kw_only=True)
class Options(BackendOptions):
    """Options that exclude, need and avoid each other."""

    first: int = option(0, "One.", [1, 2])
    second: int = option(0, "Another.", [1])
    needy: int = option(0, "Needs the first to be 7.", [1], companions={"first": 7})
    lonely: int = option(0, "Stands alone.", [1], is_alone=True)
    fast: bool = option(False, "Needs a GPU.", [], on_gpu=[True], is_read_back=False)

    def __post_init__(self) -> None:
        """Refuse the two together."""
        if self.first == 1 and self.second:
            raise ValueError("first and second exclude each other")
        if self.needy and self.first != 7:
            raise ValueError("needy needs the first to be 7")


def _of_options(trials: list[Trial]) -> list[Trial]:
    return [t for t in trials if t.name != "precision" and not t.name.startswith("workload.")]


def test_every_example_of_every_option_is_tried() -> None:
    """Those for a GPU are among them, marked; the interpreter is the only option left out."""
    found = _of_options(trials_of(Options, ("float32",)))

    assert sorted((t.name, t.value, t.needs_gpu) for t in found) == [
        ("fast", True, True),
        ("first", 1, False),
        ("first", 2, False),
        ("lonely", 1, False),
        ("needy", 1, False),
        ("second", 1, False),
    ]


def test_options_share_a_load_where_they_can() -> None:
    """What excludes another, needs another value, stands alone or needs a GPU is apart."""
    loads: dict[tuple[Any, ...], list[str]] = {}
    for trial in _of_options(trials_of(Options, ())):
        loads.setdefault(tuple(sorted(trial.options.items())), []).append(trial.id)

    assert list(loads.values()) == [
        ["first:1"],
        ["first:2", "second:1"],
        ["needy:1"],
        ["lonely:1"],
        ["fast:True"],
    ]


def test_trials_of_one_load_follow_each_other() -> None:
    """A load that was left does not come back, since it would have to be made anew."""
    order = [tuple(sorted(t.options.items())) for t in trials_of(Options, ("float32",))]

    starts = [options for n, options in enumerate(order) if n == 0 or order[n - 1] != options]
    assert len(starts) == len(set(starts))


def test_a_quick_look_takes_one_value_of_each() -> None:
    """The first example stands for all, and a parameter for GPUs alone keeps its first."""
    found = trials_of(Options, ("float32", "bfloat16"), is_quick=True)

    names = [t.name for t in found if t.name != "precision"]
    assert len(names) == len(set(names))
    assert {"first", "fast", "workload.top_p"} <= set(names)


def test_precisions_are_tried_by_themselves() -> None:
    """Each precision is a load without options."""
    found = [t for t in trials_of(Options, ("float32", "bfloat16")) if t.name == "precision"]

    assert [(t.precision, t.options) for t in found] == [("float32", {}), ("bfloat16", {})]


def test_an_example_that_is_not_valid_is_an_error() -> None:
    """A backend whose own example it refuses is told so, and not left untried."""

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Wrong(BackendOptions):
        size: int = option(1, "A size.", [0])

        def __post_init__(self) -> None:
            if self.size < 1:
                raise ValueError("too small")

    with pytest.raises(ValueError, match="the example 0 of `size` is not valid"):
        trials_of(Wrong, ())


@pytest.mark.parametrize("name", sorted(entries(BACKENDS)))
def test_every_parameter_of_a_backend_is_tried(name: str) -> None:
    """No option, precision or field of the workload is left out, and every set of options holds."""
    backend = load(BACKENDS, name)

    found = trials_of(backend.Options, backend.precisions, refuses=backend.refuses)

    expected = {p.path for p in option_parameters(backend.Options) if p.is_tried} | {"precision"}
    expected |= {p.path for p in settings_parameters(WorkloadSettings, "workload.")}
    expected -= {f"workload.{name}" for name in backend.refuses}
    assert {t.name for t in found} == expected
    assert all(backend.Options(**t.options) for t in found)
    assert all(WorkloadSettings(**t.workload) for t in found)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_packing_needs_no_more_loads_than_examples(counts: list[int]) -> None:
    """Options that never exclude each other need as many loads as the longest has examples."""
    fields = {f"x{n}": option(0, "A number.", list(range(1, c + 1))) for n, c in enumerate(counts)}
    annotations = dict.fromkeys(fields, int)
    made = type("Made", (), {**fields, "__annotations__": annotations})
    options = dataclass(frozen=True, kw_only=True)(made)

    loads = {tuple(sorted(t.options.items())) for t in _of_options(trials_of(options, ()))}

    assert len(loads) == max(counts)
