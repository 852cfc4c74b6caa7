"""The page in Chromium: nothing complains, tables and charts work, strange texts stay texts."""

import re

import fleet
import pytest

ROWS = "table.cases tbody tr:visible"
MODELS = "table.cases >> nth=0"


def names(page, table=MODELS):
    """Return the names of the cases in the order in which they stand."""
    return page.locator(f"{table} >> tbody th >> a").all_inner_texts()


def natural(name):
    """Return what sorts names as people do, 8 before 32."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def values(page, column):
    """Return the numbers behind a column of the models, None for unknown ones."""
    found = page.locator(f"{MODELS} >> tbody tr").all()
    raw = [row.locator("td").nth(column).get_attribute("data-value") for row in found]
    return [float(x) if x else None for x in raw]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("desktop", {}),
        ("dark", {"color_scheme": "dark"}),
        ("phone", {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
    ],
)
def test_the_page_is_drawn_whole(opened, all_drawn, picture, name, options):
    """At every width, light and dark: all charts, no complaint, nothing beyond the edge."""
    page = opened("#case-1", **options)
    assert all_drawn(page) >= 9
    page.evaluate("scrollTo(0, 0)")
    assert picture(page, name).stat().st_size > 50_000
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.title() == "Energy report of 20260120T030405-abcdef"


def test_dark_and_light_differ(opened, all_drawn):
    """The colours of the system are followed, also by charts, and also when they change."""
    page = opened()
    all_drawn(page)
    colours = "[getComputedStyle(document.body).backgroundColor, \
        document.querySelector('.chart .xtitle').style.fill]"
    light = page.evaluate(colours)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(
        "old => document.querySelector('.chart .xtitle').style.fill !== old", arg=light[1]
    )
    dark = page.evaluate(colours)
    assert light[0] != dark[0]


def test_a_click_sorts_and_another_one_turns(opened):
    """Unknown figures stay last in both directions, and the head says which way it is."""
    page = opened()
    head = page.locator(f"{MODELS} >> thead th", has_text="J/token")
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "ascending"
    up = values(page, 0)
    assert up[:-1] == sorted(up[:-1])
    assert up[-1] is None
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert values(page, 0) == [*reversed(up[:-1]), None]


def test_the_keyboard_is_enough(opened):
    """From the filter on, a key jumps to the heads of columns and one more sorts by names."""
    page = opened()
    page.locator("#filter").focus()
    page.keyboard.type("float8 b32")
    assert page.locator(ROWS).count() == 2
    assert page.locator("#count").inner_text() == "2 of 21 cases"
    for _ in range(3):  # the state, the table that scrolls, the first head
        page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "case"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.closest('th').ariaSort") == "ascending"
    assert names(page) == sorted(names(page), key=natural)


def test_the_filter_goes_over_all_tables(opened):
    """Words narrow down, the state does too, and together they can leave nothing."""
    page = opened()
    page.locator("#state").select_option("failed")
    assert page.locator(ROWS).count() == 1
    page.locator("#filter").fill("poisson")
    assert page.locator(ROWS).count() == 0
    page.locator("#state").select_option("")
    assert page.locator(ROWS).count() == 3
    page.locator("#filter").fill("")
    assert page.locator(ROWS).count() == 21


def test_strange_texts_are_shown_and_do_nothing(opened, all_drawn, picture):
    """Ids and output of a model with tags, quotes and marks that turn text stand there as text."""
    page = opened()
    link = page.locator("table.cases a", has_text="hacked")
    shown = fleet.NASTY.replace("\u202e", "[U+202E]")
    assert link.inner_text().replace("\u200b", "") == shown
    scripts = page.locator("script:not([type])").all_text_contents()
    assert not any("hacked" in script for script in scripts)
    assert page.locator("img").count() == 0
    page.goto(f"{page.url}#case-1")
    page.locator("#case-1 summary", has_text="What the model said").click()
    assert fleet.NASTY_TEXT in page.locator("#case-1 pre").nth(1).inner_text()
    all_drawn(page)
    picture(page, "case")
    assert page.title().startswith("Energy report of")


def test_a_link_opens_its_case(opened):
    """From a row of the table to all that is known, as often as it is clicked."""
    page = opened()
    link = page.locator("table.cases a", has_text="poisson-8").first
    anchor = link.get_attribute("href")
    for _ in range(2):
        page.locator(anchor).evaluate("details => { details.open = false; }")
        link.click()
        page.wait_for_function("id => document.querySelector(id).open", arg=anchor)


def test_the_peak_of_a_series_is_in_its_chart(opened, all_drawn):
    """One sample of 690 W in a minute is not lost by drawing fewer points."""
    page = opened("#case-1")
    all_drawn(page)
    highest = page.evaluate(
        "Math.max(...document.querySelector('#case-1 .plot').data"
        ".filter(t => !t.yaxis || t.yaxis === 'y').flatMap(t => t.y))"
    )
    assert highest == 690


def test_it_prints(opened, page_file, tmp_path):
    """The print has the tables, without what only a screen can use."""
    page = opened()
    page.emulate_media(media="print")
    assert not page.locator(".bar").is_visible()
    assert page.locator("table.cases").first.is_visible()
    path = tmp_path / "out.pdf"
    page.pdf(path=path)
    assert path.read_bytes().startswith(b"%PDF")
