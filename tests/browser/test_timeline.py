"""The charts over time in Chromium: of few and many panels, of one device and of several."""

import re
from itertools import combinations

import fleet
import pytest

_NAMES = {
    "legend": ".legend",
    "seconds": ".xtitle",
    "a mark of the seconds": ".xtick text",
    "the lowest panel": ".draglayer > :last-child .nsewdrag",
    "the words below": ".words",
}


@pytest.fixture
def charts(opened, steady_file, all_drawn):
    """Return a function that opens the page at a width; it returns the charts of all cases."""

    def draw(width):
        page = opened("", steady_file, viewport={"width": width, "height": 900})
        page.evaluate("document.querySelectorAll('details.case').forEach(d => { d.open = true; })")
        all_drawn(page)
        found = page.locator("figure.chart").filter(has_text="Over time").all()
        assert len(found) == len(fleet.STEADY)
        return page, found

    return draw


def boxes(chart):
    """Return (name, box) of what must not lie over each other."""
    found = [(n, e.bounding_box()) for n, css in _NAMES.items() for e in chart.locator(css).all()]
    assert {name for name, _ in found} == set(_NAMES)
    return found


def is_over(one, other):
    """Tell whether boxes share more than half a pixel in both directions."""
    ends = (("x", "width"), ("y", "height"))
    return all(
        min(one[at] + one[size], other[at] + other[size]) - max(one[at], other[at]) > 0.5
        for at, size in ends
    )


def marks(chart):
    """Return the marks of each panel by its title."""
    titles = chart.locator("[class^=y][class$=title]").all()
    found = {}
    for title in titles:
        name = title.get_attribute("class").removesuffix("title")
        found[title.text_content()] = chart.locator(f".{name}tick").all_text_contents()
    return found


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_nothing_lies_over_another(charts, picture, width):
    """The legend has room below the title of the seconds, and takes none from the panels."""
    page, found = charts(width)
    picture(page, f"timeline-{width}")
    for chart, shape in zip(found, fleet.STEADY, strict=True):
        for (one, box), (other, its_box) in combinations(boxes(chart), 2):
            assert not is_over(box, its_box), (one, other, shape)
        panels = [panel.bounding_box()["height"] for panel in chart.locator(".nsewdrag").all()]
        assert min(panels) >= 90, shape


def test_a_chart_that_is_turned_is_drawn_anew(charts):
    """From a wide window to a narrow one, where the legend has more lines."""
    page, found = charts(1280)
    lines = found[-1].locator(".legend").bounding_box()["height"]
    page.set_viewport_size({"width": 390, "height": 900})
    page.wait_for_function(
        "([figure, lines]) => figure.querySelector('.legend').getBoundingClientRect().height"
        " > lines",
        arg=[found[-1].element_handle(), lines],
    )
    for (one, box), (other, its_box) in combinations(boxes(found[-1]), 2):
        assert not is_over(box, its_box), (one, other)


def test_the_legend_has_each_device_once(charts):
    """Also the machine, of which no power is known."""
    _, found = charts(1280)
    for chart, (boards, columns) in zip(found, fleet.STEADY, strict=True):
        names = [f"GPU-{n}{n}" for n in range(boards)] + ["machine"] * (columns == 5)
        assert chart.locator(".legend text").all_text_contents() == names


@pytest.mark.parametrize("width", [390, 1280])
def test_what_does_not_change_has_whole_marks(charts, width):
    """Of a clock that stays at 1980 MHz none says 1,980.5, and none says the same twice."""
    _, found = charts(width)
    for chart, (_, columns) in zip(found, fleet.STEADY, strict=True):
        shown = marks(chart)
        if columns == 5:
            assert shown.pop("in use") == ["0", "0.5", "1"]
            assert shown.pop("slowed down") == ["power_cap"]
            assert set(shown) == {"power, W", "°C", "SM clock, MHz", "CPU clock, MHz"}
        for title, texts in shown.items():
            assert all(re.fullmatch(r"\d+", text) for text in texts), (title, texts)
            assert len(set(texts)) == len(texts) >= 2, (title, texts)
