"""The command line `lem`."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pytest_lem.cli.arguments import add_format
from pytest_lem.cli.sending import add_push
from pytest_lem.cli.showing import add_report
from pytest_lem.cli.stored import add_baseline, add_bisect, add_clean, add_lists
from pytest_lem.errors import LemError

#: What shells say of a process that ended by the signals SIGINT and SIGPIPE.
_INTERRUPTED, _UNREAD = 130, 141
_MISTAKE = 2
_DOCTOR_EPILOG = """\
exit status:
  0  nothing is wrong; a machine without a sensor is not broken
  1  something that is there does not work or would mislead, or the tier is
     worse than required
  2  a wrong option

after `lem doctor --init`:
  pytest benchmarks --lem-config=energy.yaml --lem-smoke
"""
_PARAMS_EPILOG = """\
exit status:
  0  everything asked for is listed
  1  a backend is left out, because what it registers cannot be loaded
  2  a wrong option, or a backend that nobody registers

what is listed can be set:
  pytest benchmarks --lem-set=measure.rounds=5
  pytest benchmarks --lem-set=backends.transformers.num_threads=2
"""


#: Lists that take no argument, each a module of `cli.ls`.
_NAMED = {
    "backends": "what can run a model, and whether it is installed",
    "datasets": "where prompts can come from by a name",
    "presets": "settings that others can start from",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    It is 2 after a mistake, which is told in one sentence; 130 when it was interrupted, and 141
    when nobody reads the output any more.
    """
    parser = _parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:  # each command says by itself what a mistake in its arguments comes to
        error = getattr(arguments, "error", parser.error)
        error(f"unrecognized arguments: {' '.join(unknown)}")
    try:
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has enough, as in `lem doctor | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _UNREAD
    except LemError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the output of a command
        return _MISTAKE
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)  # noqa: T201 - the output of a command
        return _INTERRUPTED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="lem", description="Joules of language models: what stands beside pytest."
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    _add_doctor(commands)
    add_report(commands)
    add_bisect(commands)
    _add_ls(commands)
    add_baseline(commands)
    add_clean(commands)
    add_push(commands)
    return parser


def _add_doctor(commands: Any) -> None:  # the class of argparse has no public name
    doctor = commands.add_parser(
        "doctor",
        help="say what can be measured here, and how well",
        description="Say what can be measured on this machine, and how well.",
        epilog=_DOCTOR_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doctor.set_defaults(run=_doctor, error=doctor.error)
    doctor.add_argument("--json", action="store_true", help="print one JSON document")
    doctor.add_argument(
        "--quick",
        action="store_true",
        help="neither test the counters of GPUs (15 s) nor import the backends",
    )
    doctor.add_argument(
        "--require-tier",
        choices=["counter", "power", "estimated"],
        help="call it a problem if energy would be of a worse tier",
    )
    doctor.add_argument(
        "--init",
        nargs="?",
        const=Path(),
        type=Path,
        metavar="DIR",
        help="instead, write a benchmark suite and its settings into DIR (default: here) for the "
        "backends and devices found; files that are there are left as they are",
    )


def _add_ls(commands: Any) -> None:
    listing = commands.add_parser(
        "ls", help="list what there is", description="List what there is, by what it is."
    )
    nouns = listing.add_subparsers(dest="noun", metavar="NOUN", required=True)
    params = nouns.add_parser(
        "params",
        help="settings, and options of backends",
        description="List every setting and every option of the backends, with what it takes.",
        epilog=_PARAMS_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    params.set_defaults(run=_list_params)
    params.add_argument("--backend", metavar="NAME", help="only the options of this backend")
    add_format(params)
    for noun, what in _NAMED.items():
        named = nouns.add_parser(noun, help=what, description=f"List {what}.")
        named.set_defaults(run=_list_named)
        add_format(named)
    add_lists(nouns)


def _doctor(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli.doctor import command

    if arguments.init is None:
        return command.run(
            is_quick=arguments.quick, is_json=arguments.json, required=arguments.require_tier
        )
    if arguments.json or arguments.quick or arguments.require_tier:
        arguments.error("--init writes files and takes no other option")
    from pytest_lem.cli.doctor.init import write_suite

    return write_suite(arguments.init)


def _list_params(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli.ls import params

    return params.run(backend=arguments.backend, form=arguments.format)


def _list_named(arguments: argparse.Namespace) -> int:
    from pytest_lem.cli.ls import backends, datasets, presets

    lists = {"backends": backends.run, "datasets": datasets.run, "presets": presets.run}
    return lists[arguments.noun](form=arguments.format)


if __name__ == "__main__":
    sys.exit(main())
