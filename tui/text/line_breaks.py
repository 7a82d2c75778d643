"""Where a line may end: in Chinese and Japanese between any two characters, in words nowhere.

Textual breaks a line at spaces only, so that a sentence without any was moved to the next line
whole, and one too long for it was cut after a number of cells: in the middle of a command, or with
a comma at the beginning of the next line.
"""

from __future__ import annotations

import re

import rich._wrap

# Ideographs, kana and their marks; Korean divides its words by spaces.
_WIDE = "\u2e80-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_OPENING = "（「『【《〈〔“‘"  # these end no line
_CLOSING = "，。；：！？、）」』】》〉〕”’…—ー々)\\],.;:!?%"  # these begin none
# In a text without such characters the same as Rich's own: a word and the spaces around it.
_PART = re.compile(rf"\s*[{_OPENING}]*(?:[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+[{_CLOSING}]*)\s*")


def break_between_ideographs() -> None:
    """Let Rich and Textual, which share one pattern of what a word is, use ours."""
    rich._wrap.re_word = _PART
