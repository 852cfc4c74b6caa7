"""Collection of 10,000 parametrized cases against plain pytest.

The whole process of `pytest --collect-only -q`, start and end with it, over 10 files of 10 tests
of 100 values. The other side is always the plain tests with `-p no:lem`. `plain`: the same tests
with the plugin; `marked`: with @pytest.mark.energy; `inference`: with the fixture. `one
marked test`: what such a list pays once, whatever its length. A session that goes on to measure
also reads its settings and looks for meters, once; that is no part of collecting.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from pairing import Figure, alternate, difference, ratio
from session import WITHOUT, Cost, command, cost

_TEST = """
{mark}@pytest.mark.parametrize("batch_size", range(1, 101))
def test_{number}({fixture}batch_size):
    pass
"""
_SUITES = {
    "plain": {"mark": "", "fixture": ""},
    "marked": {"mark": "@pytest.mark.energy\n", "fixture": ""},
    "inference": {"mark": "", "fixture": "inference, "},
}
_GOALS = {"marked": "<= 1.3"}


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Compare each suite with plain pytest."""
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        folders = {name: _write(Path(scratch) / name, **how) for name, how in _SUITES.items()}
        pairs, figures = 4 if quick else 10, []
        for name, folder in folders.items():
            figures += _compared(name, folder, folders["plain"], pairs)
        return [*figures, _once(folders["marked"], pairs)]


def _write(folder: Path, mark: str, fixture: str) -> Path:
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    tests = "".join(_TEST.format(mark=mark, fixture=fixture, number=n) for n in range(10))
    for number in range(10):
        (folder / f"test_{number}.py").write_text(f"import pytest\n\n{tests}")
    return folder


def _compared(name: str, folder: Path, plain: Path, pairs: int) -> list[Figure]:
    _collect(folder)  # writes the bytecode
    found = alternate(pairs, lambda: _collect(plain, *WITHOUT), lambda: _collect(folder))
    cpu = [(a.cpu_s, b.cpu_s) for a, b in found]
    least = tuple(min(side) for side in zip(*cpu, strict=True))
    note = f"least {least[0]:.2f} s without, {least[1]:.2f} s with"
    wall = ratio((a.wall_s, b.wall_s) for a, b in found)
    return [
        Figure(f"{name}: CPU seconds", "x plain", ratio(cpu), _GOALS.get(name), note),
        Figure(f"{name}: wall clock", "x plain", wall, _GOALS.get(name)),
    ]


def _once(folder: Path, pairs: int) -> Figure:
    one = "test_0.py::test_0[1]"
    found = alternate(
        pairs,
        lambda: _collect(folder, one, "-W", "ignore", *WITHOUT).cpu_s * 1e3,
        lambda: _collect(folder, one, "-W", "ignore").cpu_s * 1e3,
    )
    return Figure("one marked test: CPU", "ms more", difference(found))


def _collect(folder: Path, *options: str) -> Cost:
    return cost(command("--collect-only", *options), folder)
