"""`--init`: a benchmark suite and its settings, for the backends and devices found here."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template
from textwrap import fill
from typing import Any

from pytest_lem.backends.demo import DEMO_MODEL
from pytest_lem.cli.doctor import backends, meters
from pytest_lem.config.models import CONFIG_VERSION, EnergySettings
from pytest_lem.energy.reading import TIERS, Tier

_TEMPLATES = Path(__file__).parent / "suite"
_COMMAND = "pytest benchmarks --lem-config=energy.yaml"
#: What suits a device: batch sizes, and precisions of which a backend takes the first it knows.
_ON_GPU = ([1, 8, 32], ("bfloat16", "float16", "float32"))
_ON_CPU = ([1, 8], ("float32", "bfloat16"))
#: Stands in the suite where no backend is installed.
_FALLBACK = "transformers"


def write_suite(folder: Path) -> int:
    """Write what is not there yet, and print what to run; return 1 if something failed, else 0."""
    _, found = meters.look()
    texts = suite(found, backends.look(is_quick=True).facts)
    for name, text in texts.items():
        try:
            is_new = _write(folder / name, text)
        except OSError as error:
            print(  # noqa: T201 - the output of a command
                f"{error.filename} cannot be written ({error.strerror}); name another folder: "
                "lem doctor --init DIR",
                file=sys.stderr,
            )
            return 1
        _say(f"wrote {name}" if is_new else f"{name} is there: left as is")
    steps = [] if folder == Path() else [f"cd {shlex.quote(str(folder))}"]
    steps += [
        f"{_COMMAND} --collect-only   # what would run",
        f"{_COMMAND} --lem-smoke      # does it run?",
        f"{_COMMAND}                  # the measurement",
    ]
    _say("run next:", *(f"  {step}" for step in steps))
    return 0


def suite(found: meters.Found, backend_facts: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return the text of each file, by its path within the folder."""
    has_gpu = "nvml" in found and found["nvml"].is_available
    batch_sizes, precisions = _ON_GPU if has_gpu else _ON_CPU
    sensors = {n: tier for n, tier in meters.sources(found).items() if tier is not Tier.ESTIMATED}
    return {
        "benchmarks/test_generate.py": _filled(
            "test_generate.py.txt",
            configurations="\n".join(_configurations(backend_facts, precisions)),
            batch_sizes=str(batch_sizes),
        ),
        "energy.yaml": _filled(
            "energy.yaml.txt",
            schema_version=CONFIG_VERSION,
            preset="standard" if sensors else "quick",
            model=DEMO_MODEL,
            energy="\n".join(_measured(found, sensors) if sensors else _estimated()),
        ),
    }


def _configurations(facts: Sequence[dict[str, Any]], wanted: Sequence[str]) -> list[str]:
    """Return a row for each backend that is installed, else one with what would install it."""
    installed = [fact for fact in facts if fact["installed"]]
    if installed:
        return [_row(fact, wanted) for fact in installed]
    missing = next(fact for fact in facts if fact["name"] == _FALLBACK)
    note = f"not installed yet: {missing['install']}"
    if missing["fault"]:
        note = "broken here, and `lem doctor` says why"
    return [f"    # {note}", _row(missing, wanted)]


def _row(fact: dict[str, Any], wanted: Sequence[str]) -> str:
    known = fact["precisions"] or wanted  # those of a broken one are unknown
    precision = next((name for name in wanted if name in known), known[0])
    return f"    ({json.dumps(fact['name'])}, {json.dumps(precision)}),"


def _measured(found: meters.Found, sensors: Mapping[str, Tier]) -> list[str]:
    tier = min(sensors.values(), key=TIERS.index)
    names = "; ".join(found[name].sentence for name in sensors)
    lines = [
        _comment(f"Found here: {names}. A case whose energy is unknown or of a worse tier fails."),
        f"  require_tier: {tier}",
    ]
    if "nvml" in sensors:
        lines.append(_comment("For a slice of a GPU (MIG) whose board nobody else uses:"))
        lines.append("  # own_board: true")
    return lines


def _estimated() -> list[str]:
    return [
        _comment(
            "No sensor was found here, so energy is estimated from CPU time: watts of one busy "
            "logical CPU, stated as -70 % to +70 %."
        ),
        f"  watts_per_cpu: {EnergySettings().watts_per_cpu}",
        _comment("On a machine with a sensor, this lets a case fail that is not measured:"),
        "  # require_tier: counter",
    ]


def _comment(sentence: str) -> str:
    return fill(sentence, 100, initial_indent="  # ", subsequent_indent="  # ")


def _filled(name: str, **values: str) -> str:
    return Template((_TEMPLATES / name).read_text(encoding="utf-8")).substitute(values)


def _write(path: Path, text: str) -> bool:
    """Write a file and return True; False if there is one already. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        return False
    return True


def _say(*lines: str) -> None:
    print(*lines, sep="\n")  # noqa: T201 - the output of a command
