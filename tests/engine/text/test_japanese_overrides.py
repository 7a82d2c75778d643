"""The shipped list of Japanese readings: each line is needed, right, and hurts no other reading."""

from __future__ import annotations

import pytest

from sovdeck.engine.text.ja.overrides import Override, load_overrides
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.reader import read_text
from sovdeck.engine.text.symbols import UNKNOWN

# Accent marks and phrase borders move with the way a word is written.
_MARKS = ("[", "]", UNKNOWN, "_")

# Words of the list where they are read another way, in plain kana: here the list must not apply.
OTHER_READINGS = [
    ("何が", "なにが"),
    ("何を食べる", "なにを食べる"),
    ("何かある", "なにかある"),
    ("何もない", "なにもない"),
    ("何より", "なにより"),
    ("今何時ですか", "今なんじですか"),
    ("何時に起きる", "なんじに起きる"),
    ("何人いますか", "なんにんいますか"),
    ("一月一日", "いちがつついたち"),
    ("一月から", "いちがつから"),
    ("十分に注意する", "じゅうぶんに注意する"),
    ("もう十分だ", "もうじゅうぶんだ"),
    ("十分お休みください", "じゅうぶんお休みください"),
    ("人気がある", "にんきがある"),
    ("株式市場が動く", "株式しじょうが動く"),
    ("食事の最中に", "食事のさいちゅうに"),
    ("道を行って右", "道をいって右"),
    ("学校へ行って", "学校へいって"),
    ("空の色", "そらの色"),
    ("空に浮かぶ", "そらに浮かぶ"),
    ("右の側に", "右のがわに"),
    ("辛い思い出", "つらい思い出"),
    ("床に落ちた", "ゆかに落ちた"),
    ("夢を抱く", "夢をいだく"),
    ("力を注ぐ", "力をそそぐ"),
    ("ピアノを弾く", "ピアノをひく"),
    ("ピアノが弾ける", "ピアノがひける"),
    ("三角の角", "三角のかく"),
    ("今日は晴れだ", "きょうは晴れだ"),
    ("今日の経済ニュース", "きょうの経済ニュース"),
    ("今日の日本代表", "きょうの日本代表"),
    ("三時一分", "さんじいっぷん"),
    ("一行は出発した", "いっこうは出発した"),
    ("目下の課題", "もっかの課題"),
    ("この方が便利だ", "このほうが便利だ"),
    ("行った方がいい", "行ったほうがいい"),
    ("女の方が強い", "女のほうが強い"),
    ("一目置く", "いちもく置く"),
    ("彼の方が上手だ", "彼の方がじょうずだ"),
    ("下手な字", "へたな字"),
    ("車を止める", "車をとめる"),
    ("僕は行く", "ぼくはいく"),
    ("肌に直に触れる", "肌にじかに触れる"),
    ("手術は成功した", "しゅじゅつは成功した"),
    ("縁がある", "えんがある"),
    ("山の主な産物", "山のおもな産物"),
    ("性の問題", "せいの問題"),
    ("素振りをする", "すぶりをする"),
    ("金色の光", "きんいろの光"),
    ("一時にどっと", "いちじにどっと"),
    ("紅葉を見る", "こうようを見る"),
    ("未だに信じられない", "いまだに信じられない"),
    ("小倉さん", "おぐらさん"),
    ("絵に描いたような", "絵にえがいたような"),
]


def heard(text: str, lexicon: Lexicon | None = None) -> str:
    phones = read_text(text, "all_ja", lexicon).phones
    return " ".join(phone for phone in phones if phone not in _MARKS)


def by_the_dictionary(text: str) -> str:
    """What is heard without the list; long vowels alike, however they are written."""
    phones = [phone for phone in phonemize(text, "ja").phones if phone not in _MARKS]
    return " ".join(phones).replace("e i", "e e").replace("o u", "o o")


def in_kana(override: Override) -> str:
    """The example with its word in kana, where the neighbours of the word allow it."""
    text = override.example
    places = [at for at in range(len(text)) if override.fits(text, at)]
    assert len(places) == 1, f"{override.word} does not apply in {text}"
    return text[: places[0]] + override.kana + text[places[0] + len(override.word) :]


def test_there_are_three_hundred_words() -> None:
    overrides = load_overrides()
    assert len({one.word for one in overrides}) >= 300
    assert len({(one.word, one.where) for one in overrides}) == len(overrides)


def test_each_is_read_as_its_kana_and_the_dictionary_reads_it_otherwise() -> None:
    for override in load_overrides():
        plain = in_kana(override)
        assert heard(override.example) == heard(plain), override.example
        assert heard(override.kana) in heard(override.example), override.example
        assert by_the_dictionary(override.example) != by_the_dictionary(plain), override.example


@pytest.mark.parametrize(("text", "plain"), OTHER_READINGS)
def test_a_word_read_another_way_elsewhere_stays_so(text: str, plain: str) -> None:
    said, wanted = (heard(one).replace("e i", "e e").replace("o u", "o o") for one in (text, plain))
    assert said == wanted


def test_the_users_word_wins() -> None:
    assert heard("百聞は一見に") == heard("百聞はいっけんに")
    assert heard("百聞は一見に", Lexicon({"一見": "いちげん"})) == heard("百聞はいちげんに")
