"""An empty pytest session with the plugin installed against `-p no:lem`."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from pairing import Figure, alternate, exactly, ratio
from session import WITHOUT, command, cost, run

INCLUDED = """\
startup: the whole process, from the start of Python to its end, in a folder without tests; warm
bytecode, no other plugin, PYTHONHASHSEED=0. Instructions are those of user space. The parts of the
extra: `import` is `import pytest_lem.plugin.hooks` in plain Python, `rewriting` what it takes more
through pytest's import hook for assertions, `options` is pytest_addoption, `hooks` is the rest:
the entry point, pytest_configure, and hooks that find nothing to do. That pytest reads the list of
files of each installed plugin happens on both sides, and is shown as `installed`."""

_GOAL = 1.03
_NO_VALGRIND = "valgrind not installed (apt-get install valgrind), so CPU seconds, which scatter"

#: Plugins of one line that do a part of what ours does.
_STAND_INS = {
    "lem_nothing": "",
    "lem_import": "import pytest_lem.plugin.hooks",
    "lem_options": "from pytest_lem.plugin.hooks import pytest_addoption",
}
_FILES = "import importlib.metadata as m; list(m.distribution('pytest-lem').files)"


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Count instructions; without valgrind, compare CPU seconds."""
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        folder = Path(scratch) / "empty"
        folder.mkdir()
        (folder / "pytest.ini").write_text("[pytest]\n")
        for options in ((), WITHOUT, ()):  # write the bytecode, then the cache of pytest
            run(command(*options), folder)
        if not shutil.which("valgrind"):
            return [_seconds(folder, pairs=6 if quick else 20)]
        return _instructions(folder, pairs=2 if quick else 6)


def _seconds(folder: Path, pairs: int) -> Figure:
    found = alternate(
        pairs,
        lambda: cost(command(*WITHOUT), folder).cpu_s,
        lambda: cost(command(), folder).cpu_s,
    )
    return Figure(
        "empty session: CPU seconds", "x no:lem", ratio(found), at_most=_GOAL, note=_NO_VALGRIND
    )


def _instructions(folder: Path, pairs: int) -> list[Figure]:
    found = alternate(
        pairs,
        lambda: _count(command(*WITHOUT), folder),
        lambda: _count(command(), folder),
    )
    with_, without = found[0][1], found[0][0]
    note = f"{without / 1e6:.1f} M without, {(with_ - without) / 1e6:.1f} M more with"
    return [
        Figure("empty session: instructions", "x no:lem", ratio(found), at_most=_GOAL, note=note),
        *_parts(folder, with_ - without),
    ]


def _parts(folder: Path, extra: float) -> list[Figure]:
    """Return how the extra divides, in per cent of it."""
    path = folder.parent / "stand-ins"
    path.mkdir()
    counts = {}
    for name, line in _STAND_INS.items():
        (path / f"{name}.py").write_text(line + "\n")
        arguments = command(*WITHOUT, "-p", name)
        run(arguments, folder, path)
        counts[name] = _count(arguments, folder, path)
    bare = _count([sys.executable, "-c", "import pytest"], folder)
    plain = _count([sys.executable, "-c", "import pytest, pytest_lem.plugin.hooks"], folder) - bare
    files = _count([sys.executable, "-c", f"import pytest; {_FILES}"], folder) - bare
    in_pytest = counts["lem_import"] - counts["lem_nothing"]
    options = counts["lem_options"] - counts["lem_import"]
    parts = {
        "import": plain,
        "rewriting": in_pytest - plain,
        "options": options,
        "hooks": extra - in_pytest - options,
        "installed (on both sides)": files,
    }
    return [
        Figure(f"  of it {name}", "% of extra", exactly(100 * count / extra))
        for name, count in parts.items()
    ]


def _count(arguments: list[str], folder: Path, path: Path | None = None) -> float:
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    found = re.search(r"Collected : (\d+)", text := run([*valgrind, *arguments], folder, path))
    if not found:
        raise RuntimeError(f"callgrind gave no count: {text[-500:]}")
    return float(found[1])
