"""The page of several runs in Chromium."""

import pytest

ROWS = "table.cases tbody tr:visible"


@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_of_two_runs_is_drawn_whole(opened, nights_file, all_drawn, picture, width):
    """Every chart, also the folded ones of cases over the runs, and nothing beyond the edge."""
    page = opened("#case-1", nights_file, viewport={"width": width, "height": 900})
    for summary in page.locator("details.history > summary").all():
        summary.click()
    assert page.locator("details.history").count() == 19
    assert all_drawn(page) >= 24
    page.evaluate("scrollTo(0, 0)")
    assert picture(page, f"runs-{width}").stat().st_size > 50_000
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_the_filter_chooses_a_run(opened, nights_file):
    """The name of the run is a word in its rows."""
    page = opened("", nights_file)
    assert page.locator(ROWS).count() == 42
    page.locator("#filter").fill("20260121T030405-abcdef")
    assert page.locator(ROWS).count() == 21


def test_a_column_sorts_by_run(opened, nights_file):
    """As by any other text."""
    page = opened("", nights_file)
    table = "table.cases >> nth=0"
    head = page.locator(f"{table} >> thead th", has_text="run").first
    head.get_by_role("button").click()
    runs = page.locator(f"{table} >> tbody tr >> td:nth-child(2)").all_inner_texts()
    assert runs == sorted(runs)
    assert len(set(runs)) == 2
