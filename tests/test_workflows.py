"""Workflows for GitHub Actions, and the text of docs/ci.md, whose blocks tests/docs has."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from pytest_lem.cli.main import _parser
from pytest_lem.gate.rule import rules_of
from pytest_lem.plugin.options import OPTIONS

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.y*ml"))
PAGE = ROOT / "docs/ci.md"
TEXTS = [*WORKFLOWS, PAGE]


def _steps() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each step of each job, with a name for it."""
    for path in WORKFLOWS:
        for name, job in yaml.safe_load(path.read_text())["jobs"].items():
            for number, step in enumerate(job["steps"]):
                yield f"{path.stem}-{name}-{number}", step


SCRIPTS = {name: step["run"] for name, step in _steps() if "run" in step}


def test_there_are_workflows() -> None:
    """What follows would pass for none as well."""
    assert [path.name for path in WORKFLOWS] == ["energy.yml"]
    assert len(SCRIPTS) > 5


@pytest.mark.parametrize(
    "command",
    [
        ["check-jsonschema", "--builtin-schema", "vendor.github-workflows"],
        ["zizmor", "--offline", "--quiet", "--no-progress"],
    ],
    ids=["schema", "security"],
)
def test_workflows_are_valid_and_safe(command: list[str]) -> None:
    """By GitHub's own schema, and by a linter that knows how workflows are attacked."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [program, *command[1:], *map(str, WORKFLOWS)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_every_script_is_valid_shell(script: str) -> None:
    """GitHub runs steps with bash, which reads each of them to its end here."""
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_no_expression_is_pasted_into_a_script(script: str) -> None:
    """The name of a branch may hold a command: values come by the environment, quoted."""
    assert "${{" not in script


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_option_exists(path: Path) -> None:
    """An option that was renamed is renamed there too; so are variables and words of the ini."""
    text = path.read_text()
    flags = set(re.findall(r"--lem(?:-[a-z]+)*", text))
    assert flags
    assert flags - {option.flag for option in OPTIONS} == set()
    variables = set(re.findall(r"\bLEM_[A-Z_]+", text))
    assert variables - {option.variable for option in OPTIONS} == set()


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_gate_is_a_rule(path: Path) -> None:
    """Each metric that is named can be gated."""
    rules = re.findall(r"--lem-fail-on=([a-z_]+:\d+)", path.read_text())
    assert rules
    for rule in rules:
        assert [str(found) for found in rules_of([rule], "--lem-fail-on")] == [rule]


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_command_of_lem_exists(path: Path) -> None:
    """With the arguments that it is given."""
    names = "doctor|report|baseline|ls|clean|bisect"
    lines = re.findall(
        rf"""(?:^| |`|/)lem"? ((?:{names}) (?:[A-Za-z-][^`\n'#;]*))""",
        path.read_text(),
        re.MULTILINE,
    )
    assert lines
    for line in lines:
        assert _parser().parse_args(line.split()).command == line.split()[0]


def test_strangers_do_not_reach_runners_of_ones_own() -> None:
    """A job on such a runner waits to be wanted, and takes no pull request from a fork."""
    for path in WORKFLOWS:
        content = yaml.safe_load(path.read_text())
        assert content["permissions"] == {"contents": "read"}
        assert "pull_request_target" not in content[True]  # YAML 1.1 reads `on` as true
        for job in content["jobs"].values():
            if "self-hosted" in job["runs-on"]:
                condition = job["if"]
                assert "vars.ENERGY_RUNNER != ''" in condition
                is_own = "head.repo.full_name == github.repository" in condition
                assert is_own or "github.event_name != 'pull_request'" in condition
