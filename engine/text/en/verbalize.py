"""What an English text writes in signs and figures, in words (before `normal`).

Only what GPT-SoVITS drops or misreads is rewritten here; the rest is left to its own rules.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from sovdeck.engine.text.aligned import AlignedText
from sovdeck.engine.text.en.numbers import cardinal, digits, ordinal, year_or_cardinal
from sovdeck.engine.text.en.units import COINS, FRACTIONS, MAGNITUDES, UNITS
from sovdeck.engine.text.rules import DIGITS, RuleTable, rule

_MONTHS = (
    "January February March April May June July August September October November December"
).split()
_TITLES = {
    "dr": "Doctor",
    "mr": "Mister",
    "mrs": "Missus",
    "ms": "Miz",
    "prof": "Professor",
    "st": "Saint",
    "gen": "General",
    "col": "Colonel",
    "capt": "Captain",
    "sgt": "Sergeant",
    "lt": "Lieutenant",
    "gov": "Governor",
    "sen": "Senator",
    "rev": "Reverend",
    "hon": "Honorable",
}
_SHORT = {
    "vs": "versus",
    "etc": "et cetera",
    "approx": "approximately",
    "dept": "department",
    "inc": "incorporated",
    "ltd": "limited",
    "jr": "junior",
    "sr": "senior",
    "corp": "corporation",
    "fig": "figure",
    "vol": "volume",
    "max": "maximum",
    "min": "minimum",
    "ave": "avenue",
    "blvd": "boulevard",
    "rd": "road",
}
_SHORT_MONTHS = {month[:3].lower(): month for month in _MONTHS} | {"sept": "September"}
_MONTH = "|".join(_MONTHS)
_VULGAR = "".join(FRACTIONS)
_COIN = "|".join(map(re.escape, sorted(COINS, key=len, reverse=True)))
_UNIT = "|".join(map(re.escape, sorted(UNITS, key=len, reverse=True)))
_KNOWN_UNIT = "km/h|km|kg|cm|mm|ml|m|ft|L|tbsp|tsp|h|min|s|°C|°F|%"
_AMOUNT = r"\d+(?:,\d{3})*(?:\.\d+)?"
_LETTER_NAMES = dict(
    zip(
        "αβγδεζηθικλμνξοπρσςτυφχψω",
        "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho "
        "sigma sigma tau upsilon phi chi psi omega".split(),
        strict=True,
    )
)
_LETTER_NAMES |= {letter.upper(): name for letter, name in _LETTER_NAMES.items() if letter != "ς"}
_SIGNS = {
    "≥": "is at least",
    "≤": "is at most",
    "≠": "is not equal to",
    "≈": "is about",
    "±": "plus or minus",
    "√": "the square root of",
    "∞": "infinity",
    "→": "to",
    "&": "and",
    "€": "euros",
    "∑": "the sum of",
    "∫": "the integral of",
    "©": "copyright",
    "™": "trademark",
    "®": "registered",
    "§": "section",
    "¶": "paragraph",
    "¬": "not",
    "∈": "in",
}
_RULERS = frozenset(
    "Henry Louis Charles Edward George Richard Elizabeth James William John Paul Pius Napoleon "
    "Nicholas Catherine Philip Peter Francis Frederick Alexander Benedict Leo Ramses".split()
)
_COMPARED = {"<=": "≤", ">=": "≥", "!=": "≠", "==": "=", "->": "→", "=>": "→"}
_EMERGENCY = "call|Call|dial|Dial|dialed|dialled|called|text|Text|phone|Phone"
_ASCII_FORMS = str.maketrans(
    {
        "ł": "l",
        "Ł": "L",
        "đ": "d",
        "Đ": "D",
        "ð": "d",
        "Ð": "D",
        "ø": "o",
        "Ø": "O",
        "æ": "ae",
        "Æ": "Ae",
        "œ": "oe",
        "Œ": "Oe",
        "ß": "ss",
        "ẞ": "Ss",
        "þ": "th",
        "Þ": "Th",
        "ħ": "h",
        "Ħ": "H",
        "ı": "i",
        "ĸ": "k",
        "ŋ": "ng",
        "Ŋ": "Ng",
        "ŧ": "t",
        "Ŧ": "T",
        "ƒ": "f",
        "ə": "e",
        "Ə": "E",
        "ɪ": "i",
        "ʃ": "sh",
        "ʒ": "zh",
    }
)
_LATIN = re.compile("[\u00c0-\u02af\u1e00-\u1eff]")
_POWERS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
_SPOKEN_IN_ADDRESS = {
    ".": " dot ",
    "/": " slash ",
    "@": " at ",
    "-": " dash ",
    "_": " underscore ",
    ":": " ",
    "?": " question mark ",
    "=": " equals ",
    "&": " and ",
    "#": " hash ",
    "%": " percent ",
    "~": " tilde ",
    "+": " plus ",
}


def _address(match: re.Match[str]) -> str:
    text = re.sub(r"^(https?|ftp)://", r"\1 ", match[0])
    end = ""
    while text and text[-1] in ".,?!:":
        text, end = text[:-1], text[-1] + end
    spoken = "".join(_SPOKEN_IN_ADDRESS.get(letter, letter) for letter in text)
    return re.sub(r" {2,}", " ", spoken).strip() + end


def _grouped(match: re.Match[str]) -> str:
    """1,2,3 is a list; 1,234 is a number."""
    if re.fullmatch(r"[1-9]\d{0,2}(?:,\d{3})+", match[0]):
        number = int(match[0].replace(",", ""))
        sums = match.string[max(0, match.start() - 1) : match.start()], match.string[match.end() :]
        # Without its comma it would be read as a year.
        plain = number < 3000 and sums[0] not in COINS and not re.match(r"\.\d", sums[1])
        return cardinal(number) if plain else match[0]
    return match[0].replace(",", ", ")


def _written_date(month: int, day: int, year: str | None) -> str | None:
    if not (1 <= month <= 12 and 1 <= day <= 31):
        return None
    spoken = f"{_MONTHS[month - 1]} {ordinal(day)}"
    if year is None:
        return spoken
    whole = int(year) if len(year) == 4 else 2000 + int(year)
    return f"{spoken}, {year_or_cardinal(whole)}"


def _slash_date(match: re.Match[str]) -> str:
    first, second, year = int(match[1]), int(match[2]), match[3]
    if first > 12:
        first, second = second, first
    return _written_date(first, second, year) or match[0]


def _iso_date(match: re.Match[str]) -> str:
    return _written_date(int(match[2]), int(match[3]), match[1]) or match[0]


def _day_of_month(match: re.Match[str]) -> str:
    day = int(match[2])
    return f"{match[1]} {ordinal(day)}" if 1 <= day <= 31 else match[0]


def _roman(match: re.Match[str]) -> str:
    """Chapter IV is chapter four; Henry VIII is Henry the eighth."""
    values = [{"I": 1, "V": 5, "X": 10}[letter] for letter in match[2]]
    number = sum(
        -value if value < following else value
        for value, following in zip(values, [*values[1:], 0], strict=True)
    )
    ruler = match[1] in _RULERS
    return f"{match[1]} {'the ' + ordinal(number) if ruler else cardinal(number)}"


def _feet(match: re.Match[str]) -> str:
    inches = f" {match[2]}" if match[2] else ""
    return f"{match[1]} foot{inches}"


def _to_the_power(match: re.Match[str]) -> str:
    if match[1] in ("2", "3"):
        return " squared" if match[1] == "2" else " cubed"
    return f" to the power of {match[1].replace('-', 'minus ')}"


def _telephone(match: re.Match[str]) -> str:
    groups = re.findall(r"\d+", match[0])
    plus = "plus " if match[0].startswith("+") else ""
    return plus + ", ".join(digits(group) for group in groups)


def _decade(match: re.Match[str]) -> str:
    words = cardinal(int(match[1]))
    return words[:-1] + "ies" if words.endswith("y") else words + "s"


def _mixed(match: re.Match[str]) -> str:
    alone, after = FRACTIONS[match[2]]
    return f"{match[1]} and {after}" if match[1] else alone


def _short_money(match: re.Match[str]) -> str:
    amount, large = match[2].replace(",", ""), match[3]
    one, many = COINS[match[1]]
    if large:
        return f"{amount} {MAGNITUDES.get(large, large)} {many}"
    if match[1] in ("$", "£", "€"):
        return match[0]
    return f"{amount} {one if amount == '1' else many}"


def _measured(match: re.Match[str]) -> str:
    one, many = UNITS[match[2]]
    return f"{match[1]} {one if match[1] == '1' else many}"


def _power(match: re.Match[str]) -> str:
    power = match[1].translate(_POWERS)
    if power in ("2", "3"):
        return " squared" if power == "2" else " cubed"
    negative = "minus " if power.startswith("-") else ""
    return f" to the power of {negative}{power.lstrip('-')}"


@lru_cache(maxsize=4096)
def _ascii_letter(letter: str) -> str:
    plain = letter.translate(_ASCII_FORMS)
    found = unicodedata.normalize("NFD", plain)
    return "".join(c for c in found if c.isascii()) or letter


_BORDER = re.compile(
    r"(?<=\w)[^\w\s'’.,?!%$£€°+*×÷=/:@\-\u00c0-\u02af\u0300-\u036f\u1e00-\u1eff\u3040-\ud7ff"
    r"\U00020000-\U000323af]+(?=\w)",
    re.ASCII,
)
_RULES = RuleTable(
    (
        rule(
            "@.:",
            r"\b(?:https?://|ftp://|www\.)[^\s<>\"()\u3000-\uffff]+"
            r"|\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
            r"|\b[a-z\d][a-z\d-]*(?:\.[a-z\d-]+)*\.(?:com|org|net|io|dev|edu|gov|co|ai|app|cn|jp|kr|hk|py|js"
            r"|txt|md|json|toml|wav|mp3|zip|exe|pdf|html)\b(?:/[^\s<>\"()\u3000-\uffff]*)?",
            _address,
            words=":// www. @ .com .org .net .io .dev .edu .gov .co .ai .app .cn .jp .kr .hk .py"
            " .js .txt .md .json .toml .wav .mp3 .zip .exe .pdf .html",
        ),
        rule(("'’′", DIGITS), r"(?<![\w.])(\d)['’′](?: ?(\d{1,2})(?:[\"”″]|''))", _feet),
        rule("<", r"</?[A-Za-z][^<>\n]{0,60}>", lambda m: " "),
        rule("<>=!-", r"(?<=[\w)\s])(?:<=|>=|!=|==|->|=>)(?=[\w(\s-])", lambda m: _COMPARED[m[0]]),
        rule("`", r"(?<=[A-Za-z])`(?=(?:t|s|re|ll|ve|d|m)\b)", lambda m: "'"),
        rule("_", r"(?<=[A-Za-z\d])_+(?=[A-Za-z\d])", lambda m: " "),
        # Marks that only the eye needs; what stood between two words keeps them apart.
        rule('"“”«»„‟`*', r"(?<=\w)[\"“”«»„‟`]+(?=\w)|(?<=[A-Za-z])\*+(?=[A-Za-z])", lambda m: " "),
        rule('"“”«»„‟', r"[\"“”«»„‟]+", lambda m: ""),
        rule(
            "`*_~#",
            r"(?<!\S)(?:#{1,6}(?=\s)|(?:[`*_]{1,3}|~~)(?=\w))|(?<=\w)[`*_]{1,3}(?!\S|\w)",
            lambda m: "",
        ),
        rule("‘", r"‘", lambda m: "'"),
        rule("…", r"…+", lambda m: "..."),
        rule(".", r"(?<=\w)\.{3,}(?=\w)", lambda m: "... ", words="..."),
        rule("—–―", r"(?<=\d)\s?[—–]\s?(?=[\d$£€])", lambda m: " to "),
        rule("—–", r"\s*[—–]+\s*", lambda m: ", " if m.start() else ""),
        rule("-", r"(?<=[A-Za-z])--+(?=[A-Za-z])", lambda m: ", ", words="--"),
        rule(
            (DIGITS, "-"),
            r"\b((?:1[0-9]|20)\d\d)-((?:1[0-9]|20)\d\d)\b(?!-)",
            lambda m: f"{m[1]} to {m[2]}",
        ),
        rule(
            ("-", DIGITS), r"(?<=[ap]m)\s?-\s?(?=\d)|(?<=[ap]\.m\.)\s?-\s?(?=\d)", lambda m: " to "
        ),
        rule((":", "-"), r"(?<=\d:[0-5]\d)\s?-\s?(?=[0-2]?\d:[0-5]\d(?!\d))", lambda m: " to "),
        rule("$£€", r"(?<=\d)\s?-\s?(?=[$£€]\d)", lambda m: " to "),
        rule("(（", r"\s*[(（]\s*(?=\d{3}[)）]\s?\d{3}-\d{4})", lambda m: " "),
        rule(
            (DIGITS, "-+"),
            r"(?<![\w-])(?:\+?1[- ])?\d{3}[)）]? ?-?\d{3}-\d{4}(?![\w-])"
            r"|(?<![\w-])\d{3}-\d{4}(?![\w-])"
            r"|\+\d{1,3}(?:[- ]\d{2,4}){2,4}(?![\w-])",
            _telephone,
        ),
        rule((".", DIGITS), r"(?<![\d.])\d{3}\.\d{3}\.\d{4}(?![\d.])", _telephone),
        rule(
            DIGITS,
            rf"(?<=\b)({_EMERGENCY}) (\d{{3}})(?![\w.,:-]*\d)",
            lambda m: f"{m[1]} {digits(m[2])}",
            words="all ial ext hone",
        ),
        rule("()（）[]{}", r"\s*[(（[{]\s*", lambda m: ", " if m.start() else ""),
        rule("()（）[]{}", r"\s*[)）\]}]\s*(?=[.,?!;:]|\Z)", lambda m: ""),
        rule("()（）[]{}", r"\s*[)）\]}]\s*", lambda m: ", "),
        rule("/", r"\b(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})\b", _slash_date),
        rule("-", r"\b(\d{4})-(\d{2})-(\d{2})\b", _iso_date),
        rule(
            "/",
            r"\b(\d{4})/(0?[1-9]|1[0-2])/(0?[1-9]|[12]\d|3[01])\b",
            _iso_date,
        ),
        rule(
            DIGITS,
            r"\b([Jj]an|[Ff]eb|[Mm]ar|[Aa]pr|[Jj]un|[Jj]ul|[Aa]ug|[Ss]ept?|[Oo]ct|[Nn]ov|[Dd]ec)"
            r"\.? (?=\d{1,2}(?:st|nd|rd|th)?\b)",
            lambda m: f"{_SHORT_MONTHS[m[1].lower()]} ",
        ),
        rule(
            DIGITS,
            rf"\b({_MONTH}) (\d{{1,2}})(?=\s*[,;!?]|\.(?!\d)|\s*\Z|\s+(?:1\d|20)\d\d\b)",
            _day_of_month,
            words=" ".join(_MONTHS),
        ),
        rule(
            ("/", DIGITS),
            r"(?<![\d/.])(\d+)[ -](?=\d{1,2}/\d{1,2}(?![\d/]))",
            lambda m: f"{m[1]} and ",
        ),
        rule("/", r"(?<![\d/])(\d+)/\1(?![\d/])", lambda m: f"{m[1]} {m[1]}"),
        rule(
            "/",
            r"(?<=\d)/(?=(?:second|minute|hour|day|night|week|month|year|person|mile|pound|kg|lb|mo|yr)\b)",
            lambda m: " per ",
        ),
        rule(
            "IVX",
            r"\b(Chapter|Part|Section|Volume|Book|Act|Scene|Class|Type|Phase|Stage|Level|Title|Mark"
            r"|Article|Appendix|Figure|Table|Unit|Lesson)\s(I(?!\s[a-z])|[VX]|[IVX]{2,5})\b(?!['’.])",
            _roman,
            words="Chapter Part Section Volume Book Act Scene Class Type Phase Stage Level Title"
            " Mark Article Appendix Figure Table Unit Lesson",
        ),
        rule(
            "IVX",
            r"\b([A-Z][a-z]+)\s(I{2,3}|I[VX]|VI{1,3}|X{1,2}I{0,3}|X{0,2}I?V)\b(?!['’.])",
            _roman,
            words="II IV IX VI XI XV XX",
        ),
        rule("^", r"(?<=[\w)])\^(-?\d+)", _to_the_power),
        rule(
            ("eE", DIGITS),
            r"(?<![\w.])(\d+(?:\.\d+)?)[eE]([+-]?\d{1,3})(?![\w.])",
            lambda m: f"{m[1]} times ten to the power of {m[2].lstrip('+').replace('-', 'minus ')}",
        ),
        rule("0", r"(?<![\w.,:$£€/-])0\d+(?![\w.,:/-])", lambda m: digits(m[0])),
        rule(".", r"(?<![\w.,])\.(?=\d)", lambda m: "point "),
        rule("@", r"(?<!\S)@(?=[A-Za-z])", lambda m: "at "),
        rule("+", r"(?<=\d)\+(?=\s|\Z|[,.;!?])", lambda m: " plus"),
        rule("p", r"\b([Pp])\. ?(?=\d)", lambda m: "page ", words="p. P."),
        rule("p", r"\b[Pp]p\. ?(?=\d)", lambda m: "pages ", words="pp. Pp."),
        rule("/", r"\b[wW]/o\b", lambda m: "without"),
        rule("/", r"\b24/7\b", lambda m: "twenty-four seven"),
        rule((",", DIGITS), r"(?<![\d,])\d+(?:,\d+)+(?!\d)", _grouped),
        rule(("'’", DIGITS), r"(?<!\w)['’](\d0)s\b", _decade),
        rule(DIGITS, r"(?<=\b[tT]he )(\d0)s\b", _decade, words="0s"),
        rule(
            ("'’", DIGITS),
            r"(?<!\w)['’](\d\d)\b",
            lambda m: year_or_cardinal(int(m[1])) if int(m[1]) > 9 else f"oh {cardinal(int(m[1]))}",
        ),
        rule(
            "$£€¥￥₩₹₽₿",
            rf"({_COIN}) ?({_AMOUNT})"
            r"(?: ?(k|K|mn?|M|bn?|B|tn|T|hundred|thousand|million|billion|trillion)\b)?",
            _short_money,
        ),
        rule(_VULGAR, rf"(?:(\d+) ?)?([{_VULGAR}])", _mixed),
        rule(
            (DIGITS, "-"),
            rf"(?<![\w.-])({_AMOUNT}) ?- ?(?={_AMOUNT} ?(?:{_KNOWN_UNIT}|{_UNIT})(?![A-Za-z]))",
            lambda m: f"{m[1]} to ",
        ),
        rule(
            (DIGITS, "-"),
            r"(?<![\w.:/$£€+*×÷=-])(\d{1,4})-(?!\1\b)(?=\d{1,4}(?![\w:/=+*×÷-]|\.\d|\s*=))",
            lambda m: f"{m[1]} to ",
        ),
        rule((DIGITS, "x×"), r"\b(\d+)[x×](\d+)\b", lambda m: f"{m[1]} by {m[2]}"),
        rule((DIGITS, "xX"), r"\b(\d+)[xX](?![\w])", lambda m: f"{m[1]} times"),
        rule(DIGITS, rf"({_AMOUNT}) ?({_UNIT})(?![A-Za-z\d'’²³])", _measured),
        rule("²³¹⁰⁴⁵⁶⁷⁸⁹⁻", r"(?<=[\w)])([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)", _power),
        rule(
            (".", DIGITS),
            r"(?<![\d.])v?\d+(?:\.\d+){2,}(?![\d.])",
            lambda m: " point ".join(m[0].split(".")),
        ),
        rule(":", r"(?<!\d)(\d{1,2}):(\d\d):(\d\d)(?!\d)", lambda m: f"{m[1]} {m[2]} {m[3]}"),
        rule(":", r"(?<![\d:])(\d+):(\d|\d{3,})(?![\d:])", lambda m: f"{m[1]} to {m[2]}"),
        rule(
            ".",
            r"\b(Dr|Mr|Mrs|Ms|Prof|St|Gen|Col|Capt|Sgt|Lt|Gov|Sen|Rev|Hon)\.(?= ?[A-Z])",
            lambda m: _TITLES[m[1].lower()],
            words=" ".join(f"{title.capitalize()}." for title in _TITLES),
        ),
        rule(DIGITS, r"\b([Nn]os?)\. ?(?=\d)", lambda m: "number ", words="o. os."),
        rule(
            ".",
            r"\b(vs|etc|approx|max|min|[Dd]ept|[Ii]nc|[Ll]td|[Jj]r|[Ss]r|[Cc]orp|[Ff]ig|[Vv]ol|Ave|Blvd|Rd)\.(?=(\s+[A-Z]|\s*\Z))?",
            lambda m: _SHORT[m[1].lower()]
            + (
                "."
                if m[2] is not None and m[1].lower() not in ("vs", "fig", "vol", "dept", "approx")
                else ""
            ),
            words=" ".join(f"{short}. {short.capitalize()}." for short in _SHORT),
        ),
        rule("v", r"\bvs\b(?!\.)", lambda m: "versus", words="vs"),
        rule("#", r"#(?=\d)", lambda m: "number "),
        rule("#", r"\b([A-GJ])#(?!\w)", lambda m: f"{m[1]} sharp"),
        rule("+", r"\b([A-Z])\+\+(?!\w)", lambda m: f"{m[1]} plus plus"),
        rule("≈", r"(?<![\w)])(?<![\w)] )≈\s*(?=\d)", lambda m: "about "),
        rule("~", r"~(?=\d)", lambda m: "about "),
        rule("+", r"(?<![\w+])\+(?=\d)", lambda m: "plus "),
        rule(
            "+-*×÷=<>/",
            r"(?<=\d)\s*([+×÷=<>]|\*)\s*(?=[\d-])|(?<=\b[A-Za-z])\s*([+×÷=<>]|\*)\s*(?=[A-Za-z\d-])|(?<=\d)\s*([+×÷=<>])\s*(?=[A-Za-z]\b)",
            lambda m: _operator(m),
        ),
        rule("<", r"(?<!\S)<(?=\s*\d)", lambda m: "less than "),
        rule(">", r"(?<!\S)>(?=\s*\d)", lambda m: "more than "),
        rule(
            "".join(_SIGNS),
            "\\s*([" + "".join(s for s in _SIGNS if s != "€") + "])\\s*",
            lambda m: f" {_SIGNS[m[1]]} ",
        ),
        rule(
            "".join(_LETTER_NAMES),
            f"([{''.join(_LETTER_NAMES)}])",
            lambda m: f" {_LETTER_NAMES[m[1]]} ",
        ),
        rule(
            "/",
            r"\b([A-Za-z]+)\s*/\s*(?=([A-Za-z]+))",
            lambda m: m[0] if m[1] == "km" else _slash_word(m),
        ),
        rule("?!.,", r" +(?=[?!,]|\.(?!\d))", lambda m: "", words=(" ?", " !", " ,", " .")),
        rule(
            DIGITS,
            r"(?<=[A-Za-z])(?=\d)|(?<=\d)(?=(?!st\b|nd\b|rd\b|th\b|s\b|[ap]\.?m\b|[ap]\.m)[A-Za-z]{2})",
            lambda m: " ",
        ),
        # Anything else between two words leaves a border.
        rule('"#&();<>[]\\^_`{|}~', _BORDER.pattern, lambda m: " "),
        rule(
            "/:",
            r"(?<=[A-Za-z])[/:](?=\w)|(?<=\w)[/:](?=[A-Za-z])",
            lambda m: " " if m[0] == ":" else m[0],
        ),
    )
)
_OPERATORS = {
    "+": "plus",
    "*": "times",
    "×": "times",
    "÷": "divided by",
    "=": "equals",
    "<": "is less than",
    ">": "is greater than",
}


def _operator(match: re.Match[str]) -> str:
    return f" {_OPERATORS[match[1] or match[2] or match[3]]} "


def _slash_word(match: re.Match[str]) -> str:
    if match[1].lower() == "w" and match[2].lower() == "o":
        return match[0]
    return "with " if match[1].lower() == "w" else f"{match[1]} "


def verbalize(text: AlignedText) -> AlignedText:
    """Return `text` with figures and signs in English words."""
    if not text.text.isascii():
        text = text.map(_LATIN, lambda match: _ascii_letter(match.group()))
    text = _RULES.apply(text)
    return text if text.text.isascii() else text.sub(_BORDER, lambda match: " ")


_COUNTED = re.compile(r"[^\W_a-zA-Z0-9]")


def find_unread(text: str) -> list[int]:
    """Return the positions in verbalized `text` of letters and digits English has no sound for."""
    if text.isascii():
        return []
    return [match.start() for match in _COUNTED.finditer(text)]
