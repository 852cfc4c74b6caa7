"""Collection of 10,000 parametrized cases, against plain pytest."""

from __future__ import annotations

import tempfile
from pathlib import Path

from pairing import Figure, alternate, ratio
from session import WITHOUT, Cost, command, cost

INCLUDED = """\
collection: the whole process of `pytest --collect-only -q`, start and end with it, over 10 files
of 10 tests of 100 values of `batch_size`; A is always the plain tests with `-p no:lem`. `plain`
are the same tests with the plugin, `marked` have @pytest.mark.energy, `inference` the fixture."""

_GOAL = 1.3
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


def measure(*, quick: bool, threads: int | None) -> list[Figure]:
    """Compare each suite with plain pytest."""
    pairs = 4 if quick else 10
    figures = []
    with tempfile.TemporaryDirectory(prefix="lem-overhead-") as scratch:
        folders = {name: _write(Path(scratch) / name, **how) for name, how in _SUITES.items()}
        plain = folders["plain"]
        for name, folder in folders.items():
            _collect(folder)  # writes the bytecode
            found = alternate(
                pairs, lambda: _collect(plain, *WITHOUT), lambda f=folder: _collect(f)
            )
            figures += _figures(name, found)
    return figures


def _write(folder: Path, mark: str, fixture: str) -> Path:
    folder.mkdir()
    (folder / "pytest.ini").write_text("[pytest]\n")
    tests = "".join(_TEST.format(mark=mark, fixture=fixture, number=n) for n in range(10))
    for number in range(10):
        (folder / f"test_{number}.py").write_text(f"import pytest\n\n{tests}")
    return folder


def _collect(folder: Path, *options: str) -> Cost:
    return cost(command("--collect-only", *options), folder)


def _figures(name: str, found: list[tuple[Cost, Cost]]) -> list[Figure]:
    goal = _GOAL if name == "marked" else None
    note = f"{min(a.cpu_s for a, _ in found):.2f} s without, {min(b.cpu_s for _, b in found):.2f} s"
    return [
        Figure(
            f"{name}: CPU seconds",
            "x plain",
            ratio((a.cpu_s, b.cpu_s) for a, b in found),
            at_most=goal,
            note=note,
        ),
        Figure(f"{name}: wall clock", "x plain", ratio((a.wall_s, b.wall_s) for a, b in found)),
    ]
