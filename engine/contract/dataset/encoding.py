"""Text lists in encodings other than UTF-8: which one it is, and its conversion.

Windows programs still write lists in the system's own encoding. Nothing is converted unasked: a
wrong guess would put wrong words into a training.
"""

from __future__ import annotations

import codecs
import re
import stat
from pathlib import Path

from sovdeck.engine.contract.atomic_io import write_atomic
from sovdeck.engine.contract.problem import ExitCode, Problem

# Python's codec by the name that people know it by.
ENCODINGS = {
    "GBK": "gb18030",
    "Shift-JIS": "cp932",
    "EUC-KR": "cp949",
    "UTF-16": "utf-16",
}
_LANGUAGE_OF = {"zh": "GBK", "yue": "GBK", "ja": "Shift-JIS", "jp": "Shift-JIS", "ko": "EUC-KR"}
_TAG = re.compile(rb"\|[ \t]*(zh|yue|ja|jp|ko)[ \t]*\|", re.IGNORECASE)
_KANA = re.compile("[\u3041-\u30fe]")
_SAMPLE_LENGTH = 16
# Characters no list of speech holds: private use, half-width kana, unassigned and control.
_UNLIKELY = re.compile("[\ue000-\uf8ff\uff61-\uff9f\x00-\x08\x0e-\x1f\x80-\x9f]")


def is_utf8(raw: bytes) -> bool:
    """Whether all of `raw` is UTF-8."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def guess_encoding(raw: bytes) -> str | None:
    """The encoding of a list that is not UTF-8: a key of ENCODINGS; None where none fits.

    The language tags of its lines decide, then how likely the characters are.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "UTF-16" if _decode(raw, "UTF-16") is not None else None
    foreign = [line for line in raw.splitlines() if not line.isascii()]
    if 2 * sum(map(is_utf8, foreign)) >= len(foreign):  # UTF-8, perhaps with a damaged line
        return None
    decoded = {name: _decode(raw, name) for name in ("GBK", "Shift-JIS", "EUC-KR")}
    fitting = {name: text for name, text in decoded.items() if text is not None}
    tags = [match.group(1).decode().lower() for match in _TAG.finditer(raw)]
    tagged = {name: sum(_LANGUAGE_OF[tag] == name for tag in tags) for name in fitting}

    def likelihood(name: str) -> tuple[int, int]:
        text = fitting[name]
        kana = len(_KANA.findall(text)) if name == "Shift-JIS" else 0
        return tagged[name], kana - 4 * len(_UNLIKELY.findall(text))

    return max(fitting, key=likelihood, default=None)


def read_sample(raw: bytes, encoding: str) -> str:
    """The first text of a list in an encoding: a person sees whether it is the right one."""
    for line in raw.decode(ENCODINGS[encoding], "replace").removeprefix("\ufeff").splitlines():
        words = line.rpartition("|")[2].strip()
        if not words.isascii():
            return words[:_SAMPLE_LENGTH]
    return ""


def convert_list(source: Path) -> tuple[str, Path]:
    """Rewrite a list as UTF-8, after a copy of it beside it; (its encoding, the copy).

    Problem when no known encoding fits, or the file cannot be written.
    """
    try:
        raw = source.read_bytes()
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.data.no_list", ExitCode.DATA, file=str(source), why=why) from error
    encoding = guess_encoding(raw)
    text = _decode(raw, encoding) if encoding else None
    if encoding is None or text is None:
        raise Problem("engine.data.no_encoding", ExitCode.DATA, file=str(source))
    source = source.resolve()  # a link keeps pointing to the list
    backup = source.with_name(f"{source.name}.{encoding.lower()}.bak")
    try:
        mode = stat.S_IMODE(source.stat().st_mode)
        if not backup.exists():
            write_atomic(backup, raw, mode=mode)
        write_atomic(source, text.removeprefix("\ufeff").encode("utf-8"), mode=mode)
    except OSError as error:
        why = error.strerror or str(error)
        raise Problem("engine.data.not_saved", ExitCode.DATA, file=str(source), why=why) from error
    return encoding, backup


def _decode(raw: bytes, name: str) -> str | None:
    try:
        return raw.decode(ENCODINGS[name])
    except UnicodeDecodeError:
        return None
