"""The hooks that pytest finds. Thin, and free of cost until a test asks for energy."""

from __future__ import annotations

import time
from collections.abc import Generator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_lem.plugin.options import add_options, given, is_any_given

if TYPE_CHECKING:
    from pytest_lem.plugin.collector import Collector
    from pytest_lem.plugin.energy import Energy
    from pytest_lem.plugin.inference import Inference

_MARKER = (
    "energy(work=1, unit='unit', name=None, max_joules=None, max_joules_per_unit=None, "
    "rounds=None, min_window=None, fail_on=None, promise=None, slo=None): measure the energy of "
    "this test. "
    "Without the fixtures `energy` and `inference` the body of the test is the work, run once "
    "unless `rounds` or `min_window` (seconds) repeat it; with `benchmark` of pytest-benchmark it "
    "is what that is given."
)
_FIXTURES = frozenset({"energy", "inference"})
_BENCHMARK, _BENCHMARK_HOME = "benchmark", "pytest_benchmark.plugin"
_USAGE_ERROR = "lem_usage_error"
#: What a baseline has for the tests of this run; workers of pytest-xdist tell it the controller.
EXPECTED = "lem_expected"
EXPECTED_KEY = pytest.StashKey[list[str]]()
#: Tests that ask for energy, are over and have measured nothing, which a report says by this name.
LEFT_OUT = "lem_left_out"
LEFT_OUT_KEY = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--lem` and `--lem-*`."""
    add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that others may implement."""
    from pytest_lem.plugin import hookspecs

    pluginmanager.add_hookspecs(hookspecs)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker; check the settings at once where any were given."""
    config.addinivalue_line("markers", _MARKER)
    if is_any_given(config):
        from pytest_lem.plugin.settings import check_settings

        check_settings(config)
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Receiver(config), "lem-receiver")
        if given(config, "report"):
            from pytest_lem.plugin.reporting import Reporting

            config.pluginmanager.register(Reporting(config), "lem-reporting")


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before marks are turned into parameters
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None]:
    """Let values of the command line, or of a sweep, take the place of those in `parametrize`."""
    if not uses_ours(metafunc.definition, "inference"):
        result = yield
    else:
        from pytest_lem.plugin.parametrize import Axes

        axes = Axes(metafunc)
        axes.intercept()
        result = yield
        axes.fill_in()
    if asks_for_energy(metafunc.definition):
        from pytest_lem.plugin.cycles import parametrize

        parametrize(metafunc)
    return result


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before and after others deselect
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None]:
    """Prepare the session if any test asks for energy."""
    collected = list(items)
    result = yield
    _prepare(config, items, collected)
    return result


def _prepare(config: pytest.Config, items: list[pytest.Item], collected: list[pytest.Item]) -> None:
    asking = [item for item in items if asks_for_energy(item)]
    mode = given(config, "mode")
    if asking or (mode and mode.value == "only"):
        from pytest_lem.plugin.collection import prepare

        try:
            prepare(config, items, asking, collected)
        except pytest.UsageError as error:
            if hasattr(config, "workeroutput"):
                config.workeroutput[_USAGE_ERROR] = str(error)
            raise


def asks_for_energy(item: pytest.Item) -> bool:
    """Tell whether a test has the marker, or uses what makes it one that is measured."""
    if item.get_closest_marker("energy") is not None or uses_any_of_ours(item):
        return True
    wanted = given(item.config, "benchmark") if uses_benchmark(item) else None
    return wanted is not None and wanted.value is True


def uses_benchmark(item: pytest.Item) -> bool:
    """Tell whether a test uses the fixture `benchmark` of pytest-benchmark."""
    return _uses_fixture_of(item, _BENCHMARK, _BENCHMARK_HOME)


def uses_any_of_ours(item: pytest.Item) -> bool:
    """Tell whether a test uses one of our fixtures, by itself or through others."""
    names = _FIXTURES.intersection(getattr(item, "fixturenames", ()))
    return any(uses_ours(item, name) for name in names)


def uses_ours(item: pytest.Item, name: str) -> bool:
    """Tell whether a test uses our fixture of a name, and not somebody else's of that name."""
    return _uses_fixture_of(item, name, __name__)


def _uses_fixture_of(item: pytest.Item, name: str, module: str) -> bool:
    # No public name tells which fixture stands behind an argument.
    info = getattr(item, "_fixtureinfo", None)
    for fixture in reversed(info.name2fixturedefs.get(name, ()) if info else ()):
        if fixture.func.__module__ == module:
            return name in getattr(item, "fixturenames", ())
        if name not in fixture.argnames:
            return False
    return False


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist
def pytest_configure_node(node: Any) -> None:
    """Tell each worker the directory of the run, so that all write to one."""
    from pytest_lem.plugin.rundir import run_directory

    node.workerinput["lem_run_directory"] = str(run_directory(node.config))


@pytest.hookimpl(optionalhook=True)  # of pytest-xdist, which does not show what ended a collection
def pytest_testnodedown(node: Any) -> None:
    """Say in the controlling process what a worker has refused to run."""
    output = getattr(node, "workeroutput", {})
    if sentence := output.get(_USAGE_ERROR):
        raise pytest.UsageError(sentence)
    if (expected := output.get(EXPECTED)) is not None:
        node.config.stash[EXPECTED_KEY] = expected


@pytest.fixture
def lem_cycle(request: pytest.FixtureRequest) -> int:
    """Return the cycle in which a test runs; parametrized by `--lem-cycles`."""
    return getattr(request, "param", 1)


@pytest.fixture
def energy(request: pytest.FixtureRequest) -> Energy:
    """Measure callables, coroutines and stretches of a test; see `pytest_lem.Energy`."""
    from pytest_lem.plugin.energy import Energy

    return Energy(request.node)


@pytest.fixture
def inference(request: pytest.FixtureRequest) -> Inference:
    """Measure a language model; see `pytest_lem.Inference`."""
    from pytest_lem.plugin.inference import Inference

    return Inference(request.node)


class _Receiver:
    """Waits, in the controlling process, for the first record, and then wakes the collector."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._started = (time.time(), time.monotonic())

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Hand on what a test measured."""
        if content := getattr(report, "lem", None):
            self._collector().receive(content, report)
        elif getattr(report, LEFT_OUT, False):
            self._config.stash.setdefault(LEFT_OUT_KEY, set()).add(report.nodeid)

    @pytest.hookimpl(trylast=True)  # after the measuring side has said what it was asked for
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Have the run file written, and judged what has to be there."""
        has_asked = EXPECTED_KEY in self._config.stash
        if not (self._is_awake() or has_asked or self._is_wanted()):
            return
        is_well = self._collector().finish(int(session.exitstatus or exitstatus))
        if not is_well and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Have the table printed."""
        if self._is_awake():
            self._collector().summarise(terminalreporter)

    def _is_wanted(self) -> bool:
        """Tell whether something was asked for that does not wait for a first record."""
        if given(self._config, "json") is not None:
            return True
        typed = [f for name in ("baseline", "report") if (f := given(self._config, name))]
        is_asked = any(not found.origin.startswith("lem_") for found in typed)
        return is_asked and not self._config.option.collectonly

    def _collector(self) -> Collector:
        from pytest_lem.plugin.collector import collector_of

        return collector_of(self._config, self._started)

    def _is_awake(self) -> bool:
        return self._config.pluginmanager.hasplugin("lem-collector")
