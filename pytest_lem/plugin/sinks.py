"""Whoever takes the results beside the files of a run, as far as the settings name any."""

from __future__ import annotations

import pytest

from pytest_lem.plugin.settings import is_told, mode, resolved_gate, session_layers

PUSHER = "lem-pusher"


def attach_sinks(config: pytest.Config) -> None:
    """Let those that are configured hear of the run, in the controlling process."""
    if is_told(config):
        from pytest_lem.plugin.notifying import notifier_of

        notifier_of(config)
    is_idle = config.option.collectonly or mode(config) == "off"
    if is_idle or not any(path[0] == "mlflow" for path in session_layers(config).leaves):
        return
    mlflow = resolved_gate(config).settings.mlflow
    if mlflow.push:
        from pytest_lem.plugin.pushing import Pusher

        config.pluginmanager.register(Pusher(config, mlflow), PUSHER)
