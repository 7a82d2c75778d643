"""Letters a language has no sound for, as a laptop tells them without any dictionary."""

from __future__ import annotations

import pytest

from sovdeck.engine.contract.dataset.foreign_scripts import find_foreign_letters


@pytest.mark.parametrize(
    ("text", "mode", "foreign"),
    [
        ("你好，world 23°C α ① ㎡ 𠮷", "all_zh", ""),
        ("你好はмир안", "zh", "はмир안"),
        ("こんにちは世界ﾎﾟ", "all_ja", ""),
        ("안녕 世界", "all_ko", "世界"),
        ("café 𝐇 ½", "en", ""),
        ("hello 世界", "en", "世界"),
        ("你好こんにちは안녕 hi", "auto", ""),
        ("สวัสดี", "auto", "สวสด"),
        ("今日{きょう}は", "en", "今日は"),
        ("whatever мир", "klingon", ""),
        ("👍🏽 — …", "all_zh", ""),
    ],
)
def test_letters_of_another_script(text: str, mode: str, foreign: str) -> None:
    found = find_foreign_letters(text, mode)
    assert "".join(letter for letter, _ in found) == foreign
    assert all(text[index] == letter for letter, index in found)
