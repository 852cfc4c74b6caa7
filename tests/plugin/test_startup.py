"""An installed plugin costs nothing until it is used."""

from __future__ import annotations

import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest

HEAVY = (
    "aiohttp", "numpy", "pandas", "psutil", "pydantic", "pynvml", "rich", "scipy", "torch",
    "transformers", "yaml",
)  # fmt: skip

#: Prints, when all is over, which modules the run has imported.
WATCH = """
import sys

def pytest_unconfigure(config):
    assert config.pluginmanager.hasplugin("lem") is {is_on}
    names = {{name.partition(".")[0] for name in sys.modules}}
    ours = {{name for name in sys.modules if name.startswith("pytest_lem")}}
    print("IMPORTED", *sorted(names | ours))
"""


@pytest.fixture
def bare(pytester, monkeypatch):
    """Run pytest in a process of its own, with this plugin alone and a `git` that tells."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    tools = pytester.mkdir("tools")
    git = tools / "git"
    git.write_text(f"#!{sys.executable}\nopen({str(tools / 'called')!r}, 'w')\n")
    git.chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")

    def run(source, *arguments, is_on=True):
        pytester.makeconftest(WATCH.format(is_on=is_on))
        pytester.makepyfile(test_it=source)
        result = pytester.runpytest_subprocess("-s", "-p", "no:cacheprovider", *arguments)
        last = next(line for line in result.stdout.lines if line.startswith("IMPORTED"))
        return result, set(last.split())

    return run


@pytest.mark.parametrize("arguments", [["--collect-only"], [], ["--lem=on"]])
def test_a_run_without_energy_tests_imports_nothing_heavy(bare, pytester, arguments):
    """No heavy module, no directory and no git process for a suite that measures nothing."""
    plain = "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_x(n):\n    pass\n"
    result, imported = bare(plain, "-p", "lem", *arguments)
    assert result.ret == 0
    assert "pytest_lem.plugin.hooks" in imported
    allowed = set() if arguments != ["--lem=on"] else {"pydantic", "yaml"}  # settings are checked
    assert imported & set(HEAVY) == allowed
    names = {path.name for path in pytester.path.iterdir()}
    pytest_own = {"stdout", "stderr", "runpytest-0", "runpytest-current"}
    assert names - pytest_own == {"conftest.py", "test_it.py", "tools"}
    assert not (pytester.path / "tools" / "called").exists()


def test_only_the_modules_for_hooks_and_options_are_imported(bare):
    """The list is short, so that an import at the top of a module shows here."""
    _, imported = bare("def test_x():\n    pass\n", "-p", "lem")
    assert {name for name in imported if name.startswith("pytest_lem.")} == {
        "pytest_lem.plugin",
        "pytest_lem.plugin.hooks",
        "pytest_lem.plugin.hookspecs",
        "pytest_lem.plugin.options",
    }


def test_a_bare_list_of_energy_tests_imports_nothing_heavy(bare, pytester):
    """Editors collect quietly: that needs no settings and no meters, and it still checks marks."""
    source = "import pytest\n@pytest.mark.energy(work=2)\ndef test_x():\n    pass\n"
    result, imported = bare(source, "-p", "lem", "--collect-only", "-q")
    assert result.ret == 0
    assert "pytest_lem.plugin.collection" in imported
    assert imported & set(HEAVY) == set()


def test_an_energy_test_does_wake_the_plugin(bare, pytester):
    """The control: the same run with one energy test imports, writes and asks git."""
    source = "def test_x(energy):\n    energy(list)\n"
    arguments = ("-p", "lem", "--lem-preset=smoke", "--lem-meter=estimated")
    result, imported = bare(source, *arguments)
    assert result.ret == 0
    assert {"psutil", "pydantic", "rich", "yaml"} <= imported
    assert (pytester.path / ".lem").is_dir()
    assert (pytester.path / "tools" / "called").exists()


def test_call_cases_never_import_an_engine(bare):
    """PyTorch is looked at where it is loaded already, and imported by nobody here."""
    arguments = ("-p", "lem", "--lem-preset=smoke", "--lem-meter=estimated")
    _, imported = bare("def test_x(energy):\n    energy(list)\n", *arguments)
    assert not imported & {"torch", "transformers", "numpy"}


def test_the_plugin_can_be_switched_off(bare, monkeypatch):
    """`-p no:lem` leaves no trace: no option, no marker, no module."""
    monkeypatch.delenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD")
    result, imported = bare("def test_x():\n    pass\n", "-p", "no:lem", is_on=False)
    assert result.ret == 0
    assert not [name for name in imported if name.startswith("pytest_lem")]


def test_the_installed_package_declares_the_plugin():
    """pytest finds the plugin by the entry point in the metadata of the installed package."""
    entries = distribution("pytest-lem").entry_points.select(group="pytest11")
    assert [(entry.name, entry.value) for entry in entries] == [("lem", "pytest_lem.plugin.hooks")]
    assert Path(entries["lem"].load().__file__).name == "hooks.py"
