"""Tracking URIs that may be stored and shown, and those in which a secret may stand."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.config.assignment import assign
from pytest_lem.config.layers import Layers
from pytest_lem.config.mlflow import uri_fault
from pytest_lem.config.resolve import resolve
from pytest_lem.errors import LemError

REFUSED = {
    "password": "http://me:s3cret@host:5000",
    "user alone": "https://s3cret@host",
    "capitals": "HTTP://me:s3cret@host",
    "no scheme": "me:s3cret@host:5000",
    "token and no scheme": "s3cret@host/mlflow",
    "no scheme but slashes": "//me:s3cret@host",
    "no slashes": "http:me:s3cret@host",
    "leading space": " http://me:s3cret@host",
    "control character": "ht\ntp://me:s3cret@host",
    "a slash in the password": "postgresql://me:s3/cret@host/db",
    "a question mark in it": "mysql+pymysql://me:s3?cret@host/db",
    "a path after the host": "http://host/s3cret@place",
    "a file of another host": "file://me:s3cret@host/x",
    "a ciphered file": "sqlite+pysqlcipher://:s3cret@/x.db",
    "query": "http://host:5000/?token=s3cret",
    "query of any name": "https://host?x=s3cret",
    "query and no slashes": "http:host?x=s3cret",
    "query of an unknown scheme": "databricks://profile?x=s3cret",
    "fragment": "http://host/#s3cret",
    "password of a driver": "postgresql://host/db?user=me&password=s3cret",
    "written in other characters": "postgresql://host/db?p%61ssword=s3cret",
    "after a fragment": "postgresql://host#x/db?password=s3cret",
    "in a string for ODBC": "mssql+pyodbc:///?odbc_connect=DSN%3Dx%3BPWD%3Ds3cret",
    "passphrase of a file": "sqlite+pysqlcipher:////x.db?passphrase=s3cret",
}
TAKEN = [
    "http://localhost:5000",
    "https://host.example/tracking/",
    "http://[::1]:5000",
    "databricks",
    "databricks://scope:prefix",
    "uc:profile",
    "mlruns",
    "./runs@home/mlruns",
    "/srv/me@home/mlruns",
    "file:///srv/me@home/mlruns",
    "sqlite:///mlflow.db",
    "sqlite:////srv/me@home/.lem/mlflow.db",
    "sqlite:////srv/mlflow.db?timeout=30",
    "postgresql://host/db",
    "postgresql+psycopg://host:5432/db?sslmode=require&sslkey=/srv/key",
]


def settings(value: Any) -> Any:
    """Return the settings of MLflow with this URI."""
    layers = Layers()
    layers.put(("mlflow", "uri"), value, "lem.yaml:3")
    return resolve(layers, default_preset="smoke", options_of=lambda _: object).settings.mlflow


@pytest.mark.parametrize("uri", REFUSED.values(), ids=REFUSED)
def test_a_uri_in_which_a_secret_may_stand_is_refused(uri: str) -> None:
    """In one sentence, which says where and what would do, and repeats nothing."""
    with pytest.raises(LemError, match=r"^lem\.yaml:3: `mlflow\.uri`: a tracking URI ") as caught:
        settings(uri)
    sentence = str(caught.value)
    assert "MLFLOW_TRACKING_TOKEN_FILE" in sentence
    assert not [part for part in ("s3", "cret@", "host") if part in sentence]


@pytest.mark.parametrize("uri", TAKEN)
def test_any_other_is_taken_as_it_is(uri: str) -> None:
    """Servers, databases and places on this machine, whatever the names of their folders."""
    assert settings(uri).uri == uri
    assert uri_fault(uri) is None


@pytest.mark.parametrize("uri", ["http://", "http:///x", "http://[::1", "http://me:s3cret"])
def test_a_server_without_a_host_or_with_a_strange_port_is_refused(uri: str) -> None:
    """Before anything is measured for it; what stands there may be a password all the same."""
    with pytest.raises(LemError, match="has a host and, if any, a number as its port") as caught:
        settings(uri)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("value", [["http://me:s3cret@host"], 5, True])
def test_what_is_no_text_is_not_repeated_either(value: Any) -> None:
    """A URI in brackets has its secret as well."""
    with pytest.raises(LemError, match=r": a tracking URI is text$"):
        settings(value)


def test_null_is_the_database_of_the_store() -> None:
    """And required is off, so that a server costs no run."""
    layers = Layers()
    assign(layers, "mlflow.uri=null", "--lem-set")
    found = resolve(layers, default_preset="smoke", options_of=lambda _: object).settings.mlflow
    assert (found.uri, found.required) == (None, False)
