"""Books from anywhere: chapters and sentences of the right words, and no file that can harm."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from sovdeck.engine.contract.book import epub, read_book
from sovdeck.engine.contract.book.chapters import Book
from sovdeck.engine.contract.book.markup import read_page, read_tags
from sovdeck.engine.contract.book.sentences import LONGEST, cut_sentences
from sovdeck.engine.contract.problem import Problem

Write = Callable[[str, str | bytes], Book]
CONTAINER = (
    '<?xml version="1.0"?><container><rootfiles>'
    '<rootfile full-path="OEBPS/book.opf" media-type="application/oebps-package+xml"/>'
    "</rootfiles></container>"
)
PACKAGE = """<?xml version="1.0"?>
<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/">
<metadata><dc:title>The Storm</dc:title></metadata>
<manifest>
<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>
<item id="a" href="text/one.xhtml" media-type="application/xhtml+xml"/>
<item id="b" href="text/two%20b.xhtml" media-type="application/xhtml+xml"/>
<item id="out" href="../../../etc/passwd" media-type="application/xhtml+xml"/>
<item id="pic" href="cover.jpg" media-type="image/jpeg"/>
</manifest>
<spine toc="ncx"><itemref idref="pic"/><itemref idref="a"/><itemref idref="out"/>
<itemref idref="b"/></spine></package>"""
NAV = '<nav><ol><li><a href="text/one.xhtml#x">Wind &amp; rain</a></li></ol></nav>'
ONE = (
    '<?xml version="1.0"?><!DOCTYPE html><html><head><title>no</title><style>p{}</style></head>'
    "<body><h1>One</h1><p>It rained&nbsp;<b>all</b> day<a epub:type='noteref'>12</a>.</p>"
    "<p><ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>字です。</p><script>alert(1)</script></body></html>"
)
TWO = "<html><body><h2>Second day</h2><p>Then the sun came out.<br/>All was well.</p></body></html>"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """write(name, content) -> the book that the file is read as."""

    def make(name: str, content: str | bytes) -> Book:
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return read_book.read_book(path)

    return make


def words(book: Book) -> list[list[str]]:
    return [[one.text for one in chapter.sentences] for chapter in book.chapters]


def make_epub(path: Path, **members: str | bytes) -> Path:
    """An EPUB of two pages; a member given as `None` is left out."""
    whole: dict[str, str | bytes] = {
        "META-INF/container.xml": CONTAINER,
        "OEBPS/book.opf": PACKAGE,
        "OEBPS/nav.xhtml": NAV,
        "OEBPS/text/one.xhtml": ONE,
        "OEBPS/text/two b.xhtml": TWO,
        **members,
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in whole.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize(
    ("paragraph", "sentences"),
    [
        ('"Who?" he said. Mr. Smith came.', ['"Who?" he said.', "Mr. Smith came."]),
        ("It cost 3.15 euros at J. R. Brown's shop.", 1),
        ("他说：“你好！”然后走了。今天天气不错……我们去散步吧。", 3),
        ("おはようございます。散歩に行きましょう。", 2),
        ("Yes. No! Never again, he thought.", ["Yes. No! Never again, he thought."]),
        ("* * *", []),
        ("", []),
        ("She ran… and ran on and on.", 1),
        ("Wait... What was that noise?", ["Wait... What was that noise?"]),
    ],
)
def test_sentences_end_where_people_end_them(paragraph: str, sentences: int | list[str]) -> None:
    found = cut_sentences(paragraph)
    assert (len(found) if isinstance(sentences, int) else found) == sentences
    assert "".join(found).replace(" ", "") == paragraph.replace(" ", "") or not found


def test_no_sentence_is_longer_than_the_model_takes_and_no_word_is_lost() -> None:
    for text in ("word " * 400, "字" * 1000, "ein Wort, " * 200):
        found = cut_sentences(text)
        assert max(map(len, found)) <= LONGEST and len(found) > 1
        assert "".join(found).replace(" ", "") == text.replace(" ", "")


def test_a_text_has_chapters_by_its_headings(write: Write) -> None:
    book = write(
        "storm.txt",
        "Foreword by nobody in particular.\n\nChapter 1: Wind\n\nIt was dark and it\n"
        "rained all the long\nnight. Nobody slept.\n\nCHAPTER II\n\nThe sun came out again.\n",
    )
    assert [chapter.title for chapter in book.chapters] == [
        "storm",
        "Chapter 1: Wind",
        "CHAPTER II",
    ]
    assert words(book)[1] == [
        "Chapter 1: Wind",
        "It was dark and it rained all the long night.",
        "Nobody slept.",
    ]
    assert [one.number for one in book.sentences] == list(range(1, 1 + book.sentence_count))
    assert [one.ends_paragraph for one in book.chapters[1].sentences] == [True, False, True]


def test_chinese_and_markdown_headings(write: Write) -> None:
    book = write(
        "x.txt", "第一章 风暴\n夜里下了很大的雨。\n没有人睡着觉。\n第二章 晴天\n太阳终于出来了。"
    )
    assert [chapter.title for chapter in book.chapters] == ["第一章 风暴", "第二章 晴天"]
    assert words(book)[0] == ["第一章 风暴", "夜里下了很大的雨。", "没有人睡着觉。"]
    book = write("x.md", "# One\n\nA first sentence.\n\n## Two\n\nA second sentence.")
    assert [chapter.title for chapter in book.chapters] == ["One", "Two"]


def test_a_text_of_another_encoding_is_read_and_named(write: Write) -> None:
    text = "第一章 风暴\n夜里下了很大的雨，没有人睡着觉。\n太阳终于出来了，大家都很高兴。\n" * 5
    book = write("x.txt", text.encode("gb18030"))
    assert book.encoding == "GBK" and "太阳终于出来了" in words(book)[0][2]
    assert write("y.txt", text.encode()).encoding == ""
    assert write("z.txt", text.encode("utf-16")).encoding == "UTF-16"


def test_subtitles_are_joined_to_sentences(write: Write) -> None:
    srt = (
        "1\n00:00:01,000 --> 00:00:02,500\n<i>It rained</i>\n\n"
        "2\n00:00:02,600 --> 00:00:04,000\n{\\an8}all day.\n\n"
        "3\n00:00:05,000 --> 00:00:06,000\nThen the sun came out.\n"
    )
    assert words(write("x.srt", srt)) == [["It rained all day.", "Then the sun came out."]]
    vtt = "WEBVTT\n\nNOTE not read\n\n00:01.000 --> 00:02.000\nIt rained all day.\n"
    assert words(write("x.vtt", vtt)) == [["It rained all day."]]


CUES = """1
00:00:01,000 --> 00:00:02,500
It rained

