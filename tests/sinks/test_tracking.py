"""MLflow where it is not installed, and servers that are not there."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from pytest_lem.config.mlflow import uri_fault
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile
from pytest_lem.sinks.tracking import Target, push, store_uri

RUN = RunFile(run=Run(id="run", started="2026-01-02T03:04:05+00:00", started_monotonic=0.0))


def test_a_missing_package_is_named(monkeypatch):
    """With the extra that brings it, and what to do afterwards."""
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(LemError) as caught:
        push(RUN, Path(), Target(uri="sqlite:///x.db", experiment="x"))
    assert str(caught.value) == (
        "MLflow is not installed; install it with pip install 'pytest-lem[mlflow]'; nothing is "
        "lost, and `lem push` sends it later"
    )
    assert caught.value.kind == FailureKind.TRACKING


def test_a_server_that_is_gone_is_found_out_at_once():
    """Before MLflow is imported, which would try again and again."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        uri = f"http://127.0.0.1:{taken.getsockname()[1]}"
    with pytest.raises(LemError, match=r"the MLflow server http://127\.0\.0\.1 does not answer"):
        push(RUN, Path(), Target(uri=uri, experiment="x"))


def test_the_database_stands_in_the_store(tmp_path, monkeypatch):
    """Wherever MLflow is started."""
    monkeypatch.chdir(tmp_path)
    assert store_uri(Path(".lem")) == f"sqlite:///{tmp_path}/.lem/mlflow.db"


@pytest.mark.parametrize("uri", ["http://me:s3cret@host", "http://host?x=s3cret"])
def test_there_is_no_target_in_which_a_secret_may_stand(uri):
    """Whoever makes one, by the rule that the settings have."""
    with pytest.raises(LemError) as caught:
        Target(uri=uri, experiment="x")
    assert str(caught.value) == uri_fault(uri)
    assert "s3cret" not in str(caught.value)
