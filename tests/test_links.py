"""Every relative reference in a document leads to a file and a heading that exist."""

import re
import unicodedata
from functools import cache
from pathlib import Path

import pytest
from conftest import ROOT
from markdown_it import MarkdownIt
from markdown_it.token import Token

MADE = {".venv", "build", "target", "node_modules", ".pytest_cache"}
DOCUMENTS = sorted(path for path in ROOT.rglob("*.md") if not MADE & set(path.relative_to(ROOT).parts))


@cache
def tokens(document: Path) -> list[Token]:
    return MarkdownIt().enable("table").parse(document.read_text(encoding="utf-8"))


def links(document: Path) -> list[str]:
    inline = [child for token in tokens(document) for child in token.children or ()]
    found = [child.attrGet("href") or child.attrGet("src") for child in inline if child.type in ("link_open", "image")]
    return [str(link) for link in found if not re.match(r"\w+:", str(link))]


@cache
def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings: letters, digits, - and _ in lower case, with a number if one repeats."""
    found: dict[str, int] = {}
    for before, token in zip(tokens(document), tokens(document)[1:], strict=False):
        if before.type == "heading_open":
            text = "".join(child.content for child in token.children or ()).lower().replace(" ", "-")
            slug = "".join(c for c in text if c in "-_" or unicodedata.category(c)[0] in "LNM")
            found[slug] = found.get(slug, -1) + 1
    return {f"{slug}-{number}" if number else slug for slug, last in found.items() for number in range(last + 1)}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_leads_somewhere(document: Path) -> None:
    for link in links(document):
        path, _, anchor = link.partition("#")
        there = document.parent / path if path else document
        assert there.exists(), link
        assert not anchor or anchor in anchors(there), link


def test_every_document_is_linked_to() -> None:
    reached = {
        (document.parent / link.partition("#")[0]).resolve() for document in DOCUMENTS for link in links(document)
    }
    assert [path for path in DOCUMENTS if path not in reached] == []
