"""An EPUB: a zip of pages and of lists that say in which order they are read.

Nothing of it is written to the disk; a name in it is only ever looked up among its own members.
"""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from sovdeck.engine.contract.book.chapters import RawChapter
from sovdeck.engine.contract.book.decode_text import decode_markup
from sovdeck.engine.contract.book.markup import MarkupTag, read_page, read_tags
from sovdeck.engine.contract.problem import ExitCode, Problem

MAX_MEMBERS = 20_000
MAX_PAGE_BYTES = 8 << 20  # of one member, unpacked
MAX_TEXT_BYTES = 64 << 20  # of all pages, unpacked
_CONTAINER = "META-INF/container.xml"
_ENCRYPTION = "META-INF/encryption.xml"
_PAGE_TYPES = ("application/xhtml+xml", "text/html", "application/xml", "text/x-oeb1-document")
_ENCRYPTED = 0x1  # of a member's flags


def read_epub(path: Path) -> tuple[str, list[RawChapter]]:
    """The title and the chapters of an EPUB, one a page with words; Problem when it is none."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _EpubReader(archive, path.name).read()
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError) as error:
        raise _broken(path.name, str(error) or type(error).__name__) from error


def _broken(file: str, why: str) -> Problem:
    return Problem("engine.book.broken", ExitCode.DATA, file=file, why=why[:160])


class _EpubReader:
    def __init__(self, archive: zipfile.ZipFile, file: str) -> None:
        self._archive = archive
        self._file = file
        self._bytes_left = MAX_TEXT_BYTES
        if len(archive.namelist()) > MAX_MEMBERS:
            raise _broken(file, f"more than {MAX_MEMBERS} members")
        self._names = set(archive.namelist())
        self._name_of_small = {name.lower(): name for name in archive.namelist()}
        if any(member.flag_bits & _ENCRYPTED for member in archive.infolist()):
            raise self._protected()

    def read(self) -> tuple[str, list[RawChapter]]:
        """Read what the package lists, in its order."""
        package = self._find_package()
        folder = posixpath.dirname(package)
        tags = read_tags(self._text(package))
        items = {tag.attributes.get("id", ""): tag for tag in tags if tag.name == "item"}
        spine = [tag.attributes.get("idref", "") for tag in tags if tag.name == "itemref"]
        contents = [key for key, item in items.items() if "nav" in _properties(item)]
        # Without a list of what is read, all pages in their order, but the table of contents.
        order = spine or [key for key in items if key not in contents]
        pages = [
            self._inside(folder, items[one].attributes.get("href", ""))
            for one in order
            if one in items and items[one].attributes.get("media-type", "").lower() in _PAGE_TYPES
        ]
        self._refuse_protected(pages)
        titles = self._titles(folder, items, tags)
        chapters = []
        for name in dict.fromkeys(pages):
            if name in self._names:
                page = read_page(self._text(name))
                title = titles.get(name) or page.heading
                chapters.append(RawChapter(title, tuple(page.paragraphs)))
        named = [tag.text.strip() for tag in tags if tag.name == "title" and tag.text.strip()]
        return (named[0] if named else ""), chapters

    def _find_package(self) -> str:
        if _CONTAINER not in self._names:
            raise _broken(self._file, f"{_CONTAINER} is missing")
        for tag in read_tags(self._text(_CONTAINER)):
            name = self._inside("", tag.attributes.get("full-path", ""))
            if tag.name == "rootfile" and name in self._names:
                return name
        raise _broken(self._file, "it names no package of its own")

    def _refuse_protected(self, pages: list[str]) -> None:
        if _ENCRYPTION not in self._names:
            return
        for tag in read_tags(self._text(_ENCRYPTION)):
            if self._inside("", tag.attributes.get("uri", "")) in pages:
                raise self._protected()

    def _protected(self) -> Problem:
        return Problem("engine.book.protected", ExitCode.DATA, file=self._file)

    def _titles(
        self, folder: str, items: dict[str, MarkupTag], tags: list[MarkupTag]
    ) -> dict[str, str]:
        """Titles of pages by the table of contents: EPUB 3's page, else EPUB 2's list."""
        ncx = {tag.attributes.get("toc", "") for tag in tags if tag.name == "spine"}
        for key, item in items.items():
            if "nav" not in _properties(item) and key not in ncx:
                continue
            name = self._inside(folder, item.attributes.get("href", ""))
            if name in self._names:
                found = self._titles_of(name)
                if found:
                    return found
        return {}

    def _titles_of(self, contents: str) -> dict[str, str]:
        titles: dict[str, str] = {}
        words: list[str] = []
        target = ""
        for tag in read_tags(self._text(contents)):
            if tag.name in ("navpoint", "a"):
                words, target = [], tag.attributes.get("href", "")
            if tag.name == "content":  # of an EPUB 2 list, behind the words
                target = tag.attributes.get("src", "")
            if tag.text.strip():
                words.append(tag.text)
            if target and words:
                page = self._inside(posixpath.dirname(contents), target)
                titles.setdefault(page, " ".join(" ".join(words).split()))
                words, target = [], ""
        return titles

    def _inside(self, folder: str, reference: str) -> str:
        """The member that a reference means; a name that leaves the archive is none of it."""
        path = unquote(reference.partition("#")[0])
        if not path:
            return ""
        name = posixpath.normpath(posixpath.join(folder, path)).lstrip("/")
        # Programs that do not tell capitals apart write them as they like.
        return name if name in self._names else self._name_of_small.get(name.lower(), name)

    def _text(self, name: str) -> str:
        limit = min(MAX_PAGE_BYTES, self._bytes_left)
        with self._archive.open(name) as member:
            data = member.read(limit + 1)
        if len(data) > limit:
            raise Problem(
                "engine.book.too_large",
                ExitCode.DATA,
                file=f"{self._file}: {name[:80]}",
                most=limit >> 20,
            )
        self._bytes_left -= len(data)
        return decode_markup(data)


def _properties(item: MarkupTag) -> list[str]:
    return item.attributes.get("properties", "").split()
