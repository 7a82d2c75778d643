"""What is loaded to read a text is what the text needs, and says what the whole would."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from typing import Any

import pytest

from sovdeck.engine.text.en.dictionary import load_pronunciations
from sovdeck.engine.text.zh import segmenter
from sovdeck.engine.text.zh.segmenter import WordList, find_states, load_segmenter
from sovdeck.engine.text.zh.syllables import read_syllables

SENTENCES = (
    "今天天气很好，我们去公园散步吧。",
    "欧阳雪梅和司马青云在咖啡馆里谈论量子纠缠。",
    "他说话的声音越来越小，最后几乎听不见了。",
    "长江大桥的长度是一千六百七十米。",
)


@pytest.mark.long
def test_states_are_those_of_jiebas_own_search() -> None:
    load_segmenter()
    from jieba import posseg
    from jieba.posseg.viterbi import viterbi

    model = (posseg.char_state_tab_P, posseg.start_P, posseg.trans_P, posseg.emit_P)
    letters = [letter for letter in "".join(SENTENCES) if "\u4e00" <= letter <= "\u9fa5"]
    letters += [chr(0x4E00 + 97 * number) for number in range(200)]
    draw = random.Random(4)
    for _ in range(300):
        word = "".join(draw.choices(letters, k=draw.randint(1, 9)))
        score, states = viterbi(word, *model)
        assert find_states(word, *model) == (score, tuple(states)), word


def test_syllables_are_pypinyins() -> None:
    from pypinyin import Style, lazy_pinyin

    keep: Any = list  # what has no syllable stays, letter by letter
    for sentence in SENTENCES * 2:  # the second time from what was kept
        assert read_syllables(sentence, errors=keep) == lazy_pinyin(
            sentence, style=Style.TONE3, neutral_tone_with_five=True, errors=keep
        )


LINES = "一 5 m\n一一 3 m\n一一对应 2 l\n阿 7 n\n阿富汗 4 ns\n一心 9 n\nT恤 1 n"


def test_a_dictionary_read_letter_by_letter_is_the_whole() -> None:
    words = WordList(LINES)
    assert words.sum_counts() == 31
    assert "一一对" in words.counts and words.counts["一一对"] == 0
    assert words.counts["一心"] == 9 and words.tags.get("一一对应") == "l"
    assert dict.__contains__(words.counts, "阿富汗") is False  # nobody has asked for 阿
    assert words.counts.get("阿富汗") == 4 and words.counts.get("阿富") == 0
    assert words.counts.get("阿拉") is None and words.tags.get("阿拉", "x") == "x"
    assert words.tags.get("T恤", "x") == "n" and "" not in words.counts


def test_the_known_sum_is_that_of_the_installed_dictionary() -> None:
    assert load_segmenter().tokenizer.total in segmenter._KNOWN_TOTALS.values()
    with load_segmenter().tokenizer.get_dict_file() as file:
        assert WordList(file.read().decode("utf-8")).sum_counts() == 60_101_967


def test_two_threads_read_the_same_words() -> None:
    words = WordList("".join(f"一{chr(0x4E00 + n)} {n} n\n" for n in range(3000)))
    found: list[int | None] = []

    def look() -> None:
        found.append(words.counts.get("一" + chr(0x4E00 + 2999)))

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [2999] * 8


def test_english_words_are_taken_apart_when_asked_for() -> None:
    words = load_pronunciations()
    assert words["aalborg"] == ("AO1", "L", "B", "AO0", "R", "G")  # without its remark
    assert words.get("dr") == ("D", "AA1", "K", "T", "ER0") and words.get("ae") is None
    assert "hello" in words and "hello(2)" not in words and len(words) > 120_000


def test_japanese_is_read_without_the_packages_neural_networks() -> None:
    script = (
        "import sys\n"
        "from sovdeck.engine.text.reader import read_text\n"
        "phones = read_text('東京タワーに行きましょう', 'ja').phones\n"
        "assert 'onnxruntime' not in sys.modules and 'pydantic' not in sys.modules\n"
        "assert 'pyopenjtalk' not in sys.modules\n"
        "import pyopenjtalk\n"
        "assert pyopenjtalk.g2p('東京').startswith('t o o ky o o')\n"
        "assert read_text('東京タワーに行きましょう', 'ja').phones == phones\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
