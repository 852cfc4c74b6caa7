"""The pages that people read, and the code blocks in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_MARKDOWN = MarkdownIt("commonmark").enable("table")
#: The first line of a block may say in which file it is to be saved.
_NAMED = re.compile(r"# ([\w./-]+\.[a-z]+)(?:$|:)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Block:
    """A code block: where it stands, the language that it says it is of, and its text."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def where(self) -> str:
        """Return page and line, as an editor takes them."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """Return the name under which a reader saves it, if it has one."""
        found = _NAMED.match(self.text)
        return found[1] if found else None


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order; one that is only indented has no language."""
    tokens = _MARKDOWN.parse(page.read_text(encoding="utf-8"))
    return [
        Block(page, token.map[0] + 1, token.info.strip(), token.content)
        for token in tokens
        if token.type in {"fence", "code_block"} and token.map
    ]


def links_of(page: Path) -> list[str]:
    """Return where the links of a page lead to."""
    tokens = _MARKDOWN.parse(page.read_text(encoding="utf-8"))
    children = [child for token in tokens for child in token.children or []]
    return [str(child.attrs["href"]) for child in children if child.type == "link_open"]


def anchors_of(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as code hosts make them."""
    tokens = _MARKDOWN.parse(page.read_text(encoding="utf-8"))
    headings = [text.content for head, text in pairwise(tokens) if head.type == "heading_open"]
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


ALL = [block for page in PAGES for block in blocks_of(page)]


def of(*languages: str) -> list[Block]:
    """Return the blocks of all pages in one of these languages."""
    return [block for block in ALL if block.language in languages]
