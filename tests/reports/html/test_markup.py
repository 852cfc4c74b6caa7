"""Whatever comes from outside is text in the page, and nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_lem.reports.html.markup import element, island, label, visible

NASTY = st.text(st.sampled_from("<>&\"'/!-scriptl\u202e\u2066\x00\x1b\ud800 \n=`;é"), max_size=60)


@given(NASTY)
def test_a_text_comes_back_as_it_was(text):
    """A parser finds one element with the text, its invisible characters named."""
    from html.parser import HTMLParser

    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: found.append((tag, dict(attrs)))
    parser.handle_data = found.append
    parser.feed(element("p", text, title=text))
    parser.close()
    (tag, attributes), *data = found
    assert (tag, attributes["title"]) == ("p", visible(text))
    assert "".join(data) == visible(text)


@given(NASTY)
def test_data_cannot_end_its_script(text):
    """What the page's script reads is what was given, and the element has no other `<`."""
    markup = island({text: [text]})
    inner = markup.removeprefix('<script type="application/json">').removesuffix("</script>")
    assert "<" not in inner
    assert json.loads(inner) == {text: [text]}


@given(NASTY)
def test_a_label_of_a_chart_has_no_tags(text):
    """The charting library reads tags in texts, so that there are none."""
    assert "<" not in label(text)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 漢", "plain é 漢"),
        ("a\u202eb", "a[U+202E]b"),
        ("\u2067x\u2069", "[U+2067]x[U+2069]"),
        ("bell\x07", "bell[U+0007]"),
        ("line\nand\ttab", "line\nand\ttab"),
        ("\ud800", "[U+D800]"),
    ],
)
def test_what_cannot_be_seen_is_named(text, shown):
    """Marks that turn the direction of text cannot hide what it says."""
    assert visible(text) == shown


def test_attributes_and_children_are_put_together():
    """True is an attribute without a value, None leaves out, markup is not escaped again."""
    inner = element("b", "1 < 2")
    made = element("td", inner, None, class_="x", data_value="3", hidden=True, title=None)
    assert made == '<td class="x" data-value="3" hidden><b>1 &lt; 2</b></td>'
    assert element("input", type="search") == '<input type="search">'


def test_numbers_that_json_has_not_are_refused():
    """A page that a browser cannot read is not written."""
    with pytest.raises(ValueError, match="not JSON compliant"):
        island({"x": float("nan")})
