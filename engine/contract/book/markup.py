"""The words of HTML and XML that come from outside.

The standard library's tolerant reader: it knows no entity definitions, so none can grow or fetch
anything, and it opens nothing.
"""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from html.parser import HTMLParser

_BLOCKS = frozenset(
    (
        *("address", "article", "aside", "blockquote", "body", "br", "caption", "dd", "div", "dl"),
        *("dt", "figcaption", "figure", "footer", "form", "h1", "h2", "h3", "h4", "h5", "h6"),
        *("header", "hr", "li", "main", "ol", "p", "pre", "section", "table", "td", "th", "tr"),
        "ul",
    )
)
_HEADINGS = ("h1", "h2", "h3")
# What is on the page but is not read: notes of readings beside characters are the eye's alone.
_UNREAD = frozenset(
    ("head", "script", "style", "rt", "rp", "svg", "math", "audio", "video", "template")
)
_CDATA = "<![CDATA["
_DECLARATIONS = {"<!--": "-->", _CDATA: "]]>", "<!": ">"}  # and their ends; the last fits all
_RUBY_PARTS = ("rt", "rp")
_NOTE = "noteref"


@dataclass
class MarkupText:
    """Paragraphs of a page, and its first heading, "" without one."""

    paragraphs: list[str] = field(default_factory=list)
    heading: str = ""


@dataclass(frozen=True)
class MarkupTag:
    """One start tag: its name without a prefix, its attributes, and the text up to the next tag."""

    name: str
    attributes: dict[str, str]
    text: str


def read_page(source: str) -> MarkupText:
    """Read the paragraphs of an HTML page."""
    reader = _PageReader()
    reader.feed(_without_declarations(source))
    reader.close()
    reader.end_paragraph()
    return reader.found


def read_tags(source: str) -> list[MarkupTag]:
    """Read all start tags of an XML file, in order."""
    reader = _TagReader()
    reader.feed(_without_declarations(source))
    reader.close()
    return [MarkupTag(name, values, "".join(text)) for name, values, text in reader.found]


def _without_declarations(source: str) -> str:
    """The source without comments and declarations; the text of CDATA sections stays.

    The reader fails at some of them, and looks for the end of each anew: of many that never end,
    for ever. Behind the last `>` no tag ends, for the same reason.
    """
    kept, at = [], 0
    while (begin := source.find("<!", at)) >= 0:
        kept.append(source[at:begin])
        start = next(one for one in _DECLARATIONS if source.startswith(one, begin))
        end = source.find(_DECLARATIONS[start], begin + len(start))
        if end < 0:
            source, at = "", 0
            break
        if start == _CDATA:
            kept.append(html.escape(source[begin + len(start) : end]))
        at = end + len(_DECLARATIONS[start])
    plain = "".join(kept) + source[at:]
    last = plain.rfind(">") + 1
    return plain[:last] + plain[last:].replace("<", " ")


class _PageReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found = MarkupText()
        self._unread: list[str] = []
        self._words: list[str] = []
        self._heading = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = tag.rpartition(":")[2]
        if name in _BLOCKS:
            self.end_paragraph()
        if name in _HEADINGS:
            self._heading = name
        if name == "a" and _NOTE in (dict(attrs).get("epub:type") or ""):
            self._unread.append(name)
        elif name in _UNREAD:
            if name in _RUBY_PARTS and self._unread and self._unread[-1] in _RUBY_PARTS:
                self._unread.pop()  # its end tag may be left out
            self._unread.append(name)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag.rpartition(":")[2] in _BLOCKS:
            self.end_paragraph()

    def handle_endtag(self, tag: str) -> None:
        name = tag.rpartition(":")[2]
        if name in _BLOCKS:
            self.end_paragraph()
        if name in self._unread:
            while self._unread.pop() != name:
                pass
        if name == "ruby":
            while self._unread and self._unread[-1] in _RUBY_PARTS:
                self._unread.pop()
        if name == self._heading:
            self._heading = ""

    def handle_data(self, data: str) -> None:
        if not self._unread:
            self._words.append(data)

    def end_paragraph(self) -> None:
        """Keep what was read since the last one."""
        text = " ".join("".join(self._words).split())
        self._words.clear()
        if not text:
            return
        self.found.paragraphs.append(text)
        if self._heading and not self.found.heading:
            self.found.heading = text


class _TagReader(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str], list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        name = tag.rpartition(":")[2]
        self.found.append((name, {key: value or "" for key, value in attrs}, []))

    def handle_data(self, data: str) -> None:
        if self.found:
            self.found[-1][2].append(data)
