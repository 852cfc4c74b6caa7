"""An empty pytest session with the plugin installed against `-p no:lem`.

The whole process, from the start of Python to its end, in a folder without tests: warm bytecode,
no other plugin, PYTHONHASHSEED=0. Instructions are those of user space, under callgrind. Of what
is more with the plugin: `import` is `import pytest_lem.plugin.hooks` in plain Python, `rewriting`
what that takes more through pytest's import hook for assertions, `options` is pytest_addoption,
`hooks` the rest. `metadata` is pytest's reading of the plugin's list of files; it happens on both
sides, so it is no part of the ratio.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

from pairing import Figure, alternate, exactly, ratio
from session import WITHOUT, command, cost, run

_GOAL = "<= 1.03"
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
        if shutil.which("valgrind"):
            return _instructions(folder, pairs=2 if quick else 6)
        found = alternate(
            6 if quick else 20,
            lambda: cost(command(*WITHOUT), folder).cpu_s,
            lambda: cost(command(), folder).cpu_s,
        )
        return [Figure("empty session: CPU", "x no:lem", ratio(found), _GOAL, _NO_VALGRIND)]


def _instructions(folder: Path, pairs: int) -> list[Figure]:
    found = alternate(
        pairs,
        lambda: _count(command(*WITHOUT), folder),
        lambda: _count(command(), folder),
    )
    without, with_ = found[0]
    extra = with_ - without
    note = f"{without / 1e6:.1f} M without, {extra / 1e6:.1f} M more with the plugin"
    return [
        Figure("empty session: instructions", "x no:lem", ratio(found), _GOAL, note),
        *(
            Figure(f"  {name}", "% of the extra", exactly(100 * count / extra))
            for name, count in _parts(folder, extra).items()
        ),
    ]


def _parts(folder: Path, extra: float) -> dict[str, float]:
    counts = {}
    for name, line in _STAND_INS.items():
        (folder.parent / f"{name}.py").write_text(line + "\n")
        counts[name] = _count(command(*WITHOUT, "-p", name), folder, PYTHONPATH=str(folder.parent))
    python = [sys.executable, "-c"]
    bare = _count([*python, "import pytest"], folder)
    plain = _count([*python, "import pytest, pytest_lem.plugin.hooks"], folder) - bare
    in_pytest = counts["lem_import"] - counts["lem_nothing"]
    options = counts["lem_options"] - counts["lem_import"]
    return {
        "import": plain,
        "rewriting": in_pytest - plain,
        "options": options,
        "hooks": extra - in_pytest - options,
        "metadata (on both sides)": _count([*python, f"import pytest; {_FILES}"], folder) - bare,
    }


def _count(arguments: list[str], folder: Path, **variables: str) -> float:
    run(arguments, folder, **variables)  # writes the bytecode
    valgrind = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    text = run([*valgrind, *arguments], folder, **variables)
    if found := re.search(r"Collected : (\d+)", text):
        return float(found[1])
    raise RuntimeError(f"callgrind gave no count: {text[-500:]}")
