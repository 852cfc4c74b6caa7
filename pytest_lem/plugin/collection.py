"""What happens to the collected tests: checks, skips, order."""

from __future__ import annotations

import os
from collections import defaultdict
from functools import cache
from itertools import zip_longest
from random import Random
from typing import Any

import pytest

from pytest_lem.config.layers import Layers
from pytest_lem.errors import LemError
from pytest_lem.plugin.availability import has_interpreter, lacking_precision, missing_backend
from pytest_lem.plugin.cycles import cycle_of
from pytest_lem.plugin.cycles import order as order_cycles
from pytest_lem.plugin.items import call_key, combination, param, uses
from pytest_lem.plugin.launcher import refuse_launcher
from pytest_lem.plugin.markers import check_marks
from pytest_lem.plugin.options import AXES, LOAD_AXES, given
from pytest_lem.plugin.settings import axis_values, default_of, mode, session_layers


def prepare(
    config: pytest.Config,
    items: list[pytest.Item],
    asking: list[pytest.Item],
    collected: list[pytest.Item],
) -> None:
    """Check the tests that ask for energy, order them, and start the session that measures them."""
    if mode(config) == "only":
        _deselect_others(config, items, asking)
    if not asking:
        return
    if mode(config) != "off":
        refuse_launcher(os.environ)
    _warn_about_rival(config)
    check_marks(config, asking)
    _refuse_duplicate_names(asking)
    inferring = [item for item in asking if uses(item, "inference")]
    try:
        _refuse_unused_axes(config, inferring)
        _check_sweep(config)
        _skip_impossible(config, _require_backends(config, inferring))
    except LemError as error:
        raise pytest.UsageError(str(error)) from None
    largest = _group_by_load(config, items, inferring) if inferring else {}
    order_cycles(items, asking)
    if config.option.collectonly and config.get_verbosity("lem") < 0:
        return  # a bare list of tests, as editors ask for it, needs no settings and no meters
    from pytest_lem.plugin.start import start

    start(config, asking, largest, collected)


def _deselect_others(
    config: pytest.Config, items: list[pytest.Item], asking: list[pytest.Item]
) -> None:
    chosen = {id(item) for item in asking}
    others = [item for item in items if id(item) not in chosen]
    items[:] = [item for item in items if id(item) in chosen]
    if others:
        config.hook.pytest_deselected(items=others)


def _warn_about_rival(config: pytest.Config) -> None:
    if config.pluginmanager.hasplugin("pytest_energy_reporter"):
        config.issue_config_time_warning(
            pytest.PytestWarning(
                "pytest-energy-reporter also uses the marker `energy` and runs such tests again; "
                "switch one of the two off with `-p no:pytest_energy_reporter` or `-p no:lem`"
            ),
            stacklevel=2,
        )


def _refuse_duplicate_names(items: list[pytest.Item]) -> None:
    """Refuse two `call` cases of one key, which would be one line of history."""
    owners: dict[tuple[str, int | None], pytest.Item] = {}
    for item in items:
        if uses(item, "inference"):
            continue
        key = call_key(item)
        other = owners.setdefault((key, cycle_of(item)), item)
        if other is not item and other.nodeid != item.nodeid:
            raise pytest.UsageError(
                f"{item.nodeid} and {other.nodeid} would both be stored as `{key}`; give one of "
                "them another name with @pytest.mark.energy(name=...)"
            )


