"""What a block of shell commands asks to be run: programs with their arguments."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field

_SEPARATORS = re.compile(r"[();&|]+")
_REDIRECTIONS = re.compile(r"[<>]+")
_VARIABLE = re.compile(r"([A-Z_][A-Z0-9_]*)=")
#: Words of the shell itself, before a command or in place of one.
_BEFORE = {"do", "then", "else", "!", "if", "while", "export", "sudo"}
_INSTEAD = {"for", "done", "fi"}


@dataclass(slots=True)
class Command:
    """A program, its arguments, and the variables that are set for it."""

    words: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)


def commands_of(text: str) -> list[Command]:
    """Return the commands of a script, in their order."""
    found = []
    for line in text.replace("\\\n", " ").splitlines():
        command = Command()
        for word in _words(line):
            if _SEPARATORS.fullmatch(word):
                found.append(command)
                command = Command()
            else:
                _add(command, word)
        found.append(command)
    return [command for command in found if command.words or command.variables]


def _words(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    words = list(lexer)
    targets = {n + 1 for n, word in enumerate(words) if _REDIRECTIONS.fullmatch(word)}
    return [
        word
        for n, word in enumerate(words)
        if n not in targets and not _REDIRECTIONS.fullmatch(word)
    ]


def _add(command: Command, word: str) -> None:
    if command.words:
        if command.words[0] not in _INSTEAD:
            command.words.append(word)
    elif found := _VARIABLE.match(word):
        command.variables.append(found[1])
    elif word not in _BEFORE:
        command.words.append(word)
