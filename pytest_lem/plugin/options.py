"""The options, each with its command line, its variable and its ini entry.

Precedence: command line, then environment, then ini. Every default is None, so that the order
can be told. Imported at every start of pytest: the standard library only.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import pytest


class Option(NamedTuple):
    """One option. `path` is the setting that it stands for, if it stands for one."""

    name: str
    help: str
    metavar: str | None = None
    path: tuple[str, ...] = ()
    is_repeatable: bool = False
    is_switch: bool = False
    choices: tuple[str, ...] | None = None

    @property
    def flag(self) -> str:
        """Return the option on the command line; the mode itself is plain `--lem`."""
        return "--lem" if self.name == "mode" else "--lem-" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """Return the environment variable."""
        return f"LEM_{self.name.upper()}"

    @property
    def ini(self) -> str:
        """Return the ini entry."""
        return f"lem_{self.name}"


class Given(NamedTuple):
    """A value that somebody gave, and how."""

    value: Any
    origin: str


MODES = ("on", "off", "only")

OPTIONS = (
    Option("mode", "Measure (on), run once without measuring (off), energy tests alone (only)",
           choices=MODES),
    Option("backend", "Inference libraries, comma-separated", "NAMES", ("backend",)),
    Option("model", "Models, comma-separated: Hugging Face ids, directories, or the demo model",
           "NAMES", ("model",)),
    Option("batch_size", "Batch sizes, comma-separated", "NUMBERS", ("batch_size",)),
    Option("precision", "Precisions, comma-separated", "NAMES", ("precision",)),
    Option("config", "YAML file with settings", "FILE"),
    Option("sweep", "YAML file with a `grid:` of settings that vary", "FILE"),
    Option("preset", "Preset: smoke, quick, standard, rigorous, latency, throughput", "NAME",
           ("preset",)),
    Option("smoke", "Short for --lem-preset=smoke", is_switch=True),
    Option("set", "One setting, such as measure.rounds=5 (repeatable)", "PATH=VALUE",
           is_repeatable=True),
    Option("meter", "Meters, comma-separated; auto takes the best there is", "NAMES",
           ("energy", "meters")),
    Option("require_tier", "Fail cases whose energy is of a worse tier: counter, power, estimated",
           "TIER", ("energy", "require_tier")),
    Option("order", "Order of tests that measure models: grouped by load, interleaved, shuffled",
           "ORDER", ("order",)),
    Option("isolation", "load: one host for the cases that share a load; case: a fresh process for "
           "each, with the model's files out of the page cache", "MODE", ("measure", "isolation")),
    Option("examples", "How many examples of each option benchmarks/smoke tries: all, one", "MANY"),
    Option("gap", "Rest before each energy test, in seconds", "SECONDS", ("measure", "gap_s")),
    Option("cycles", "Measure each case so many times, each with a host of its own", "N",
           ("cycles",)),
    Option("benchmark", "Measure what every test gives to the fixture `benchmark` of "
           "pytest-benchmark, after its own rounds", is_switch=True),
    Option("resume", "Take what the latest run in the store has measured already",
           path=("resume",), is_switch=True),
    Option("ab", "Compare two values of a setting in one job, both measured by turns within each "
           "test: backend:transformers,vllm, precision:bfloat16,float32, llama_cpp.n_threads:1,2",
           "FIELD:A,B"),
    Option("ab_env", "Compare two environments in one job: virtual environments or interpreters, "
           "under which the hosts of either side run", "PATH_A,PATH_B"),
    Option("baseline", "Compare with a history: a name in the store, or the path of sessions or of "
           "a run file", "NAME|PATH", ("gate", "baseline")),
    Option("fail_on", "Gate a figure (repeatable): how much worse than the baseline is allowed; "
           "the gate fails when it is confident that it is worse than that",
           "METRIC:PCT[+ABS]", ("gate", "fail_on"), is_repeatable=True),
    Option("promise", "A change in per cent that the gate undertakes to find (10)", "PCT",
           ("gate", "promise_pct")),
    Option("under_test", "Fields that are meant to differ from the baseline, comma-separated, such "
           "as backend.version", "FIELDS", ("gate", "under_test")),
    Option("save", "Add this run to the history of that name", "NAME", ("gate", "save")),
    Option("autosave", "Add this run to the history it is compared with, else to that of the git "
           "branch", path=("gate", "autosave"), is_switch=True),
    Option("json", "Write the run file here", "FILE"),
    Option("report", "Write a report when the session is over (repeatable), by a name that `lem "
           "report --format` takes: md:report.md, html:report.html", "NAME:PATH",
           is_repeatable=True),
    Option("store", "Directory for runs and baselines (default: .lem)", "DIR"),
)  # fmt: skip

#: The options whose values parametrize tests that ask for their name.
AXES = ("backend", "model", "precision", "batch_size")
#: Those of them that decide which host process a test needs.
LOAD_AXES = ("backend", "model", "precision")

#: Those that compare two sides with each other.
CONTESTS = ("ab", "ab_env")

_BY_NAME = {option.name: option for option in OPTIONS}
#: Words for a switch in a variable or an ini entry; any other is a mistake.
_SWITCH = {
    **dict.fromkeys(("1", "true", "yes", "on"), True),
    **dict.fromkeys(("0", "false", "no", "off"), False),
}


def add_options(parser: pytest.Parser) -> None:
    """Register every option with its ini entry."""
    group = parser.getgroup("lem", "energy of language models (pytest-lem)")
    for option in OPTIONS:
        arguments: dict[str, Any] = {"dest": option.ini, "default": None, "help": option.help}
        if option.is_switch:
            arguments["action"] = "store_true"
        else:
            arguments["action"] = "append" if option.is_repeatable else "store"
            arguments["metavar"] = option.metavar
            arguments["choices"] = option.choices
        group.addoption(option.flag, **arguments)
        kind: Any = "linelist" if option.is_repeatable else "string"
        parser.addini(option.ini, f"{option.help} (ini form of {option.flag})", type=kind)
    parser.addini("verbosity_lem", "Verbosity of energy reports; auto follows -q and -v",
                  default="auto")  # fmt: skip


def given(config: pytest.Config, name: str) -> Given | None:
    """Return what was given for an option, by the order of precedence, or None."""
    option = _BY_NAME[name]
    value = getattr(config.option, option.ini, None)
    if value is not None:
        return Given(value, option.flag)
    if text := os.environ.get(option.variable):
        return Given(_from_text(option, text), option.variable)
    if entry := config.getini(option.ini):
        return Given(entry if option.is_repeatable else _from_text(option, entry), option.ini)
    return None


def has_contest(config: pytest.Config) -> bool:
    """Tell whether two sides are compared with each other."""
    return any(given(config, name) for name in CONTESTS)


def is_any_given(config: pytest.Config) -> bool:
    """Tell whether an option that must be valid was given, so that mistakes show at once."""
    return any(given(config, option.name) for option in OPTIONS)


def _from_text(option: Option, text: str) -> Any:
    if option.is_switch:
        return _SWITCH.get(text.lower(), text)
    return text.split() if option.is_repeatable else text


def words(text: str) -> list[str]:
    """Split a comma list."""
    return [word.strip() for word in text.split(",") if word.strip()]
