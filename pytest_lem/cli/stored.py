"""Arguments of the commands around what is stored: runs and baselines.

Read at every start of `lem`, so what a command needs is imported when it runs.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from pytest_lem.cli.arguments import add_command, add_format, add_store

_CLEAN_EPILOG = """\
exit status:
  0  all that was to be deleted is, or would be
  1  something could not be deleted
  2  a wrong option, or no store

Baselines stay, and so do the newest run, folders that are no run, a run without
an end that wrote something in the last day, and a run whose samples a later one
uses, because it resumed it.
"""
_ACCEPT_EPILOG = """\
exit status:
  0  all that was asked for has joined
  1  nothing waits, or not all of the cases that were named
  2  a wrong option, or a history or run that is not there
"""
_BISECT_EPILOG = """\
exit status:
  0    good: every figure was compared, and none has regressed
  1    bad: a figure has regressed
  125  skip: no verdict either way, such as provisional, invalid or missing, a
       test that failed by itself, or no run file at all
  128  a wrong option, which ends the search

The verdicts are those that pytest came to with --lem-baseline or --lem-ab, in
the file of its --lem-json. Delete that file before each run: a commit on which
pytest cannot start would leave that of the commit before. docs/ci.md has a
script for `git bisect run`.
"""
_LIST_EPILOG = """\
exit status:
  0  everything is listed
  1  something cannot be read, and is left out
  2  a wrong option, or something that is not there
"""


def add_lists(nouns: Any) -> None:
    """Add `lem ls runs` and `lem ls baselines`."""
    runs = add_command(
        nouns, "runs", "runs in the store", "List the runs, the oldest first.", _LIST_EPILOG
    )
    runs.set_defaults(run=_list_runs)
    add_format(runs)
    add_store(runs)
    baselines = add_command(
        nouns,
        "baselines",
        "histories in the store",
        "List the histories, the cases of one, or what the sessions of one case measured.",
        _LIST_EPILOG,
    )
    baselines.set_defaults(run=_list_baselines)
    baselines.add_argument("name", nargs="?", metavar="NAME", help="the cases of this history")
    baselines.add_argument(
        "key", nargs="?", metavar="KEY", help="the sessions of this case, by its key or beginning"
    )
    add_format(baselines)
    add_store(baselines)


def add_clean(commands: Any) -> None:
    """Add `lem clean`."""
    clean = add_command(
        commands,
        "clean",
        "delete the folders of old runs",
        "Delete the folders of old runs from the store, never a baseline.",
        _CLEAN_EPILOG,
    )
    clean.set_defaults(run=_clean)
    clean.add_argument(
        "--keep",
        type=_count,
        metavar="N",
        help="leave the newest N (default: 10, with --older-than 1)",
    )
    clean.add_argument(
        "--older-than", type=_days, metavar="DAYS", help="delete only what is older than this"
    )
    clean.add_argument("--dry-run", action="store_true", help="say it, and delete nothing")
    add_store(clean)


def add_baseline(commands: Any) -> None:
    """Add `lem baseline accept`."""
    baseline = commands.add_parser(
        "baseline", help="decide about a history", description="Decide about a history."
    )
    verbs = baseline.add_subparsers(dest="verb", metavar="VERB", required=True)
    accept = add_command(
        verbs,
        "accept",
        "let cases that wait join a history",
        "Let cases that got worse, better or incomparable join their history after all.",
        _ACCEPT_EPILOG,
    )
    accept.set_defaults(run=_accept)
    accept.add_argument("name", metavar="NAME", help="the history")
    accept.add_argument(
        "session",
        nargs="?",
        metavar="RUN",
        help="the run whose cases join, by its id or beginning (default: the latest with any)",
    )
    accept.add_argument(
        "--case", action="append", default=[], metavar="KEY", help="only this case (repeatable)"
    )
    add_store(accept)


def add_bisect(commands: Any) -> None:
    """Add `lem bisect`, whose mistakes must not look like the verdict on a commit."""
    bisect = add_command(
        commands,
        "bisect",
        "say good, bad or skip of a run to `git bisect run`",
        "Say of a run, by its exit status, what `git bisect run` wants to know of a commit.",
        _BISECT_EPILOG,
    )
    bisect.error = partial(_end_search, bisect)
    bisect.set_defaults(run=_bisect, error=bisect.error)
    bisect.add_argument(
        "run_file", type=Path, metavar="FILE", help="the run file that --lem-json of pytest wrote"
    )


def _count(text: str) -> int:
    if not (text.isdecimal() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 up")
    return int(text)


def _days(text: str) -> float:
    try:
        days = float(text)
    except ValueError:
        days = -1.0
    if not 0 <= days < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is no number of days")
    return days


def _end_search(bisect: argparse.ArgumentParser, message: str) -> NoReturn:
    """Say what is wrong with the arguments; git goes on only below this status."""
    from pytest_lem.cli.bisect import ABORT

    bisect.print_usage(sys.stderr)
    bisect.exit(ABORT, f"{bisect.prog}: error: {message}\n")


def _bisect(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli import bisect

    return bisect.run(arguments.run_file)


def _list_runs(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli.ls import runs

    return runs.run(arguments.store, form=arguments.format)


def _list_baselines(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli.ls import baselines

    return baselines.run(arguments.store, arguments.name, arguments.key, form=arguments.format)


def _clean(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli import clean

    return clean.run(
        arguments.store,
        keep=arguments.keep,
        older_than_days=arguments.older_than,
        is_dry=arguments.dry_run,
    )


def _accept(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli import baseline

    return baseline.accept(
        arguments.name, arguments.session, cases=arguments.case, store=arguments.store
    )