2
00:00:02,600 --> 00:00:04,000
all day.

3
00:00:03,000 --> 00:00:06,000
Then the sun came out.
"""


@pytest.mark.parametrize(
    "srt",
    [
        "\ufeff" + CUES.replace("\n", "\r\n"),
        CUES.replace("\n", "\r"),
        CUES.replace("\n", "\r\r\n"),
        CUES.replace("\n\n", "\n"),  # no blank line before the next number
        CUES.replace(",500\n", ",500\n\n").replace(",000\n", ",000\n \n"),
        CUES.replace("00:00:0", "0:0:").replace(",", " . "),
        CUES[CUES.index("3\n") :] + "\n" + CUES[: CUES.index("3\n")],
        "7\n00:00:00,100 --> 00:00:00,900\n\n\n" + CUES,
    ],
    ids=["BOM, CRLF", "CR", "CR CR LF", "close", "blank", "short times", "order", "empty cue"],
)
def test_subtitles_of_any_make_are_read_by_their_times(write: Write, srt: str) -> None:
    assert words(write("x.srt", srt)) == [["It rained all day.", "Then the sun came out."]]


def test_captions_that_roll_are_read_once_and_what_is_said_twice_twice(write: Write) -> None:
    def cue(start: float, end: float, *lines: str) -> str:
        return f"00:0{start:.3f} --> 00:0{end:.3f}\n" + "\n".join(lines) + "\n\n"

    rolled = (
        cue(1, 2, "It rained all")
        + cue(2, 2.01, "It rained all")
        + cue(2.01, 3, "It rained all", "day &amp; night")
        + cue(3, 4, "day &amp; night", "without an end.")
    )
    assert words(write("x.vtt", "WEBVTT\n\n" + rolled)) == [
        ["It rained all day & night without an end."]
    ]
    said = cue(1, 2, "Nobody slept.") + cue(2, 3, "Nobody slept.") + cue(4, 5, "Nobody slept.")
    assert words(write("y.vtt", "WEBVTT\n\n" + said)) == [["Nobody slept."] * 3]


def test_signs_that_nothing_shows_are_in_no_sentence(write: Write) -> None:
    assert words(write("x.txt", b"It rained\0 all\x7f day\x1b.\0")) == [["It rained all day ."]]


def test_a_long_chapter_is_parted_between_paragraphs(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(read_book, "MAX_CHAPTER_CHARACTERS", 50)
    book = write("x.txt", "# Long\n\n" + "\n\n".join(["A sentence of thirty characters."] * 4))
    assert [chapter.title for chapter in book.chapters][:2] == ["Long", "Long (2)"]
    assert book.sentence_count == 5


def test_an_epub_is_read_in_the_order_of_its_spine(tmp_path: Path) -> None:
    book = read_book.read_book(make_epub(tmp_path / "b.epub"))
    assert book.title == "The Storm"
    assert [chapter.title for chapter in book.chapters] == ["Wind & rain", "Second day"]
    assert words(book) == [
        ["One", "It rained all day.", "漢字です。"],
        ["Second day", "Then the sun came out.", "All was well."],
    ]


def test_an_epub_2_has_its_titles_in_a_list(tmp_path: Path) -> None:
    ncx = (
        "<ncx><navMap><navPoint><navLabel><text>First</text></navLabel>"
        '<content src="text/one.xhtml"/></navPoint><navPoint><navLabel><text>Other</text>'
        '</navLabel><content src="text/two%20b.xhtml#y"/></navPoint></navMap></ncx>'
    )
    package = PACKAGE.replace(
        '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>',
        '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>',
    )
    path = make_epub(tmp_path / "b.epub", **{"OEBPS/book.opf": package, "OEBPS/toc.ncx": ncx})
    assert [one.title for one in read_book.read_book(path).chapters] == ["First", "Other"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("application/xhtml+xml", "text/x-oeb1-document"),
        ("application/xhtml+xml", "application/XHTML+XML"),
        ('href="text/one', 'href="Text/One'),
        (PACKAGE[PACKAGE.index("<spine") :], "</package>"),  # all pages in their order
    ],
    ids=["older type", "capitals of the type", "capitals of the name", "no spine"],
)
def test_odd_packages_are_read_whole(tmp_path: Path, old: str, new: str) -> None:
    package = PACKAGE.replace(old, new)
    assert package != PACKAGE
    book = read_book.read_book(make_epub(tmp_path / "b.epub", **{"OEBPS/book.opf": package}))
    assert [chapter[0] for chapter in words(book)] == ["One", "Second day"]


def test_pictures_alone_are_no_words(tmp_path: Path) -> None:
    pages = {"OEBPS/text/one.xhtml": "<img src='1.jpg'/>", "OEBPS/text/two b.xhtml": "<svg></svg>"}
    assert problem_of(make_epub(tmp_path / "b.epub", **pages)) == "engine.book.no_words"


def problem_of(path: Path) -> str:
    with pytest.raises(Problem) as caught:
        read_book.read_book(path)
    assert caught.value.message.en and caught.value.hint.zh
    return caught.value.key


def test_an_epub_that_grows_without_bound_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_epub(tmp_path / "b.epub", **{"OEBPS/text/one.xhtml": b"a" * (9 << 20)})
    assert path.stat().st_size < 100_000
    assert problem_of(path) == "engine.book.too_large"
    monkeypatch.setattr(epub, "MAX_MEMBERS", 3)
    assert problem_of(make_epub(tmp_path / "c.epub")) == "engine.book.broken"


def test_entities_and_paths_of_an_epub_reach_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the secret words", encoding="utf-8")
    evil = (
        f'<!DOCTYPE html [<!ENTITY x SYSTEM "file://{secret}"><!ENTITY a "ha"><!ENTITY b '
        '"&a;&a;&a;">]><html><body><p>Nothing to see here &x; &b;.</p></body></html>'
    )
    package = PACKAGE.replace("../../../etc/passwd", f"../{secret.name}")
    path = make_epub(
        tmp_path / "b.epub", **{"OEBPS/text/one.xhtml": evil, "OEBPS/book.opf": package}
    )
    text = str(words(read_book.read_book(path)))
    assert "Nothing to see here" in text and "secret words" not in text and "haha" not in text
    assert sorted(one.name for one in tmp_path.iterdir()) == ["b.epub", "secret.txt"]


def test_a_protected_epub_is_named_as_one(tmp_path: Path) -> None:
    encryption = '<encryption><CipherReference URI="OEBPS/text/one.xhtml"/></encryption>'
    path = make_epub(tmp_path / "b.epub", **{"META-INF/encryption.xml": encryption})
    assert problem_of(path) == "engine.book.protected"
    rooted = encryption.replace('"OEBPS', '"/OEBPS')
    path = make_epub(tmp_path / "d.epub", **{"META-INF/encryption.xml": rooted})
    assert problem_of(path) == "engine.book.protected"
    fonts = encryption.replace("text/one.xhtml", "font.otf")
    path = make_epub(tmp_path / "c.epub", **{"META-INF/encryption.xml": fonts})
    assert len(read_book.read_book(path).chapters) == 2


def test_an_epub_with_a_password_is_named_as_protected(tmp_path: Path) -> None:
    path = make_epub(tmp_path / "b.epub")
    data = bytearray(path.read_bytes())
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := data.find(mark, at + 1)) >= 0:
            data[at + flags] |= 1
    path.write_bytes(data)
    assert problem_of(path) == "engine.book.protected"


@pytest.mark.parametrize(
    "begun",
    ["<!--", "<![CDATA[", "<![", "<!x", "<!", "<?", "<a ", "</a ", "<a x='", "<", "&#", "<script"],
)
@pytest.mark.parametrize("end", ["", ">"])
def test_beginnings_without_an_end_are_read_once(begun: str, end: str) -> None:
    """Each was looked for to the end of the page anew: minutes for 1 MB, hours for the limit."""
    page = read_page("<p>It rained all day.</p>" + begun * 100_000 + end)
    assert page.paragraphs[0] == "It rained all day."
    read_tags(begun * 100_000 + end)


def test_a_table_of_contents_of_many_tags_is_read_once(tmp_path: Path) -> None:
    contents = NAV + "<b>x " * 100_000
    book = read_book.read_book(make_epub(tmp_path / "b.epub", **{"OEBPS/nav.xhtml": contents}))
    assert book.chapters[0].title == "Wind & rain"


def test_what_is_no_book_is_refused_with_a_reason(tmp_path: Path) -> None:
    def file(name: str, content: bytes) -> Path:
        path = tmp_path / name
        path.write_bytes(content)
        return path

    assert problem_of(file("x.pdf", b"%PDF")) == "engine.book.kind"
    assert problem_of(tmp_path / "none.txt") == "engine.book.unreadable"
    assert problem_of(file("x.epub", b"PK\x03\x04 no zip")) == "engine.book.broken"
    assert problem_of(file("empty.txt", b" \n* * *\n")) == "engine.book.no_words"
    with zipfile.ZipFile(tmp_path / "y.epub", "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
    assert problem_of(tmp_path / "y.epub") == "engine.book.broken"


def test_damaged_bytes_of_an_epub_end_in_a_sentence(tmp_path: Path) -> None:
    whole = make_epub(tmp_path / "b.epub").read_bytes()
    for at in range(0, len(whole), 7):
        path = tmp_path / "d.epub"
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            read_book.read_book(path)
        except Problem as problem:
            assert problem.key.startswith("engine.book.")


def test_declarations_are_not_read_and_cdata_is() -> None:
    page = read_page(
        "<!DOCTYPE html><p>one <!-- no > no --> two<![if !x]> three<![endif]><![odd]>"
        "<![CDATA[ a < b & c ]]> four <! five"
    )
    assert page.paragraphs == ["one two three a < b & c four"]


def test_a_page_without_end_tags_is_read() -> None:
    page = read_page("<p>one<p>two<ruby>字<rt>じ</ruby>three<div>four")
    assert page.paragraphs == ["one", "two字three", "four"]
