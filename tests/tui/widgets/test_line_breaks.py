"""Sentences in Chinese and Japanese break between characters, and nowhere inside a word."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich import _wrap
from textual.app import App, ComposeResult
from textual.content import Content
from textual.widgets import Static

from sovdeck.tui.text.line_breaks import break_between_ideographs

SENTENCE = "价格按整个声音计算（从下单起），Enter 输入：sovdeck rent ls。もう一度、最初から。"


def lines(text: str, width: int) -> list[str]:
    break_between_ideographs()
    at = [0, *_wrap.divide_line(text, width), len(text)]
    return [text[start:end] for start, end in zip(at, at[1:], strict=False)]


@pytest.mark.parametrize("width", range(10, 60))
def test_no_word_is_cut_and_no_mark_begins_a_line(width: int) -> None:
    found = lines(SENTENCE, width)
    assert "".join(found) == SENTENCE
    words = ("Enter", "sovdeck", "rent", "ls。")
    assert all(any(word in line for line in found) for word in words), found
    assert not any(line[0] in "，。：、）" for line in found), found
    assert not any(line.rstrip()[-1] == "（" for line in found), found


def test_a_line_is_filled_before_the_next_begins() -> None:
    assert lines("下一步 按回车查看训练，然后下载", 20)[0] == "下一步 按回车查看训"


@given(st.text(st.sampled_from("ab c-（）。，字か\n“x 1"), max_size=30), st.integers(2, 20))
def test_nothing_is_lost(text: str, width: int) -> None:
    break_between_ideographs()
    assert "".join(word for _, _, word in _wrap.words(text)) == text or not text.strip()
    assert "".join(lines(text, width)) == text


@given(st.text(st.sampled_from("abc de-f.(g) 1"), max_size=40), st.integers(2, 20))
def test_other_texts_break_as_they_did(text: str, width: int) -> None:
    break_between_ideographs()
    pattern, _wrap.re_word = _wrap.re_word, re.compile(r"\s*\S+\s*")
    try:
        before = _wrap.divide_line(text, width)
    finally:
        _wrap.re_word = pattern
    assert _wrap.divide_line(text, width) == before


async def test_textual_breaks_by_the_same_pattern() -> None:
    class Shown(App[None]):
        def compose(self) -> ComposeResult:
            yield Static(Content("方向键切换选项，Enter 输入。"))

    break_between_ideographs()
    async with Shown().run_test(size=(20, 5)) as pilot:
        rows = [strip.text.rstrip() for strip in pilot.app.screen._compositor.render_strips()]
        assert rows[:2] == ["方向键切换选项，", "Enter 输入。"]
