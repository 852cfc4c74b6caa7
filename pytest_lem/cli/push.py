"""`lem push`: the cases of a stored run to MLflow."""

from __future__ import annotations

from pathlib import Path

from pytest_lem.cli.printing import say
from pytest_lem.cli.reference import find_run
from pytest_lem.results.store import Store
from pytest_lem.sinks.tracking import Target, push, store_uri


def run(
    reference: str, *, store: Path, uri: str | None, experiment: str, has_artifacts: bool
) -> int:
    """Push the records of a run that are not there yet; raises LemError for whatever fails.

    A URI that may hold a secret is refused first, so that it can be printed below.
    """
    target = Target(uri=uri or store_uri(store), experiment=experiment, has_artifacts=has_artifacts)
    folder, run_file = find_run(Store(store), reference)
    done, known = push(run_file, folder, target)
    there = f", {known} were there already" if known else ""
    say(f"mlflow: {done} of {done + known} records pushed to {target.uri}{there}")
    return 0
