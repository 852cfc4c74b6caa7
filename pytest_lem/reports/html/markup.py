"""HTML out of plain text: whatever was not made here is escaped."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterable
from html import escape
from typing import Any

from pytest_lem.reports.spelling import TURNING

#: Categories of characters that show nothing: controls, lone surrogates, separators of lines.
_UNSEEN = frozenset({"Cc", "Cs", "Zl", "Zp"})
_VOID = frozenset({"input", "meta"})


class Markup(str):
    """Text that is HTML already; only functions of this module make it from anything else."""

    __slots__ = ()


def visible(text: str) -> str:
    """Return a text in which controls, and marks that turn its direction, show as `[U+202E]`."""
    if text.isprintable() and text.isascii():
        return text
    return "".join(f"[U+{ord(c):04X}]" if _is_unseen(c) else c for c in text)


def element(name: str, *children: str | None, **attributes: str | bool | None) -> Markup:
    """Return an element. Children are escaped unless they are `Markup`; None is left out.

    In names of attributes `_` stands for a dash, and one at the end for nothing (`class_`). True
    is an attribute without a value; None and False are left out.
    """
    head = name + "".join(_attribute(*pair) for pair in attributes.items())
    if name in _VOID:
        return Markup(f"<{head}>")
    return Markup(f"<{head}>{joined(children)}</{name}>")


def joined(children: Iterable[str | None]) -> Markup:
    """Return children one after the other."""
    return Markup("".join(_child(child) for child in children if child is not None))


def path_like(text: str) -> Markup:
    """Return a name that may be broken after a slash, isolated from the text around it."""
    return element("bdi", Markup("/<wbr>".join(_child(part) for part in text.split("/"))))


def island(data: Any, **attributes: str) -> Markup:
    """Return plain data in the page, for its script; nothing in it can end the element."""
    text = json.dumps(data, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return element("script", Markup(text), type="application/json", **attributes)


def label(text: str) -> str:
    """Return a text for a chart, whose library reads tags and entities in texts."""
    return escape(visible(text), quote=False)


def _child(child: str) -> str:
    return child if isinstance(child, Markup) else escape(visible(child))


def _attribute(name: str, value: str | bool | None) -> str:
    if value is None or value is False:
        return ""
    shown = name.rstrip("_").replace("_", "-")
    return f" {shown}" if value is True else f' {shown}="{escape(visible(value))}"'


def _is_unseen(character: str) -> bool:
    if character in "\n\t":
        return False
    return character in TURNING or unicodedata.category(character) in _UNSEEN
