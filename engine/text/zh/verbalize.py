"""What a Chinese text writes in signs and figures, in characters (before `normal`).

Only what GPT-SoVITS drops or misreads is rewritten here; the rest is left to its own rules.
Cantonese is read by the same rules, but for the digit one of telephone numbers.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache, partial

from sovdeck.engine.text.aligned import AlignedText
from sovdeck.engine.text.han_variants import find_common_form
from sovdeck.engine.text.rules import DIGITS, Rule, RuleTable, rule
from sovdeck.engine.text.zh.g2p import is_readable
from sovdeck.engine.text.zh.numbers import cardinal, decimal, digits
from sovdeck.engine.text.zh.quantity import MEASURE_WORDS

# Han that is not in the range of GPT-SoVITS's normaliser, and the one in it without a reading.
_RARE_HAN = re.compile("[\u3400-\u4dbf\u9fa6-\u9fff\uf900-\ufaff\U00020000-\U000323af]")
READ_SIGNS = frozenset("0123456789ⁿˣʸ⁰¹²³⁴⁵⁶⁷⁸⁹αβγδεζηθικλμνξοπρστυφχψωςΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ")
_H = "\u3400-\u9fff"
_N = r"\d+(?:\.\d+)?"
_UNITS = {
    "°C": "度",
    "°F": "华氏度",
    "°": "度",
    "km/h": "公里每小时",
    "m/s": "米每秒",
    "km²": "平方千米",
    "km2": "平方千米",
    "cm²": "平方厘米",
    "cm2": "平方厘米",
    "mm²": "平方毫米",
    "mm2": "平方毫米",
    "m²": "平方米",
    "m2": "平方米",
    "m³": "立方米",
    "m3": "立方米",
    "cm³": "立方厘米",
    "cm3": "立方厘米",
    "dm3": "立方分米",
    "km": "千米",
    "dm": "分米",
    "cm": "厘米",
    "mm": "毫米",
    "μm": "微米",
    "nm": "纳米",
    "m": "米",
    "kg": "千克",
    "KG": "千克",
    "mg": "毫克",
    "μg": "微克",
    "g": "克",
    "t": "吨",
    "lb": "磅",
    "oz": "盎司",
    "ft": "英尺",
    "mph": "英里每小时",
    "ml": "毫升",
    "mL": "毫升",
    "cc": "毫升",
    "dl": "分升",
    "l": "升",
    "L": "升",
    "ms": "毫秒",
    "s": "秒",
    "min": "分钟",
    "h": "小时",
    "Hz": "赫兹",
    "kHz": "千赫",
    "MHz": "兆赫",
    "GHz": "吉赫",
    "KB": "千字节",
    "kB": "千字节",
    "MB": "兆字节",
    "GB": "吉字节",
    "TB": "太字节",
    "kbps": "千比特每秒",
    "Mbps": "兆比特每秒",
    "Gbps": "吉比特每秒",
    "W": "瓦",
    "kW": "千瓦",
    "MW": "兆瓦",
    "kWh": "千瓦时",
    "V": "伏",
    "kV": "千伏",
    "A": "安",
    "mA": "毫安",
    "mAh": "毫安时",
    "dB": "分贝",
    "db": "分贝",
    "kcal": "千卡",
    "cal": "卡",
    "Pa": "帕",
    "kPa": "千帕",
    "px": "像素",
    "rpm": "转每分钟",
    "fps": "帧每秒",
}
_UNIT = "|".join(map(re.escape, sorted(_UNITS, key=len, reverse=True)))
_UNIT_LETTERS = "".join(_UNITS)
_COINS = {
    "¥": "元",
    "￥": "元",
    "$": "美元",
    "US$": "美元",
    "HK$": "港元",
    "NT$": "新台币",
    "€": "欧元",
    "£": "英镑",
    "₩": "韩元",
    "₽": "卢布",
    "₹": "卢比",
}
_COIN = "|".join(map(re.escape, sorted(_COINS, key=len, reverse=True)))
_FRACTIONS = {
    "½": (1, 2),
    "⅓": (1, 3),
    "⅔": (2, 3),
    "¼": (1, 4),
    "¾": (3, 4),
    "⅕": (1, 5),
    "⅖": (2, 5),
    "⅗": (3, 5),
    "⅘": (4, 5),
    "⅙": (1, 6),
    "⅚": (5, 6),
    "⅛": (1, 8),
    "⅜": (3, 8),
    "⅝": (5, 8),
    "⅞": (7, 8),
}
_VULGAR = "".join(_FRACTIONS)
_OPERATORS = {"+": "加", "-": "减", "*": "乘", "×": "乘", "÷": "除以", "=": "等于"}
_COMPARED = {
    ">": "大于",
    "<": "小于",
    ">=": "大于等于",
    "<=": "小于等于",
    "≥": "大于等于",
    "≤": "小于等于",
    "≠": "不等于",
    "≈": "约等于",
}
_LONE_SIGNS = {
    "±": "正负",
    "√": "根号",
    "∞": "无穷大",
    "≥": "大于等于",
    "≤": "小于等于",
    "≠": "不等于",
    "≈": "约等于",
    "∑": "求和",
    "→": "到",
    "©": "版权",
}
# 公里/小时 and 元/斤 say 每; between other words a slash is a pause.
_EACH = re.compile(
    r"(?:元|块|角|分|钱|米|里|次|个|人|度|克|斤|吨|升|瓦|字|帧|转|倍|件|步|页|辆|万|亿|千|百)\Z"
)
_OF_EACH = re.compile(
    r"(?:平方米|平米|立方米|小时|分钟|公斤|千克|秒|分|时|天|日|月|年|周|季|斤|克|吨|升|米|人|次|个|户|晚|"
    r"节|课|盒|瓶|位|张|本|页|亩|股|台|套|件|份|杯|碗|只|条)"
)


def _temperature(number: str) -> str:
    return f"零下{decimal(number[1:])}" if number.startswith("-") else decimal(number)


def _degrees(match: re.Match[str]) -> str:
    return f"{_temperature(match[1])}到{_temperature(match[2])}度"


def _one_temperature(match: re.Match[str]) -> str:
    return f"{_temperature(match[1])}{'华氏度' if match[2] in ('°F', '℉') else '度'}"


def _ratio(match: re.Match[str]) -> str:
    first, second = match[2], match[3]
    named = match[1] is not None
    # 3:20 alone is a time.
    if not named and re.fullmatch(r"[0-5]\d", second) and int(first) <= 24:
        return match[0]
    return f"{match[1] or ''}{decimal(first)}比{decimal(second)}"


def _mixed(match: re.Match[str]) -> str:
    above, below = _FRACTIONS[match[2]]
    whole = f"{cardinal(match[1])}又" if match[1] else ""
    return f"{whole}{cardinal(str(below))}分之{cardinal(str(above))}"


def _money(match: re.Match[str]) -> str:
    amount = match[2].replace(",", "")
    return f"{decimal(amount)}{match[3] or ''}{_COINS[match[1]]}"


def _measured(match: re.Match[str]) -> str:
    unit = _UNITS[match[2]]
    two = match[1] == "2" and not unit.endswith("度")
    return ("两" if two else decimal(match[1])) + unit


def _clock(match: re.Match[str]) -> str:
    hour, minute, second = (cardinal(part) for part in match.groups())
    zero = "零" if match[2].startswith("0") else ""
    return f"{hour}点{zero}{minute}分{second}秒"


def _telephone(match: re.Match[str], one: str) -> str:
    return digits(re.sub(r"\D", "", match[0]), one)


def _per(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    each = _EACH.search(text[max(0, start - 3) : start]) and _OF_EACH.match(text[end : end + 3])
    return "每" if each else "，"


def _span(match: re.Match[str]) -> str:
    """A range where the second number is greater and nothing is reckoned."""
    if float(match[1]) >= float(match[2]):
        return match[0]
    return f"{decimal(match[1])}到{decimal(match[2])}"


def _years(match: re.Match[str]) -> str:
    return f"{digits(match[1])}到{digits(match[2])}年"


def _sum(match: re.Match[str]) -> str:
    return "".join(_OPERATORS.get(sign, sign) for sign in match[0])


def _rules(one: str) -> tuple[Rule, ...]:
    return (
        rule(
            (DIGITS, ",，"),
            r"(?<![\d.,，$€£¥￥])[1-9]\d{0,2}(?:[,，]\d{3})+(?![\d.,，])",
            lambda m: cardinal(re.sub(r"\D", "", m[0])),
        ),
        rule((DIGITS, ",，"), r"(?<=\d)[,，](?=\d{3}(?!\d))", lambda m: ""),
        rule("后後", r"(?<![\d.])([5-9][05]|0[05])(?=[后後](?!来))", lambda m: digits(m[1])),
        rule(
            ":：",
            r"(?<![\d:：])([01]?\d|2[0-4])[:：]([0-5]\d)[:：]([0-5]\d)(?![\d:：])",
            _clock,
        ),
        rule("第", r"第(\d{1,12})[-–—~～至到](?=第?\d)", lambda m: f"第{cardinal(m[1])}到"),
        rule(
            "-–—~～",
            r"(?<![\d.-])(0?[1-9]|1[0-2])[-–—~～](?=(?:0?[1-9]|1[0-2])月)",
            lambda m: f"{cardinal(m[1])}到",
        ),
        rule(
            "-–—~～",
            r"(?<![\d.-])(\d{1,2})[-–—~～](?=\d{1,2}[日号號天])",
            lambda m: f"{cardinal(m[1])}到",
        ),
        rule(
            (DIGITS, "-–—~～"),
            rf"(?<![\d.])1[-–—~～]2(?=(?![月日号號级級度期届层]){MEASURE_WORDS})",
            lambda m: "一到两",
        ),
        rule("÷", r"(?<=\d) ?÷ ?(?=\d)", lambda m: "除以"),
        rule("‱", rf"({_N})‱", lambda m: f"万分之{decimal(m[1])}"),
        rule(("°", "-"), rf"(?<![\d°])-({_N})°(?![CFK])", lambda m: f"零下{decimal(m[1])}度"),
        rule(
            "-– ()（）",
            r"(?<![\d.-])(?:\+?86[- ]?)?1[3-9]\d[- –]\d{4}[- –]\d{4}(?!\d)"
            r"|(?<![\d.-])[48]00[- –]\d{3,4}[- –]\d{3,4}(?!\d)"
            r"|(?<![\d.-])[(（]?0\d{2,3}[)）]?[- –]?\d{3,4}[- –]\d{4}(?!\d)"
            r"|(?<![\d.-])(?:[(（]0\d{2,3}[)）][- –]?|0\d{2,3}[- –])\d{7,8}(?!\d)"
            r"|(?<![\d.-])[2-9]\d{3}[ -]\d{4}(?!\d)(?=$|[^\d年%])",
            partial(_telephone, one=one),
        ),
        rule("–—", r"(?<=\d)[–—](?=\d)", lambda m: "~"),
        rule("-–—~～至", r"(?<![\d.-])((?:1\d|20)\d\d)[-–—~～至](?:((?:1\d|20)\d\d))年", _years),
        rule(
            (DIGITS, "-–—~～至到"),
            rf"(?<![\d.\w])(-?{_N})(?:°C?|℃|度)?[-–—~～至到](-?{_N})(?:°C|℃|度|摄氏度)",
            _degrees,
        ),
        rule((DIGITS, "°℃℉"), rf"(?<![\d.])((?<!\d)-{_N}|{_N})(°C|℃|°F|℉)", _one_temperature),
        rule(
            ":：∶",
            rf"(比分|比例|[比以]|[\u7387]为|比为|比是|比分是|比例是|比例为)?({_N})[:：∶]({_N})(?![\d:：])(?!\s*[apAP]\.?[mM])",
            lambda m: _ratio(m)
            if m.start(2) == 0 or not re.match(r"[\d:：.]", m.string[m.start(2) - 1])
            else m[0],
        ),
        rule(
            "-",
            r"(?<=比分)(?:是|为)?(\d+)-(\d+)",
            lambda m: m[0].replace("-", "比"),
        ),
        rule(
            "月",
            r"(?<![\d.])(0?[1-9]|1[0-2])月(?:(0?[1-9]|[12]\d|3[01])(?=[日号號]))?",
            lambda m: f"{cardinal(m[1])}月{cardinal(m[2]) if m[2] else ''}",
        ),
        rule("日号號級级期", r"(?<![\d.])(\d{1,2})(?=[日号號级級期])", lambda m: cardinal(m[1])),
        rule("年", r"(?<![\d.])(\d{1,2})(?=年[级級])", lambda m: cardinal(m[1])),
        rule("第", r"第(\d{1,12})", lambda m: f"第{cardinal(m[1])}"),
        rule(_VULGAR, rf"(?:(\d+) ?)?([{_VULGAR}])", _mixed),
        rule("‰", rf"({_N})‰", lambda m: f"千分之{decimal(m[1])}"),
        rule(
            "%",
            rf"({_N})(%?)[~～–—-]({_N})%",
            lambda m: f"百分之{decimal(m[1])}到百分之{decimal(m[3])}",
        ),
        rule(
            "¥￥$€£₩₽₹",
            rf"({_COIN}) ?(\d+(?:,\d{{3}})*(?:\.\d+)?)(万|亿|千|百万|千万|萬|億)?"
            r"(?:元|块|塊|美元|欧元)?",
            _money,
        ),
        rule("$€£₩", rf"({_N})([$€£₩])", lambda m: decimal(m[1]) + _COINS[m[2]]),
        rule(
            (DIGITS, "~～–—-"),
            rf"({_N})(?:({_UNIT})?)[~～–—-](?={_N}(?:{_UNIT})(?![A-Za-z]))",
            lambda m: f"{decimal(m[1])}{_UNITS[m[2]] if m[2] else ''}到",
        ),
        rule((DIGITS, _UNIT_LETTERS), rf"(?<![A-Za-z])({_N})({_UNIT})(?![A-Za-z0-9])", _measured),
        rule(
            "<>≥≤≠≈",
            rf"(?<=[\dA-Za-z.%{_H}]) ?(>=|<=|[<>≥≤≠≈]) ?(?=[\dA-Za-z-])",
            lambda m: _COMPARED[m[1]]
            if m[1] not in "<>" or re.search(r"[\dA-Za-z%]\Z", m.string[: m.start()])
            else m[0],
        ),
        rule("*", r"(?<=\d) ?\* ?(?=\d)", lambda m: "×"),
        rule("x×", r"(?<=\d)[xX](?=\d)", lambda m: "×"),
        rule(
            "+=",
            r"(?<![A-Za-z\d])[A-Za-z\d](?:[+\-*×÷=][A-Za-z\d](?![A-Za-z\d]))+",
            lambda m: _sum(m)
            if re.search("[A-Za-z]", m[0]) and re.search(r"[+×÷=*]", m[0])
            else m[0],
        ),
        rule("".join(_LONE_SIGNS), "[" + "".join(_LONE_SIGNS) + "]", lambda m: _LONE_SIGNS[m[0]]),
        rule(
            "-–—~～",
            rf"(?<![\d.\-+×÷=:：])(\d+(?:\.\d+)?)[-–—~～](\d+(?:\.\d+)?)(?![\d.\-+×÷=:：])(?!(?:{MEASURE_WORDS}))",
            _span,
        ),
        rule(
            "-–—~～",
            r"(?<=[年月日号號点點时時分度级級])[-–—~～](?=[\d零一二三四五六七八九十])",
            lambda m: "到",
        ),
        rule("-–—~～", rf"(?<=[{_H}])[-–—~～](?={_N}(?:月|日|号))", lambda m: "到"),
        rule("々", rf"([{_H}])(々+)", lambda m: m[1] * (1 + len(m[2]))),
        rule("&＆", rf"(?<=[{_H}]) ?[&＆] ?(?=[{_H}])", lambda m: "和"),
        rule("/", rf"(?<=[{_H}]) ?/ ?(?=[{_H}一-鿿])", _per),
        rule("@#|\\_•●■◆★☆→←↑↓※*", rf"(?<=[{_H}])[@#|\\_•●■◆★☆←↑↓※*]+(?=[{_H}])", lambda m: "，"),
        rule("—–", "[—–]+", lambda m: "，" if m.start() else ""),
        rule("(（)）[]{}【】〔〕", r"[(（\[【〔]", lambda m: "，" if m.start() else ""),
        rule(
            "(（)）[]{}【】〔〕", r"[)）\]】〕]", lambda m: "，" if m.end() < len(m.string) else ""
        ),
        rule("〇", r"〇", lambda m: "零"),
        rule(
            "①②③④⑤⑥⑦⑧⑨⑩⑪⑫⑬⑭⑮⑯⑰⑱⑲⑳⓪",
            "[\u2460-\u2473\u24ea]",
            lambda m: cardinal(unicodedata.normalize("NFKC", m[0])),
        ),
        # By GPT-SoVITS's rules a number without a measure word would be read digit by digit.
        rule(
            "0",
            r"(?<![\d.A-Za-z:/\-])[1-9]\d{0,5}00(?![\d.:/%％‰年号號\-]|[电電]|热线|熱線)",
            lambda m: cardinal(m[0]),
        ),
    )


_MANDARIN, _CANTONESE = RuleTable(_rules("幺")), RuleTable(_rules("一"))
_YUE_DIGITS = RuleTable(
    (
        rule(
            "蚊個隻張條間點歲萬億塊",
            r"\d+(?=[蚊個隻張條間點歲萬億塊])",
            lambda m: "兩" if m[0] == "2" else cardinal(m[0]),
        ),
        rule(
            DIGITS,
            rf"(?<![\d.])\d{{3,}}(?![\d.:%/]|年|{MEASURE_WORDS})",
            lambda m: digits(m[0]),
        ),
    )
)


def verbalize(text: AlignedText) -> AlignedText:
    """Return Mandarin `text` with figures and signs in characters."""
    return _MANDARIN.apply(text.map(_RARE_HAN, lambda match: _common(match.group())))


def verbalize_cantonese(text: AlignedText) -> AlignedText:
    """Return Cantonese `text` with figures and signs in characters."""
    return _YUE_DIGITS.apply(_CANTONESE.apply(text))


def find_unread(text: str) -> list[int]:
    """Return the positions in verbalized `text` of characters Mandarin has no sound for."""
    odd = {letter for letter in frozenset(text) if not _is_read(letter)}
    return [at for at, letter in enumerate(text) if letter in odd] if odd else []


@lru_cache(maxsize=16384)
def _is_read(letter: str) -> bool:
    return not letter.isalnum() or letter in READ_SIGNS or is_readable(letter)


def _common(letter: str) -> str:
    return letter if is_readable(letter) else find_common_form(letter, is_readable)
