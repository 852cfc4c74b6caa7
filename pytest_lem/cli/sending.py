"""Arguments of `lem push`.

Read at every start of `lem`, so what the command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
from typing import Any

from pytest_lem.cli.arguments import add_command, add_store

EXPERIMENT = "pytest-lem"
_EPILOG = """\
exit status:
  0  all records are there
  2  a wrong option, no such run, no MLflow, or a server that does not answer

Each record becomes a run of MLflow's, once, however often it is pushed. Names
and passwords of a server are read from MLFLOW_TRACKING_USERNAME,
MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN, or a token from the file
that MLFLOW_TRACKING_TOKEN_FILE names.

  lem push latest
  lem push latest --uri http://localhost:5000 --experiment decode
"""


def add_push(commands: Any) -> None:  # the class of argparse has no public name
    """Add `lem push`."""
    push = add_command(
        commands,
        "push",
        "send the cases of a stored run to MLflow",
        "Send the cases of a stored run to MLflow.",
        _EPILOG,
    )
    push.set_defaults(run=_push, error=push.error)
    push.add_argument("reference", metavar="RUN", help="as for `lem report`")
    push.add_argument("--uri", help="tracking URI (default: mlflow.db in the store)")
    push.add_argument(
        "--experiment", default=EXPERIMENT, help=f"name of the experiment (default: {EXPERIMENT})"
    )
    push.add_argument("--no-artifacts", action="store_true", help="without record and samples")
    add_store(push)


def _push(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli import push

    return push.run(
        arguments.reference,
        store=arguments.store,
        uri=arguments.uri,
        experiment=arguments.experiment,
        has_artifacts=not arguments.no_artifacts,
    )
