"""The pages about sinks show settings that are valid, and name everything there is to choose."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from pytest_lem.config.mlflow import MlflowSettings
from pytest_lem.config.models import Settings
from pytest_lem.config.webhook import Event, Part, WebhookSettings

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "section"), [("webhooks", WebhookSettings), ("mlflow", MlflowSettings)]
)
def test_the_settings_of_a_page_are_valid_and_complete(page: str, section: type) -> None:
    """Every field is shown, and none that is not there."""
    (text,) = re.findall(r"```yaml\n(.*?)```", (DOCS / f"{page}.md").read_text(), re.DOTALL)
    shown = yaml.safe_load(text)
    Settings.model_validate(shown)
    assert set(shown[page]) == set(section.model_fields)  # type: ignore[attr-defined]


def test_all_events_and_parts_of_messages_are_named() -> None:
    """With an example of a message that is JSON."""
    text = (DOCS / "webhooks.md").read_text()
    (message,) = re.findall(r"```json\n(.*?)```", text, re.DOTALL)
    assert json.loads(message)["event"] in get_args(Event)
    assert [part for part in get_args(Part) if f"`{part}`" not in text] == []
    assert [event for event in get_args(Event) if event not in text] == []
