"""Backends and meters are found through entry points."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pytest_lem.energy.rapl import RaplMeter
from pytest_lem.errors import LemError
from pytest_lem.registry import BACKENDS, METERS, entries, find, load


@pytest.fixture
def strangers_meter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Install a distribution that registers a meter, as another package would."""
    info = tmp_path / "wattmeter-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: wattmeter\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[{METERS}]\nwattmeter = wattmeter_module:Meter\n")
    (tmp_path / "wattmeter_module.py").write_text("class Meter:\n    name = 'wattmeter'\n")
    monkeypatch.syspath_prepend(tmp_path)


def test_built_in_ones_come_through_the_public_door() -> None:
    """Our own backends and meters are registered as a stranger's would be."""
    assert {"nvml", "rapl", "estimated"} <= set(entries(METERS))
    assert "transformers" in entries(BACKENDS)


@pytest.mark.usefixtures("strangers_meter")
def test_a_strangers_meter_is_found_and_loaded() -> None:
    """One entry-point line in another package makes a meter known here."""
    assert load(METERS, "wattmeter").name == "wattmeter"


def test_load_returns_the_class_itself() -> None:
    """Loading imports the module and returns what the entry point names."""
    assert load(METERS, "rapl") is RaplMeter


@pytest.mark.parametrize(
    ("group", "name", "sentence"),
    [
        (METERS, "rapll", "there is no meter `rapll`: did you mean `rapl`?"),
        (BACKENDS, "transformer", "there is no backend `transformer`: did you mean `transformers`"),
    ],
)
def test_unknown_name_is_a_config_error_that_names_the_near_one(
    group: str, name: str, sentence: str
) -> None:
    """The sentence says what kind of thing is missing and what was probably meant."""
    with pytest.raises(LemError) as caught:
        find(group, name)
    assert str(caught.value).startswith(sentence)
    assert caught.value.kind == "config"


def test_listing_imports_nothing_that_is_listed() -> None:
    """Looking up names costs no import of a backend or a meter."""
    code = (
        "import sys; from pytest_lem.registry import *; entries(BACKENDS); entries(METERS); "
        "find(METERS, 'nvml'); "
        "print([m for m in sys.modules if m.startswith(('pytest_lem.backends.', 'pytest_lem.e'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['pytest_lem.errors']"
