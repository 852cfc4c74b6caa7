"""What an image is made of, as its Dockerfile says it, and what a build may copy."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import yaml
from docker.utils.build import exclude_paths
from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "docker").glob("*/Dockerfile"))
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = set(PROJECT["project"]["optional-dependencies"])
#: Pairs of extras that exclude each other.
CONFLICTS = [
    frozenset(item["extra"] for item in group) for group in PROJECT["tool"]["uv"]["conflicts"]
]

_FROM = re.compile(r"(?P<base>\S+)(?: AS (?P<name>\S+))?", re.IGNORECASE)
_INSTALL = re.compile(r"pip install\b[^&|;]*")
_EXTRA = re.compile(r"/src\[([\w,-]+)\]")
_DEFAULT = re.compile(r"\$\{(\w+):-([^}]*)\}|\$\{?(\w+)\}?")


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands between one FROM and the next."""

    base: str
    name: str | None
    steps: list[tuple[str, str]]

    def values(self, instruction: str) -> list[str]:
        """Return what follows an instruction, each time that it is there."""
        return [value for found, value in self.steps if found == instruction]

    def pairs(self, instruction: str) -> dict[str, str]:
        """Return names and values of ENV, or of ARG."""
        words = [word for value in self.values(instruction) for word in shlex.split(value)]
        return dict(word.split("=", 1) for word in words if "=" in word)


@dataclass(frozen=True, slots=True)
class Image:
    """A Dockerfile; the last stage is what runs."""

    name: str
    stages: list[Stage]

    @property
    def run(self) -> Stage:
        """Return the last stage."""
        return self.stages[-1]

    @property
    def workdir(self) -> str:
        """Return the folder in which it runs."""
        return self.run.values("WORKDIR")[-1]

    @property
    def command(self) -> list[str]:
        """Return what it runs."""
        command: list[str] = json.loads(self.run.values("CMD")[-1])
        return command

    @property
    def installs(self) -> list[str]:
        """Return the commands of pip."""
        runs = [value for stage in self.stages for value in stage.values("RUN")]
        return [found for value in runs for found in _INSTALL.findall(value)]

    @property
    def extras(self) -> set[str]:
        """Return the extras of this project that are installed."""
        found = [_EXTRA.search(command) for command in self.installs]
        return {extra for match in found if match for extra in match[1].split(",")}

    @property
    def copies(self) -> list[tuple[list[str], str]]:
        """Return what is copied out of the checkout, and where to."""
        values = [value for stage in self.stages for value in stage.values("COPY")]
        words = [shlex.split(value) for value in values if "--from=" not in value]
        return [(sources, target) for *sources, target in words]


def read(text: str, name: str) -> Image:
    """Read a Dockerfile."""
    stages: list[Stage] = []
    for step in DockerfileParser(fileobj=BytesIO(text.encode())).structure:
        if step["instruction"] == "FROM":
            found = _FROM.fullmatch(step["value"])
            assert found, step["value"]
            stages.append(Stage(found["base"], found["name"], []))
        elif stages and step["instruction"] != "COMMENT":
            stages[-1].steps.append((step["instruction"], step["value"]))
    return Image(name, stages)


@cache
def image(name: str) -> Image:
    """Return the image of that name."""
    return read((ROOT / "docker" / name / "Dockerfile").read_text(encoding="utf-8"), name)


@cache
def context(ignored: str = "") -> frozenset[str]:
    """Return what a build gets of the checkout, by the rules in .dockerignore, or by others."""
    rules = ignored or (ROOT / ".dockerignore").read_text(encoding="utf-8")
    lines = [line.strip() for line in rules.splitlines()]
    return frozenset(exclude_paths(str(ROOT), [x for x in lines if x and x[0] != "#"]))


def compose(name: str = "compose.yaml") -> dict[str, Any]:
    """Return a compose file as YAML reads it."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker" / name).read_text(encoding="utf-8"))
    return content


def filled(text: str, **variables: str) -> str:
    """Return a value of a compose file with the variables of the shell in their places."""
    return _DEFAULT.sub(lambda found: variables.get(found[1] or found[3], found[2] or ""), text)
