"""`lem push`, as far as it goes without MLflow."""

from __future__ import annotations

import sys


def test_without_mlflow_it_is_one_sentence(keep, measured, said, monkeypatch):
    """With the extra that brings it."""
    keep(1, measured())
    monkeypatch.setitem(sys.modules, "mlflow", None)
    status, out, (problem,) = said("push", "latest")
    assert (status, out) == (2, [])
    assert "pip install 'pytest-lem[mlflow]'" in problem


def test_a_run_that_is_not_there_is_one_sentence(said):
    """As for a report."""
    status, _, (problem,) = said("push", "latest")
    assert status == 2
    assert problem == "the store .lem has no run"