def _refuse_unused_axes(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Refuse several values for an axis that a test does not ask for."""
    for name in AXES:
        found = axis_values(config, name)
        if not found or len(found.value) == 1:
            continue
        for item in items:
            if param(item, name) is None:
                raise pytest.UsageError(
                    f"{item.nodeid} does not take `{name}`, so several values of {found.origin} "
                    f"cannot reach it; add `{name}` to its arguments, or give one value"
                )


def _check_sweep(config: pytest.Config) -> None:
    if given(config, "sweep"):
        from pytest_lem.plugin.sweep import sweep_of

        if sweep := sweep_of(config):
            sweep.check()


def _require_backends(config: pytest.Config, items: list[pytest.Item]) -> list[pytest.Item]:
    """Refuse a missing backend that the user named; skip one that only a list names.

    Returns the tests whose backend is there.
    """
    layers = session_layers(config)
    look = cache(missing_backend)
    if (named := axis_values(config, "backend")) and items:
        for name in named.value:
            if sentence := look(name, has_interpreter=has_interpreter(layers, name)):
                raise pytest.UsageError(f"{named.origin}: {sentence}")
    left = []
    for item in items:
        backend = param(item, "backend")
        if not isinstance(backend, str):  # none, or a wrong one, which is left to its test
            continue
        is_apart = has_interpreter(_layers_of(item, layers), backend)
        if sentence := look(backend, has_interpreter=is_apart):
            item.add_marker(pytest.mark.skip(reason=sentence))
        else:
            left.append(item)
    return left


def _layers_of(item: pytest.Item, layers: Layers) -> Layers:
    """Return the layers of the session with those of a test's combination, if it has one."""
    if chosen := combination(item):
        layers = layers.copy()
        chosen.lay_over(layers)
    return layers


def _skip_impossible(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip a precision that the backend beside it does not have, where both are parameters.

    What was named, and what no test can have, is left to its tests, which fail: nothing that
    somebody asked for by its name is skipped altogether.
    """
    names = ("backend", "precision")
    found = {item: tuple(param(item, name) for name in names) for item in items}
    pairs = {item: pair for item, pair in found.items() if all(isinstance(w, str) for w in pair)}
    reasons = {pair: lacking_precision(*pair) for pair in set(pairs.values())}
    hopeless = []
    for column, name in enumerate(names):
        named = axis_values(config, name)
        had = {pair[column] for pair, reason in reasons.items() if reason is None}
        hopeless.append(set(named.value) - had if named else set())
    for item, pair in pairs.items():
        is_named = any(word in words for word, words in zip(pair, hopeless, strict=True))
        if (reason := reasons[pair]) and not is_named:
            item.add_marker(pytest.mark.skip(reason=reason))


def _group_by_load(
    config: pytest.Config, items: list[pytest.Item], inferring: list[pytest.Item]
) -> dict[tuple[Any, ...], int]:
    """Let tests that share a load follow each other, in the places that such tests have.

    With the order `interleaved` there is one of each load in turn, with `shuffled` they follow each
    other at random, the same in every process. Returns the largest batch of each group: an engine
    that reserves memory is loaded for it.
    """
    largest: dict[tuple[Any, ...], int] = {}
    groups: dict[tuple[Any, ...], list[pytest.Item]] = defaultdict(list)
    defaults = {name: default_of(config, name) for name in AXES}
    for item in inferring:
        key = tuple(param(item, name) or defaults[name] for name in LOAD_AXES)
        groups[(*key, *_options(item))].append(item)
        size = param(item, "batch_size") or defaults["batch_size"]
        if isinstance(size, int):  # a wrong one is left to its test
            largest[key] = max(size, largest.get(key, 1))
    order = default_of(config, "order")
    turns = zip_longest(*groups.values()) if order == "interleaved" else groups.values()
    chosen = [item for turn in turns for item in turn if item is not None]
    if order == "shuffled":
        Random(default_of(config, "seed")).shuffle(chosen)  # noqa: S311 - no secret
    ordered = iter(chosen)
    places = {id(item) for item in inferring}
    items[:] = [next(ordered) if id(item) in places else item for item in items]
    return largest


def _options(item: pytest.Item) -> list[str]:
    """Return the options of the backend that a test's combination sets: another load for each."""
    chosen = combination(item)
    values = chosen.values.items() if chosen else ()
    return [f"{path}={found.value}" for path, found in values if path[0] == "backends"]
