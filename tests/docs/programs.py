"""Whether a command of a page would be understood, by the parsers of what it calls.

Commands of other projects (git, docker) are known by name and left to them. One that nobody knows
is an error, so that a new one is thought about.
"""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import yaml
from pageblocks import ROOT
from shellwords import Command

from pytest_lem.cli.main import _parser
from pytest_lem.config.contest import contest
from pytest_lem.gate.rule import rules_of
from pytest_lem.plugin.options import OPTIONS
from pytest_lem.plugin.settings import check_settings, session_layers
from pytest_lem.registry import BACKENDS, entries

_PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = set(_PROJECT["project"]["optional-dependencies"])
GROUPS = set(_PROJECT["dependency-groups"])
VARIABLES = {option.variable for option in OPTIONS}
_EXTRA = re.compile(r"pytest-lem\[([\w,-]+)\]")
#: Where a page is about a suite that is not in this repository.
_ELSEWHERE = ("/", "..")

Parse = Callable[..., Any]


def environments() -> dict[str, str]:
    """Return the environments of tox by name, with the first command of each."""
    ini = configparser.ConfigParser(interpolation=None)
    ini.read(ROOT / "tox.ini")
    found = {}
    for section in ini.sections():
        if section.startswith("testenv:"):
            names = section.removeprefix("testenv:").strip("{}").split(",")
            commands = ini[section].get("commands", "").strip().splitlines()
            found |= dict.fromkeys(names, commands[0] if commands else "")
    return found


class Checker:
    """Checks commands of one page; `files` are what it tells its reader to save."""

    def __init__(self, parse: Parse, files: Iterable[str]) -> None:
        self._parse = parse
        self._files = set(files)

    def check(self, command: Command) -> None:
        """Raise if something in it is not there."""
        for name in command.variables:
            assert not name.startswith("LEM_") or name in VARIABLES, name
        if not command.words:
            return
        program, *arguments = command.words
        name = re.sub(r"^python[\d.]+$", "python", program.rpartition("/")[2])
        if program == ".ci/run":
            assert (ROOT / program).is_file()
        elif name not in _PROGRAMS:
            raise AssertionError(
                f"nobody has said what `{program}` is: teach tests/docs/programs.py to check it"
            )
        elif check := _PROGRAMS[name]:
            check(self, arguments)

    def _lem(self, arguments: list[str]) -> None:
        _, unknown = _parser().parse_known_args(arguments)
        assert unknown == []

    def _pytest(self, arguments: list[str]) -> None:
        config = self._parse(*arguments)
        check_settings(config)
        session_layers(config)
        rules_of(config.option.lem_fail_on or [], "--lem-fail-on")
        if config.option.lem_ab:
            contest(config.option.lem_ab, "--lem-ab", entries(BACKENDS))
        for path in config.option.file_or_dir:
            self._file(path.partition("::")[0])

    def _tox(self, arguments: list[str]) -> None:
        own, _, rest = " ".join(arguments).partition(" -- ")
        verb, flag, names = own.split()
        assert (verb, flag) == ("run", "-e")
        for name in names.split(","):
            first = environments()[name]
            if rest and first.startswith("pytest"):
                self._pytest(rest.split())
            elif rest:
                script = Path(first.replace("{/}", "/").split()[1])
                for word in re.findall(r"--[\w-]+", rest):
                    assert word in (ROOT / script).read_text(encoding="utf-8"), word

    def _python(self, arguments: list[str]) -> None:
        if arguments[:1] != ["-m"]:
            self._file(arguments[0])
        elif arguments[1] != "venv":
            _PROGRAMS[arguments[1]](self, arguments[2:])

    def _pip(self, arguments: list[str]) -> None:
        assert arguments[0] == "install"
        for word, follows in zip(arguments, [*arguments[1:], ""], strict=True):
            if found := _EXTRA.search(word):
                assert set(found[1].split(",")) <= EXTRAS, word
            if word == "-r":
                self._file(follows)
            if word == "--group":
                assert follows in GROUPS

    def _docker(self, arguments: list[str]) -> None:
        """Look for the service, and check what it is to run."""
        assert arguments[0] == "compose"
        words, services = arguments[1:], set()
        while words[0] == "-f":
            content = yaml.safe_load((ROOT / words[1]).read_text(encoding="utf-8"))
            services |= set(content["services"])
            words = words[2:]
        verb, *rest = [word for word in words if word != "--rm"]
        assert verb in {"build", "run"}
        assert rest[0] in services
        self.check(Command(rest[1:]))

    def _file(self, name: str) -> None:
        is_told = name in self._files or name.startswith(_ELSEWHERE)
        assert is_told or (ROOT / name).exists(), f"there is no {name}"


_PROGRAMS: dict[str, Callable[[Checker, list[str]], None] | None] = {
    "lem": Checker._lem,
    "pytest": Checker._pytest,
    "tox": Checker._tox,
    "python": Checker._python,
    "pip": Checker._pip,
    "docker": Checker._docker,
    **dict.fromkeys(
        (".", "cat", "cd", "chmod", "cp", "done", "for", "id", "mkdir", "rm", "sh"), None
    ),
    **dict.fromkeys(("apt", "git", "mlflow"), None),
}
