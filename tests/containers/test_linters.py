"""What linters for containers, shell scripts and workflows say, and that they would say it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from images import EXTRAS, FILES, ROOT

COMPOSE = sorted((ROOT / "docker").glob("compose*.yaml"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
SCRIPTS = [ROOT / ".ci/run"]
#: Each linter with what it looks at, and something in it that it has to find fault with.
LINTERS: dict[str, tuple[list[str], list[Path], str, str]] = {
    "dockerfiles": (
        ["hadolint", "--config", "docker/.hadolint.yaml"],
        FILES,
        "USER ${PUID}:${PGID}",
        "USER root",
    ),
    "compose": (
        ["check-jsonschema", "--builtin-schema", "vendor.compose-spec"],
        COMPOSE,
        "services:",
        "service:",
    ),
    "workflow schema": (
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        WORKFLOWS,
        "runs-on:",
        "run-on:",
    ),
    "workflow security": (
        ["zizmor", "--offline", "--quiet", "--no-progress", "--config", ".github/zizmor.yml"],
        WORKFLOWS,
        "        run: pytest",
        "        run: echo ${{ github.event.pull_request.title }}; pytest",
    ),
    "shell": (
        ["shellcheck", "--shell=bash", "--external-sources", "--exclude=SC1091"],
        SCRIPTS,
        '"$scratch/venv"',
        "$scratch/venv",
    ),
}


def _lint(command: list[str], *paths: Path, text: str | None = None) -> tuple[int, str]:
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [program, *command[1:], *map(str, paths)],
        cwd=ROOT,
        input=text,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_has_nothing_to_say(name: str) -> None:
    """Every file of its kind is looked at."""
    command, paths, _, _ = LINTERS[name]
    assert paths
    status, said = _lint(command, *paths)
    assert status == 0, said


@pytest.mark.parametrize("name", LINTERS)
def test_a_linter_finds_a_mistake(name: str, tmp_path: Path) -> None:
    """Each would say something, and is not silent because it looks at nothing."""
    command, paths, old, new = LINTERS[name]
    text = paths[0].read_text()
    assert old in text
    wrong = tmp_path / ".github/workflows" / paths[0].name
    wrong.parent.mkdir(parents=True)
    wrong.write_text(text.replace(old, new))
    assert _lint(command, wrong)[0] != 0


def _steps() -> dict[str, str]:
    """Return the scripts of the workflows by name."""
    found: dict[str, str] = {}
    for path in WORKFLOWS:
        content: dict[str, Any] = yaml.safe_load(path.read_text())
        for job, parts in content["jobs"].items():
            steps = enumerate(parts["steps"])
            found |= {f"{path.stem}-{job}-{i}": s["run"] for i, s in steps if "run" in s}
    return found


def test_workflows_install_extras_that_exist() -> None:
    """A renamed extra is renamed there too."""
    text = "\n".join(path.read_text() for path in WORKFLOWS)
    named = {extra for found in re.findall(r"\.\[([\w,-]+)\]", text) for extra in found.split(",")}
    assert named
    assert named <= EXTRAS


def test_every_environment_of_ci_exists() -> None:
    """Each is defined by that name."""
    ini = (ROOT / "tox.ini").read_text()
    defined = set(re.findall(r"^\[testenv:([\w-]+)\]", ini, re.MULTILINE))
    defined |= {x for found in re.findall(r"\{([\w,]+)\}\]", ini) for x in found.split(",")}
    used = re.findall(r"tox run -e ([\w,-]+)", SCRIPTS[0].read_text())
    assert {"containers", "browser"} <= {name for found in used for name in found.split(",")}
    assert {name for found in used for name in found.split(",")} <= defined


@pytest.mark.parametrize("script", _steps().values(), ids=_steps())
def test_scripts_of_workflows_are_clean(script: str) -> None:
    """They are shell scripts as well; GitHub runs them with bash."""
    status, said = _lint(["shellcheck", "--shell=bash", "-"], text=script)
    assert status == 0, said
