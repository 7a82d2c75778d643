"""Any text is read or named: no exception, nothing uncounted, the same each time."""

from __future__ import annotations

import tracemalloc
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.text.reader import (
    SILENT,
    count_letters,
    find_lost,
    find_lost_or_refuse,
    read_text,
)
from sovdeck.engine.text.segment import LANGUAGE_MODES
from sovdeck.engine.text.symbols import SYMBOLS

# Weighted to the scripts people write in, and to what stands beside letters there.
SCRIPTS = (
    "abcXYZéłñßøǆ",
    "你好一不儿子了个银行长年月日點號嗰喺㗎餸𨋢𠮷髙濵﨑龘々〇",
    "あいうがぱんっゃーアイウガパンッャヴｱｲｶﾞﾎﾟｰㇰ",
    "한글안녕값같이ㅋㅠㅘ한",
    "0123456789１２３٣",
    "½²³⁻ⁿ①⑫Ⅷ℃㎡㌔㈱№‰",
    "+-*×÷=<>≥±%$¥￥€₩&@#~～:：/.,，。、…—–-！？!?()（）[]{}【】「」《》“”'’_|\\^`",
    " \n\t\u200b\u200d\ufe0f\ufeff\u00ad\x00\x1b",
    "😀👍🏽❤\u0301\u3099",
    "Приветسلامสวัสดีहिन्दीελληνικά𝐇𝓮ﬁ",
    "\ud83d\udc00\ue000\U000f0000",
)
TEXTS = st.text(max_size=40) | st.lists(
    st.one_of(*(st.text(alphabet=script, min_size=1, max_size=4) for script in SCRIPTS)),
    max_size=12,
).map("".join)


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.sampled_from(LANGUAGE_MODES))
@example("{", "zh")
@example("汉字{han4 zi4}{", "zh")
@example("1/0 0:00 24:60 ½½", "en")
def test_every_letter_is_read_or_lost(text: str, mode: str) -> None:
    reading = read_text(text, mode)
    assert set(reading.phones) <= set(SYMBOLS)
    assert reading.read + len(reading.lost) == count_letters(text) and reading.read >= 0
    assert all(text[lost.index] == lost.char for lost in reading.lost)
    assert len({lost.index for lost in reading.lost}) == len(reading.lost)
    again = read_text(text, mode)
    assert again.phones == reading.phones and again.lost == reading.lost
    assert find_lost(text, mode) == reading.lost


LETTERS = st.sampled_from([letter for script in SCRIPTS[:5] for letter in script]) | st.characters(
    categories=["Lu", "Ll", "Lo", "Nd"]
)


@settings(max_examples=300, deadline=None)
@given(LETTERS, st.sampled_from(["all_zh", "all_yue", "all_ja", "all_ko", "en"]))
def test_a_letter_alone_sounds_or_is_named(letter: str, mode: str) -> None:
    reading = read_text(letter, mode)
    sounds = not SILENT.issuperset(reading.phones)
    if count_letters(letter):
        assert sounds == (not reading.lost), (hex(ord(letter)), unicodedata.name(letter, "?"))


@pytest.mark.parametrize("mode", ["zh", "all_yue", "all_ja", "all_ko", "en", "auto"])
@pytest.mark.parametrize(
    "text",
    [
        "a" * 700,
        "1+" * 300 + "1",
        "1" * 500,
        "({[" * 700,
        "。，" * 500,
        "😀" * 1500,
        "-" * 3000,
        "龘" * 60,
        "https://" + "a/" * 800,
        "1,2," * 300,
        "3:2" * 300,
        "# Title\n\n* a **b** `c` [d](https://e.com)\n```py\nx = {1: 'y'}\n```\n",
    ],
    ids=lambda text: text[:8].strip(),
)
def test_a_long_odd_text_has_a_reading(text: str, mode: str) -> None:
    reading = read_text(text, mode)
    assert reading.read + len(reading.lost) == count_letters(text)


@pytest.mark.long
@pytest.mark.parametrize(
    ("text", "mode"),
    [
        ("今天天气很好，我们去公园。", "zh"),
        ("我哋去公園行吓啦。", "all_yue"),
        ("今日は3時に会いましょう。", "all_ja"),
        ("오늘은 3시에 만나요. ", "all_ko"),
        ("We meet at 3 in the park. ", "en"),
        ("Hello，你好。これは本です。", "auto"),
        ("(^_^) \\o/ ", "zh"),
        ("https://a.example/b?c=d ", "en"),
        ("𝐇𝓮𝔩𝕝𝚘 ", "en"),
        ("`x = {1: 'y'}`\n", "zh"),
    ],
)
def test_a_hundred_thousand_characters_are_read_or_named(text: str, mode: str) -> None:
    whole = text * (100_000 // len(text))
    lost = len(find_lost(whole, mode))
    assert lost % (100_000 // len(text)) == 0
    assert count_letters(whole) - lost >= 0


@pytest.mark.parametrize(
    ("text", "mode", "seems"),
    [
        ("สวัสดี", "all_zh", "th"),
        ("Здравствуйте", "en", "ru"),
        ("今天天气很好", "en", "zh"),
        ("こんにちは", "all_ko", "ja"),
        ("안녕하세요", "all_ja", "ko"),
    ],
)
def test_a_text_without_sound_is_refused_with_what_it_seems_to_be(
    text: str, mode: str, seems: str
) -> None:
    with pytest.raises(Problem) as refused:
        find_lost_or_refuse(text, mode)
    assert refused.value.key == "engine.text.unreadable" and mode in refused.value.message.en
    assert f"{seems} (" in refused.value.hint.en and f"{seems} (" in refused.value.hint.zh


def test_lost_characters_are_named_with_their_places() -> None:
    lost = find_lost_or_refuse("你好 мир，세계", "all_zh")
    assert [(one.char, one.index) for one in lost] == [
        ("м", 3),
        ("и", 4),
        ("р", 5),
        ("세", 7),
        ("계", 8),
    ]
    assert not find_lost_or_refuse("你好", "all_zh") and not find_lost_or_refuse("...", "en")


PROSE = {
    "zh": "今天天气很好，我们一起去公园散步吧。他说：“明天再见。”",
    "all_ja": "今日は天気がいいので、公園へ行きましょう。彼は「また明日」と言った。",
    "all_ko": "오늘은 날씨가 좋으니까 공원에 가요. 그는 내일 보자고 했다.",
    "all_yue": "今日天氣好好，我哋一齊去公園行下啦。",
    "en": "The weather is fine today, so let us walk to the park. He said he would come tomorrow. ",
}


@pytest.mark.long
@pytest.mark.parametrize("mode", PROSE)
def test_a_book_is_read_in_little_memory(mode: str) -> None:
    read_text(PROSE[mode], mode)  # dictionaries are loaded once
    text = PROSE[mode] * (100_000 // len(PROSE[mode]))
    tracemalloc.start()
    try:
        reading = read_text(text, mode)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(reading.phones) > 50_000 and not reading.lost
    assert peak < 50e6, f"{peak / 1e6:.0f} MB"
