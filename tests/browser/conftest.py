"""A page in a real browser: Chromium of the system, without a window."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import fleet

_NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add where pictures go."""
    parser.addoption("--screenshots", type=Path, help="keep pictures of the page in this folder")


@pytest.fixture(scope="session")
def chromium() -> Iterator[object]:
    """Return the browser; without one, say what to install, as a failure and not as a skip."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        pytest.fail(
            "there is no Chromium to test the page with; `apt install chromium` on Debian, or name "
            "one in the variable CHROMIUM",
            pytrace=False,
        )
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # As root, Chromium starts only without its sandbox; it opens nothing but our own file.
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run, a history and the page of both, by the command line."""
    folder = tmp_path_factory.mktemp("run")
    store = fleet.write_fleet(folder / "store")
    fleet.write_history(store)
    path = folder / "out.html"
    lem = Path(sys.executable).with_name("lem")  # of what is installed, not of the checkout
    command = [lem, "report", "latest", f"--store={store}", "--baseline=main", f"--html={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr  # a verdict fails
    assert "21 records" in done.stdout
    return path


@pytest.fixture(scope="session")
def nights_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write two runs, of which the second takes a tenth less, and the page of both."""
    folder = tmp_path_factory.mktemp("nights")
    for number, factor in ((20, 1.0), (21, 0.9)):
        fleet.write_fleet(folder / "store", seconds=20.0, factor=factor, number=number)
    path = folder / "out.html"
    runs = sorted(found.name for found in (folder / "store/runs").iterdir())
    lem = Path(sys.executable).with_name("lem")
    command = [lem, "report", *runs, f"--store={folder / 'store'}", f"--html={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "42 records" in done.stdout
    return path


@pytest.fixture(scope="session")
def steady_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a run of one and of several devices that change nothing, and its page."""
    folder = tmp_path_factory.mktemp("steady")
    store, path = fleet.write_steady(folder / "store"), folder / "out.html"
    lem = Path(sys.executable).with_name("lem")
    command = [lem, "report", "latest", f"--store={store}", f"--html={path}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture
def opened(chromium, page_file) -> Iterator[object]:
    """Return a function that opens the page; whatever the browser complains of fails the test."""
    complaints: list[str] = []
    contexts = []

    def open_page(anchor: str = "", file: Path = page_file, **options: object) -> object:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 900}, **options})
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda m: complaints.append(f"{m.type}: {m.text}"))
        page.on("pageerror", lambda error: complaints.append(f"error: {error}"))
        page.on("request", lambda r: complaints.append(r.url) if "http" in r.url[:4] else None)
        page.goto(f"{file.as_uri()}{anchor}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def picture(request: pytest.FixtureRequest, tmp_path: Path) -> object:
    """Return a function that keeps a picture of the whole page."""
    folder = request.config.getoption("--screenshots") or tmp_path

    def keep(page: object, name: str) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{name}.png"
        page.screenshot(path=path, full_page=True)
        return path

    return keep


@pytest.fixture
def all_drawn() -> object:
    """Return a function that brings every visible chart into sight, and waits until it is drawn."""

    def draw(page: object) -> int:
        for chart in page.locator("figure.chart:visible").all():
            chart.scroll_into_view_if_needed()
            chart.locator("svg.main-svg").first.wait_for()
        page.wait_for_function(
            "[...document.querySelectorAll('figure.chart')]"
            ".filter(f => f.checkVisibility()).every(f => f.dataset.drawn)"
        )
        return page.locator("figure[data-drawn]").count()

    return draw
