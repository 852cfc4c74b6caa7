"""Every code block of README.md and docs/ is run, loaded or understood; none is left out.

What is run is in `test_python.py`, `test_lem.py`, `test_tutorial.py` and `test_howto.py`. Here
commands go through the real parsers with the settings that follow from them, and settings through
the real models.
"""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from pageblocks import ALL, PAGES, ROOT, Block, anchors_of, blocks_of, links_of, of
from programs import VARIABLES, Checker
from shellwords import commands_of

from pytest_lem.config.gridfile import read_grid
from pytest_lem.config.resolve import resolve
from pytest_lem.config.source import read_file
from pytest_lem.plugin.options import OPTIONS
from pytest_lem.plugin.settings import check_settings, options_of
from pytest_lem.registry import BACKENDS, METERS, REPORTS
from pytest_lem.results.runfile import RunFile

#: What checks the blocks of a language. A directive of Sphinx is checked when the site is built.
CHECKED = {"", "sh", "python", "yaml", "toml", "ini", "json", "{toctree}", "{eval-rst}"}
_PROGRAMS = re.compile(r"\s*(\$ |>>> )?(pytest|lem|tox|pip|python\d?|git|docker) [-\w./'\"]")
#: Files that `lem doctor --init` writes, or that another page shows.
MADE = {"energy.yaml", "grid.yaml"}
#: Variables that are none of options: of the locks, of the site, and made up by a page.
OURS = {"LEM_LOCK_DIR", "LEM_DOCS_REPOSITORY", "LEM_WEBHOOK_URL", "LEM_WEBHOOK_TOKEN"}


def where(block: Block) -> str:
    """Return the name of a block in the output of pytest."""
    return block.where


@pytest.mark.parametrize("block", ALL, ids=where)
def test_a_block_is_of_a_kind_that_is_checked(block: Block) -> None:
    """Output has no language; anything that looks as if it could be typed has one."""
    assert block.language in CHECKED, f"{block.where}: nothing checks a block of this kind"
    if not block.language:
        typed = [line for line in block.text.splitlines() if _PROGRAMS.match(line)]
        assert typed == [], f"{block.where}: commands belong into a block `sh`"


@pytest.mark.parametrize("block", of("sh"), ids=where)
def test_a_command_is_understood(
    block: Block, folder: pytest.Pytester, install: Callable[[Path], None]
) -> None:
    """By bash, and by the parsers of pytest and of `lem`; files, extras and environments exist."""
    done = subprocess.run(
        ["bash", "-n"], input=block.text, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    install(block.page)
    files = MADE | {other.file for other in ALL if other.page == block.page and other.file}
    checker = Checker(partial(folder.parseconfig, "-pxdist", "-pbenchmark"), files)
    commands = commands_of(block.text)
    assert commands
    for command in commands:
        checker.check(command)


@pytest.mark.parametrize("block", of("yaml"), ids=where)
def test_settings_are_valid(block: Block, folder: pytest.Pytester) -> None:
    """Through the same code as a file of `--lem-config` or `--lem-sweep`, without a note."""
    path = folder.path / (block.file or "block.yaml")
    path.write_text(block.text)
    content = yaml.safe_load(block.text)
    if "grid" in content:
        assert list(read_grid(path, options_of).combinations("transformers"))
    else:
        resolved = resolve(read_file(path), default_preset="standard", options_of=options_of)
        assert resolved.notes == ()


@pytest.mark.parametrize("block", of("ini", "toml"), ids=where)
def test_an_ini_entry_exists(block: Block, folder: pytest.Pytester) -> None:
    """pytest takes it in strict mode; a project registers what loads under a group we look at."""
    is_toml = block.language == "toml"
    folder.path.joinpath("pyproject.toml" if is_toml else "pytest.ini").write_text(block.text)
    check_settings(folder.parseconfig("--strict-config", "--rootdir=."))
    if is_toml:
        content = tomllib.loads(block.text)
        groups = content.get("project", {}).get("entry-points", {})
        assert "pytest" in content.get("tool", {}) or groups
        assert set(groups) <= {BACKENDS, METERS, REPORTS, "pytest11"}


@pytest.mark.parametrize("block", of("json"), ids=where)
def test_json_can_be_read(block: Block) -> None:
    """And a run file is one; messages of webhooks are checked beside their settings."""
    content = json.loads(block.text)
    if "records" in content:
        RunFile.model_validate(content)
    else:
        assert "event" in content, f"{block.where}: say in this test what that is"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_option_and_variable_in_the_text_exists(page: Path) -> None:
    """In sentences as well as in blocks."""
    text = page.read_text(encoding="utf-8")
    flags = set(re.findall(r"--lem(?:-[a-z]+)*(?![\w-])", text))
    assert flags - {option.flag for option in OPTIONS} == set()
    variables = set(re.findall(r"\bLEM_[A-Z_]+\b", text))
    assert variables - VARIABLES - OURS == set()
    entries = set(re.findall(r"\blem_[a-z_]+(?= = )", text))
    assert entries - {option.ini for option in OPTIONS} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """On a code host: to a file or folder of the repository, and to a heading in it."""
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        if "://" in path:
            continue
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert target.is_relative_to(ROOT), link
        assert not anchor or anchor in anchors_of(target), link


def test_every_page_is_in_the_table_of_contents() -> None:
    """Once; the site could not be built otherwise."""
    index = ROOT / "docs/index.md"
    trees = [block.text for block in blocks_of(index) if block.language == "{toctree}"]
    lines = [line for text in trees for line in text.splitlines() if line and line[0] != ":"]
    entries = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]
    assert sorted([*entries, "index", "README"]) == sorted(page.stem for page in PAGES)


def test_a_mistake_in_a_page_is_found(folder: pytest.Pytester) -> None:
    """The checks would be worth nothing if everything went through."""
    wrong: list[tuple[str, type[BaseException]]] = [
        ("pytest --lem-bakcend=vllm", pytest.UsageError),
        ("pytest --lem-batch-size=none", pytest.UsageError),
        ("pytest no/such/folder", AssertionError),
        ("lem report latest --group-bye backend", AssertionError),
        ("tox run -e no-such", KeyError),
        ("python -m pip install 'pytest-lem[no-such]'", AssertionError),
        ("LEM_NO_SUCH=1 pytest", AssertionError),
        ("frobnicate", AssertionError),
    ]
    check: Callable[[Any], None] = Checker(folder.parseconfig, ()).check
    for text, error in wrong:
        with pytest.raises(error):
            check(commands_of(text)[0])
