"""How Sphinx builds the site from the pages in this folder: `tox run -e docs`.

The pages are read on a code host as well, so their links are relative. What lies outside of this
folder is no part of the site: such a link leads to `LEM_DOCS_REPOSITORY` (the address of the
files, such as https://host/owner/name/blob/main) if that is set, else its words stand alone.
"""

from __future__ import annotations

import os
import re
from importlib.metadata import version as version_of
from pathlib import Path

from sphinx.application import Sphinx
from sphinx.util import logging

project = "pytest-lem"
copyright = "the authors of pytest-lem, Apache-2.0"  # noqa: A001 - Sphinx's name
release = version = version_of("pytest-lem")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
exclude_patterns = ["_build"]
highlight_language = "none"  # a block without a language is output

myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_default_options = {"members": True, "undoc-members": False}
napoleon_use_ivar = True
default_role = "literal"  # docstrings have code between single backticks
nitpick_ignore_regex = [("py:.*", r"(collections|pathlib|pytest_lem\.flags)\b.*")]

html_theme = "furo"
html_title = "pytest-lem"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["site.css"]

copybutton_exclude = ".linenos, .gp, .go"
copybutton_selector = "div:not(.highlight-none) > div.highlight > pre"

#: A link whose words are its file's name, which readers of a site do not know: they get the title.
_BY_NAME = re.compile(r"\[[\w-]+\.md\]\(([\w-]+\.md)\)")
_OUTSIDE = re.compile(r"\[([^\]]+)\]\((?:\.\./)([^)\s]+)\)")


def _turn_links(app: Sphinx, name: str, source: list[str]) -> None:
    """Turn links that are meant for a code host into what they are on the site."""
    root = Path(app.srcdir).parent
    address = os.environ.get("LEM_DOCS_REPOSITORY", "").rstrip("/")

    def turned(match: re.Match[str]) -> str:
        words, path = match.groups()
        if not (root / path).exists():
            logging.getLogger(__name__).warning("there is no %s", path, location=name)
        return f"[{words}]({address}/{path})" if address else words

    source[0] = _BY_NAME.sub(r"[](\1)", _OUTSIDE.sub(turned, source[0]))


def setup(app: Sphinx) -> None:
    """Register what this file adds."""
    app.connect("source-read", _turn_links)
