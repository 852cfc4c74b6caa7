"""Arguments of `lem report`.

Read at every start of `lem`, so what the command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from pytest_lem.cli.arguments import add_command, add_store, words
from pytest_lem.cli.shape import add_shape, refuse_idle, shape_of

_EPILOG = """\
exit status:
  0  no verdict fails; without --baseline there is none
  1  a verdict fails: regressed, inconclusive, invalid, incomparable, missing
  2  a wrong option, or something that is not there or cannot be believed

PCT is how much worse than the baseline is allowed; a rule fails when it is
confident that it is worse than that. Nothing can be measured again here, so a
single test at a stricter level decides. Cases that only the baseline has are
named and not judged, since a run does not store what was selected.

A figure of several cycles has a 95 % interval from three cycles on, a bootstrap
over the cycles; a group has the geometric mean of its cases. Several runs stand
beside each other, each row with its run; nothing is pooled or judged over them.

  lem report latest
  lem report latest --group-by backend,batch_size --format csv
  lem report latest --sort energy_per_output_token_j --columns mfu,batch_size
  lem report latest --rows rounds --format parquet --output rounds.parquet
  lem report latest --baseline main --fail-on output_throughput_tok_s:2
  lem report latest --html report.html --baseline main
  lem report 20260101T0300 20260102T0300 --html nights.html
  lem report latest --set cost.grid_gco2e_per_kwh=350 --set cost.pue=1.2
  lem report latest --push http://localhost:5000
"""
#: What says how to compare, and makes no sense without a baseline.
_OF_GATES = ("fail_on", "under_test", "promise")
#: What a push has no use for: it sends the records as they are stored.
_NOT_PUSHED = (
    "html", "format", "output", "rows", "group_by", "sort", "columns", "baseline", *_OF_GATES,
    "config", "settings",
)  # fmt: skip


def add_report(commands: Any) -> None:  # the class of argparse has no public name
    """Add `lem report`."""
    report = add_command(
        commands,
        "report",
        "show the figures of runs, and compare one with a baseline",
        "Show the figures of a run or of several, and what one is against a baseline.",
        _EPILOG,
    )
    report.set_defaults(run=_report, error=report.error)
    report.add_argument(
        "references",
        nargs="+",
        metavar="RUN",
        help="the id of a run or its beginning, `latest`, or the path of a run's folder, a run "
        "file, a journal or a session",
    )
    _add_gate(report)
    _add_cost(report)
    report.add_argument(
        "--group-by",
        type=words,
        default=(),
        metavar="FIELDS",
        help="a row for each combination of these fields, comma-separated and dotted: backend, "
        "workload.output_tokens, kind, key, tier",
    )
    add_shape(report)
    report.add_argument(
        "--push",
        nargs="?",
        const="",
        metavar="URI",
        help="send the records to MLflow instead, as `lem push` does (default: mlflow.db in the "
        "store); it stands after RUN",
    )
    add_store(report)


def _add_gate(report: Any) -> None:
    """Add what says how to compare, with the names that the plugin's options have."""
    report.add_argument(
        "--baseline", metavar="NAME|PATH", help="compare with this history, by the plugin's code"
    )
    report.add_argument(
        "--fail-on",
        action="append",
        metavar="METRIC:PCT[+ABS]",
        help="gate this figure (repeatable; default: energy and throughput, of callables energy "
        "and duration, 1 %% each)",
    )
    report.add_argument(
        "--under-test", type=words, metavar="FIELDS", help="fields that are meant to differ"
    )
    report.add_argument(
        "--promise",
        type=float,
        metavar="PCT",
        help="a change in per cent that the gate undertakes to find (10)",
    )


def _add_cost(report: Any) -> None:
    """Add what figures are derived from."""
    report.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="cost.NAME=VALUE",
        help="derive cost and emissions with this (repeatable): cost.grid_gco2e_per_kwh, "
        "cost.price_per_kwh, cost.currency, cost.pue",
    )
    report.add_argument(
        "--config", type=Path, metavar="FILE", help="take the settings `cost` from this file"
    )


def _report(arguments: argparse.Namespace) -> int:
    if arguments.push is not None:
        return _push(arguments)
    from pytest_lem.cli import report

    if arguments.baseline is None and any(getattr(arguments, name) for name in _OF_GATES):
        arguments.error("--fail-on, --under-test and --promise say how to compare with --baseline")
    if arguments.baseline is not None and len(arguments.references) > 1:
        arguments.error("--baseline judges one run, whose tests it knows; name one RUN")
    against = None
    if arguments.baseline is not None:
        against = report.Against(
            baseline=arguments.baseline,
            fail_on=arguments.fail_on or (),
            under_test=arguments.under_test or (),
            promise_percent=arguments.promise,
        )
    return report.run(
        arguments.references,
        store=arguments.store,
        against=against,
        cost=(arguments.config, arguments.settings),
        fields=arguments.group_by,
        shape=shape_of(arguments),
    )


def _push(arguments: argparse.Namespace) -> int:
    """Send the runs, and show nothing."""
    refuse_idle(arguments, _NOT_PUSHED, "--push sends the records as they are stored, and")
    from pytest_lem.cli import push
    from pytest_lem.cli.sending import EXPERIMENT

    for reference in arguments.references:
        push.run(
            reference,
            store=arguments.store,
            uri=arguments.push or None,
            experiment=EXPERIMENT,
            has_artifacts=True,
        )
    return 0
