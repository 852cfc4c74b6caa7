"""What other plugins add to a record or to a run; nothing that they do can lose either."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pytest_lem.results.record import Record

_RECORD, _CONTEXT = "pytest_lem_update_record", "pytest_lem_update_context"
#: What a hook may end with; the last two are no `Exception` in pytest.
_FAULTS = (Exception, pytest.skip.Exception, pytest.fail.Exception)


def extend_record(item: pytest.Item, record: Record) -> None:
    """Let every plugin add to `record.extensions`; all else in a record is measured, and stays."""
    for plugin, hook in _hooks(item.config, item.ihook, _RECORD):
        copy = record.model_copy(deep=True)
        if _is_done(item.config, plugin, _RECORD, hook, item=item, record=copy):
            found = _plain(item.config, plugin, _RECORD, copy.extensions)
            record.extensions = record.extensions if found is None else found


def extended_context(config: pytest.Config) -> dict[str, Any]:
    """Return what plugins have to say about a run."""
    context: dict[str, Any] = {}
    for plugin, hook in _hooks(config, config.hook, _CONTEXT):
        copy = json.loads(json.dumps(context))
        if _is_done(config, plugin, _CONTEXT, hook, context=copy):
            found = _plain(config, plugin, _CONTEXT, copy)
            context = context if found is None else found
    return context


def _hooks(
    config: pytest.Config, relay: Any, name: str
) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield each implementation that counts for `relay`, with the name of its plugin.

    They are called one by one, so that the mistake of one does not cost what others add.
    """
    manager = config.pluginmanager
    for found in reversed(getattr(relay, name).get_hookimpls()):  # the latest first, as always
        others = [plugin for plugin in manager.get_plugins() if plugin is not found.plugin]
        yield found.plugin_name, manager.subset_hook_caller(name, others)


def _is_done(
    config: pytest.Config, plugin: str, name: str, hook: Callable[..., Any], **arguments: Any
) -> bool:
    try:
        hook(config=config, **arguments)
    except _FAULTS as error:
        _complain(config, plugin, name, f"raised {type(error).__name__}: {error}")
        return False
    return True


def _plain(config: pytest.Config, plugin: str, name: str, extensions: Any) -> dict[str, Any] | None:
    """Return extensions as JSON has them; None, and a warning, where it has no word for them."""
    try:
        found = json.loads(json.dumps(extensions, allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        _complain(config, plugin, name, f"added what JSON cannot hold: {error}")
        return None
    if not isinstance(found, dict):
        _complain(config, plugin, name, f"put {type(extensions).__name__} where a dict belongs")
        return None
    return found


def _complain(config: pytest.Config, plugin: str, name: str, what: str) -> None:
    from pytest_lem.plugin.session import show_warning

    show_warning(config, f"{plugin}: the hook {name} {what}; what it would have added is left out")
