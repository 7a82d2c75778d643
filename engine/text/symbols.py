"""The ordered table of 732 phones of GPT-SoVITS v2, built from its inventories.

Source: compat SPEC 6.1. A weight file stores one embedding row per entry, so the order is
part of the file format; a test pins it.
"""

from __future__ import annotations

from collections.abc import Iterable

UNKNOWN = "UNK"
PUNCTUATION = ("!", "?", "…", ",", ".", "-")

_PINYIN_INITIALS = "b p m f d t n l g k h j q x zh ch sh r z c s y w".split()
# Syllables without an initial take one of these instead, so that every syllable is two phones.
ZERO_INITIALS = ("AA", "EE", "OO")
_PINYIN_FINALS = (
    "E En a ai an ang ao e ei en eng er i i0 ia ian iang iao ie in ing iong ir iu "
    "o ong ou u ua uai uan uang ui un uo v van ve vn"
).split()
_JAPANESE = (
    "I N U a b by ch cl d dy e f g gy h hy i j k ky m my n ny o p py r ry s sh t ts u v w y z"
).split()
_ARPABET_VOWELS = "AA AE AH AO AW AY EH ER EY IH IY OW OY UH UW".split()
_ARPABET_PLAIN = "B CH D DH ER F G HH IH JH K L M N NG P R S SH T TH V W Y Z ZH".split()
_HANGUL = "ㄱㄲㄴㄷㄸㄹㅁㅂㅃㅅㅆㅇㅈㅉㅊㅋㅌㅍㅎㅏㅐㅓㅔㅗㅜㅡㅣ"
_KOREAN_MARKS = ("空", "停")  # a blank, and anything unknown
CANTONESE_INITIALS = (
    "a aa ai ak au b c d e f g gw h j k kw l m n ng o oi ok on ou p s t uk w z"
).split()
_CANTONESE_RHYMES = (
    "a aa aai aak aam aan aang aap aat aau ai ak am an ang ap at au e ei ek eng eoi eon eot g i "
    "ik im in ing ip it iu k m n o oe oek oeng oi ok on ong ot ou p t u ui uk un ung ut yu yun yut"
).split()


def _table() -> tuple[str, ...]:
    base = {"_", "SP", "SP2", "SP3", UNKNOWN, *PUNCTUATION, *ZERO_INITIALS, *_JAPANESE}
    base.update(_PINYIN_INITIALS, _ARPABET_PLAIN)
    base.update(f"{final}{tone}" for final in _PINYIN_FINALS for tone in range(1, 6))
    base.update(f"{vowel}{stress}" for vowel in _ARPABET_VOWELS for stress in range(3))
    cantonese = {f"Y{initial}" for initial in CANTONESE_INITIALS}
    cantonese.update(f"Y{rhyme}{tone}" for rhyme in _CANTONESE_RHYMES for tone in range(1, 7))
    korean = sorted((*_HANGUL, *_KOREAN_MARKS))
    return (*sorted(base), "[", "]", *korean, *sorted(cantonese))


SYMBOLS = _table()
_IDS = {symbol: number for number, symbol in enumerate(SYMBOLS)}


def is_known_phone(phone: str) -> bool:
    """Whether `phone` is in the table."""
    return phone in _IDS


def phone_ids(phones: Iterable[str]) -> list[int]:
    """Row numbers of `phones`; a phone outside the table gets the row of UNK."""
    return [_IDS.get(phone, _IDS[UNKNOWN]) for phone in phones]
