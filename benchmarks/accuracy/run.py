"""Error against window length, on a simulated counter whose truth is known.

Each method measures the same work on a board of its own of the NVML stand-in from `tests/`: rest at
70 W, work at 500 W, rest again, a counter that ticks every 100 ms. Needs a C compiler, and the
package zeus for its row; without it the row is left out, and the output says so.

    tox run -e accuracy
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean

STANDIN = Path(__file__).resolve().parents[2] / "tests" / "standin"
WINDOWS_S = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
REST_W, WORK_W, TICK_S = 70.0, 500.0, 0.1
sys.path[:0] = [str(STANDIN)]


def main() -> int:
    """Run every method in a process of its own, at the same time, and print one table."""
    asked = _arguments()
    if asked.method is not None:
        print(json.dumps(_measure(asked.method, asked.repeats)))
        return 0
    from methods import METHODS
    from standin import Board, StandIn, build

    with tempfile.TemporaryDirectory() as folder:
        build(Path(folder))
        state = Path(folder, "boards")
        rng = random.Random(1)
        boards = [
            Board(
                uuid=f"GPU-{n}",
                idle_w=REST_W,
                tick_s=TICK_S,
                phase_s=rng.uniform(0, TICK_S),
                power_limit_w=700,
            )
            for n in range(len(METHODS))
        ]
        StandIn.create(state, boards)
        env = {
            **os.environ,
            "LD_LIBRARY_PATH": folder,
            "NVML_STANDIN": str(state),
            "XDG_CACHE_HOME": folder,
        }
        running = {name: _start(n, asked.repeats, env) for n, name in enumerate(METHODS)}
        found = {name: _answer(process) for name, process in running.items()}
    _print(found)
    return 0 if found["pytest-lem"] else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=10, help="windows of each length")
    parser.add_argument("--method", type=int, help=argparse.SUPPRESS)
    return parser.parse_args()


def _start(number: int, repeats: int, env: dict[str, str]) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, f"--method={number}", f"--repeats={repeats}"]
    return subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)


def _answer(process: subprocess.Popen[str]) -> dict[str, list[list[float | None]]]:
    out, _ = process.communicate()
    return json.loads(out.splitlines()[-1]) if process.returncode == 0 else {}


def _measure(number: int, repeats: int) -> dict[str, list[tuple[float, float | None]]]:
    """Return error and claim, as shares of the truth, for windows of each length."""
    import pynvml
    from methods import METHODS
    from standin import StandIn

    pynvml.nvmlInit()
    standin = StandIn.attach()
    method = list(METHODS.values())[number](number)
    rng = random.Random(number)

    def work_for(window_s: float) -> tuple[float, float]:
        start_s = time.monotonic()
        standin.set_power(number, WORK_W, start_s)
        time.sleep(window_s)
        end_s = time.monotonic()
        standin.set_power(number, REST_W, end_s)
        return start_s, end_s

    found: dict[str, list[tuple[float, float | None]]] = {}
    for window_s in WINDOWS_S:
        for _ in range(repeats):
            time.sleep(1.2 + rng.uniform(0, TICK_S))
            stamps: list[float] = []

            def work(seconds: float = window_s, kept: list[float] = stamps) -> tuple[float, float]:
                kept[:] = work_for(seconds)
                return kept[0], kept[1]

            value_j, claim_j = method(work)
            true_j = standin.true_energy_j(number, stamps[0], stamps[1])
            claim = None if claim_j is None else claim_j / true_j
            found.setdefault(str(window_s), []).append((value_j / true_j - 1, claim))
    return found


def _print(found: dict[str, dict[str, list[list[float | None]]]]) -> None:
    print(f"rest {REST_W:g} W, work {WORK_W:g} W, tick {TICK_S * 1000:g} ms; mean error (worst)\n")
    print(_row(["method", *(f"{w:g} s" for w in WINDOWS_S)]))
    print(_row(["---"] * (len(WINDOWS_S) + 1)))
    for name, windows in found.items():
        if not windows:
            print(f"{name} could not run; the lines above say why", file=sys.stderr)
            continue
        print(_row([name, *(_cell([e for e, _ in windows[str(w)]]) for w in WINDOWS_S)]))
    claims = [fmean(c for _, c in found["pytest-lem"][str(w)]) for w in WINDOWS_S]
    print(_row(["pytest-lem states ± (k = 2)", *(f"{100 * c:.2f} %" for c in claims)]))


def _cell(errors: Sequence[float]) -> str:
    worst = max(errors, key=abs)
    return f"{100 * fmean(errors):+.2f} % ({100 * worst:+.2f} %)"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    raise SystemExit(main())
