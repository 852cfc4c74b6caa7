"""The charting library, whose script becomes part of the page."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from pytest_lem.errors import config_error


def charting_script() -> str:
    """Return the script of plotly.js as the Python package brings it.

    Raises LemError (`config`) where it is not installed. The package itself is not imported.
    """
    spec = find_spec("plotly")
    folders = (spec.submodule_search_locations if spec else None) or ()
    path = next(
        (p for f in folders if (p := Path(f, "package_data", "plotly.min.js")).exists()), None
    )
    if path is None:
        raise config_error(
            "the page draws its charts with plotly, which is not installed here; "
            "pip install 'pytest-lem[html]'"
        )
    script = path.read_text(encoding="utf-8")
    # In a page, these would end or change the element that the script stands in.
    return re.sub(r"<(?=/script|!--)", r"\\x3c", script, flags=re.IGNORECASE)
