"""`lem push`, as far as it goes without MLflow."""

from __future__ import annotations

import sys

import pytest

from pytest_lem.cli import push
from pytest_lem.config.mlflow import uri_fault
from pytest_lem.sinks.tracking import Target, store_uri


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


@pytest.fixture
def sent(monkeypatch):
    """Return what would have been pushed: the run and where to."""
    found = []

    def pretend(run_file, folder, target):
        found.append((run_file.run.id, folder.name, target))
        return len(run_file.records), 0

    monkeypatch.setattr(push, "push", pretend)
    return found


def test_a_report_can_be_sent_instead(keep, measured, said, sent, here):
    """What `lem push` sends: the same records to the same place, by the same code."""
    name = keep(1, measured()).name
    default = store_uri(here / ".lem")
    assert said("push", "latest") == said("report", "latest", "--push")
    assert said("push", "latest", "--uri", "http://h:1") == said(
        "report", "latest", "--push", "http://h:1"
    )
    places = [default, default, "http://h:1", "http://h:1"]
    assert sent == [(name, name, Target(uri=uri, experiment="pytest-lem")) for uri in places]


@pytest.mark.parametrize("command", [("push", "latest", "--uri"), ("report", "latest", "--push")])
def test_no_secret_is_taken_with_the_address(keep, measured, said, sent, command):
    """The sentence is that of the settings; nothing is sent, and nothing repeats what was typed."""
    keep(1, measured())
    for uri in ("http://me:s3cret@h:1", "s3cret@h", "http://h:1/?token=s3cret"):
        status, out, (problem,) = said(*command, uri)
        assert (status, out, sent) == (2, [], [])
        assert problem == uri_fault(uri)
        assert "s3cret" not in problem


def test_a_token_file_that_is_not_there_is_one_sentence(
    keep, measured, said, monkeypatch, tmp_path
):
    """It costs nothing that was measured, and no word of what was named."""
    keep(1, measured())
    monkeypatch.delenv("MLFLOW_TRACKING_TOKEN", raising=False)
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN_FILE", str(tmp_path / "s3cret"))
    status, out, (problem,) = said("push", "latest")
    assert (status, out) == (2, [])
    assert problem.startswith("the file that MLFLOW_TRACKING_TOKEN_FILE names cannot be read (No ")
    assert problem.endswith("; nothing is lost, and `lem push` sends it later")
    assert "s3cret" not in problem


def test_several_runs_can_be_sent(keep, measured, said, sent):
    """Each of them."""
    names = [keep(number, measured()).name for number in (1, 2)]
    status, out, _ = said("report", *names, "--push")
    assert (status, len(out)) == (0, 2)
    assert [run for run, _, _ in sent] == names


@pytest.mark.parametrize(
    "option",
    ["--format=csv", "--html=x.html", "--baseline=main", "--set=cost.pue=1", "--rows=rounds"],
)
def test_what_is_sent_cannot_be_shaped(said, sent, capsys, option):
    """Records are sent as they are stored."""
    with pytest.raises(SystemExit) as ended:
        said("report", "latest", "--push", "http://h:1", option)
    assert ended.value.code == 2
    assert f"has no use for {option.partition('=')[0]}; take one" in capsys.readouterr().err
    assert sent == []
