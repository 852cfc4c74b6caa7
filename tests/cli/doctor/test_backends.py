"""The section about backends."""

from __future__ import annotations

import sys

import pytest

from pytest_lem.cli.doctor import backends
from pytest_lem.registry import BACKENDS

BACKEND = """
class Stranger:
    requires = {requires!r}
    install = "python -m pip install stranger"
    precisions = ("int3",)
"""


def fact_of(name, *, is_quick=False):
    section = backends.look(is_quick=is_quick)
    (fact,) = [fact for fact in section.facts if fact["name"] == name]
    (row,) = [row for row in section.rows if row.label == name]
    return fact, row.text, [p for p in section.problems if f"`{name}`" in p]


def test_an_installed_backend_is_imported_and_has_a_version(register):
    """The version is that of the package which brings the module."""
    register(BACKENDS, "fine", BACKEND.format(requires=("psutil",)))
    fact, text, problems = fact_of("fine")
    assert fact["installed"] is fact["imported"] is True
    assert set(fact["versions"]) == {"psutil"}
    assert text == f"installed: psutil {fact['versions']['psutil']}"
    assert problems == []


def test_without_a_try_the_import_is_unknown(register):
    """Quick means that nobody imported it, not that it works."""
    register(BACKENDS, "fine", BACKEND.format(requires=("psutil",)))
    fact, text, _ = fact_of("fine", is_quick=True)
    assert fact["installed"] is True
    assert fact["imported"] is None
    assert "(import not tried)" in text


@pytest.mark.parametrize("missing", ["no_such_engine", "no_such_engine.inner"])
def test_a_missing_backend_comes_with_its_installation(register, missing):
    """It is no problem, since nobody asked for it."""
    register(BACKENDS, "gone", BACKEND.format(requires=("psutil", missing)))
    fact, text, problems = fact_of("gone")
    assert fact["installed"] is False
    assert text == f"not installed: needs {missing}; run: python -m pip install stranger"
    assert problems == []


def test_a_backend_whose_engine_cannot_be_imported_is_a_problem(register, tmp_path, monkeypatch):
    """The last line of what the import says is the reason."""
    (tmp_path / "sick_engine.py").write_text("raise ImportError('libsick.so: no such file')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    register(BACKENDS, "sick", BACKEND.format(requires=("sick_engine",)))
    fact, text, problems = fact_of("sick")
    assert fact["imported"] is False
    assert "ImportError: libsick.so: no such file" in text
    assert len(problems) == 1


def test_a_backend_that_cannot_be_loaded_is_a_problem(register):
    """Whatever a stranger's code does, there is a sentence and no traceback."""
    register(BACKENDS, "wreck", "1 / 0\n")
    fact, text, (problem,) = fact_of("wreck")
    assert fact["installed"] is None
    assert "stranger_wreck:Stranger cannot be loaded (ZeroDivisionError" in text
    assert problem.startswith("the backend `wreck` is installed but broken")


def test_an_import_that_does_not_end_is_a_fault(tmp_path, monkeypatch):
    """The doctor does not wait for ever."""
    (tmp_path / "endless_engine.py").write_text("import threading\nthreading.Event().wait()\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(backends, "IMPORT_S", 0.5)
    assert backends.import_fault(["endless_engine"]) == (
        "importing endless_engine takes longer than 0.5 s"
    )


def test_an_import_that_dies_silently_is_a_fault(tmp_path, monkeypatch):
    """Without a word from it, its exit status is the reason."""
    (tmp_path / "silent_engine.py").write_text("import os\nos._exit(3)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert backends.import_fault(["silent_engine"]) == (
        "importing silent_engine fails (exit status 3)"
    )


def test_a_file_of_the_same_name_in_the_present_folder_is_not_imported(tmp_path, monkeypatch):
    """`torch.py` beside a suite is not the engine."""
    (tmp_path / "json.py").write_text("raise ImportError\n")
    monkeypatch.chdir(tmp_path)
    assert "json" in sys.modules
    assert backends.import_fault(["json"]) is None
