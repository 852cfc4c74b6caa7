"""Python in the pages runs as it stands there, in runs of pytest as a reader starts them.

Where a page needs an engine, the backend `ngram` of these tests stands in, or a server without a
model under the name of the program that the page calls. Names that a page leaves to its reader
(`load_three_files`) are given in `GIVEN`. What is changed in a text is in `CHANGED`, and nothing
else is.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from pageblocks import ROOT, Block, of

from pytest_lem import read_run

_STUB = ROOT / "tests/stub_server/stub_server.py"
#: Tested elsewhere, from the text of the page: the hooks, the tutorial and the how-tos.
_ELSEWHERE = {
    "exports.md": "tests/reports/test_exports_page.py",
    "hooks.md": "tests/plugin/test_extensions.py",
    "tutorial.md": "tests/docs/test_tutorial.py",
    "how-to-backend.md": "tests/docs/test_howto.py",
    "how-to-meter.md": "tests/docs/test_howto.py",
}
#: Not the engine of the page, and not its patience: a rate at which ten requests take no time.
CHANGED = [
    ('"transformers"', '"ngram"'),
    ('"rate", [1, 2, 4, 8]', '"rate", [100]'),
]
GIVEN = """
import time
from types import SimpleNamespace

import pytest


def burn():
    start_s = time.process_time()
    while time.process_time() - start_s < 0.05:
        pass


async def fetch_all():
    burn()


def load_three_files():
    burn()


text = "text"


def parse(text):
    burn()
    return SimpleNamespace(ok=True)


class Database:
    def load(self, name):
        burn()


@pytest.fixture
def database():
    return Database()


"""


def where(block: Block) -> str:
    """Return the name of a block in the output of pytest."""
    return block.where


BLOCKS = [block for block in of("python") if block.page.name not in _ELSEWHERE]


@pytest.fixture
def server(folder: pytest.Pytester, reader: pytest.MonkeyPatch) -> None:
    """Let the program `vllm` start a server without a model, whatever else it is told."""
    program = folder.path / "bin" / "vllm"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport os, sys\n"
        "port = sys.argv[sys.argv.index('--port') + 1]\n"
        f"os.execv(sys.executable, [sys.executable, {str(_STUB)!r}, '--port', port])\n"
    )
    program.chmod(0o755)
    reader.setenv("PATH", str(program.parent), prepend=":")


@pytest.mark.parametrize("block", BLOCKS, ids=where)
def test_a_block_runs(block: Block, folder: pytest.Pytester, server: None, ngram: Path) -> None:
    """Its tests pass, and all of them measure."""
    text = block.text
    for old, new in CHANGED:
        text = text.replace(old, new)
    model = "stub" if "traffic" in text else ngram
    folder.path.joinpath("lem.yaml").write_text(
        f"model: {model}\nenergy: {{sample_s: 0}}\nworkload: {{output_tokens: 4}}\n"
        "traffic: {ramp_s: 0.05}\n"
    )
    plugins = [name for name in ("asyncio", "benchmark") if name in text]
    mode = "asyncio_mode = auto\n" if "asyncio" in plugins else ""
    folder.makeini(f"[pytest]\nlem_config = lem.yaml\n{mode}")
    folder.makepyfile(test_it=GIVEN + text)

    needed = [f"-p{name}" for name in plugins]
    result = folder.runpytest_subprocess("--lem-json=run.json", *needed)

    assert result.ret == 0
    records = read_run(folder.path / "run.json").records
    passed = result.parseoutcomes()["passed"]
    assert len({record.nodeid for record in records}) == passed
    assert {record.status for record in records} == {"ok"}


@pytest.mark.parametrize("page", _ELSEWHERE)
def test_what_is_tested_elsewhere_is(page: str) -> None:
    """The module that is named reads the page."""
    assert page in (ROOT / _ELSEWHERE[page]).read_text()
