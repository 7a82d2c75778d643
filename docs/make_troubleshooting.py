"""Writes docs/troubleshooting.md and its Chinese twin from the catalogue: `make docs`.

Every sentence that comes with a remedy stands there, grouped by what it is about.
"""

from __future__ import annotations

import string
from pathlib import Path

from sovdeck.engine.contract.catalogue import Language, Text, list_files, load_entries

FOLDER = Path(__file__).resolve().parent
PAGES: dict[Language, Path] = {
    "en": FOLDER / "troubleshooting.md",
    "zh": FOLDER / "zh" / "troubleshooting.md",
}
TITLE = Text("Troubleshooting by message", "按提示排查故障")
ABOUT = Text(
    "Search this page for the words of the message you see. Capital letters stand for what the "
    "message names: a server, a file, a number. The line below it says what to do; the code is "
    "`code` in `--json`. `sovdeck doctor` looks a whole server over; in the dashboard F9 lists "
    "what was said. Made from the catalogue by `make docs`.",
    "在本页搜索您看到的提示。大写字母代表提示中的名字：服务器、文件、数字。"
    "下面一行是处理办法；代号是 `--json` 中的 `code`。`sovdeck doctor` 会检查整台服务器；"
    "仪表盘中按 F9 查看消息记录。由 `make docs` 从句子目录生成。",
)
# What a person is doing when the message comes, by the beginnings of its keys; the last takes
# what is left.
SECTIONS: tuple[tuple[Text, tuple[str, ...]], ...] = (
    (
        Text("Connecting and logging in", "连接与登录"),
        (
            *("remote.host.", "remote.connection.", "remote.auth.", "remote.sshconfig."),
            *("tui.ssh_prompts.", "tui.add_server.", "tui.servers", "tui.forward."),
        ),
    ),
    (
        Text("Looking a server over and deploying", "检查与部署服务器"),
        (
            *("remote.probe.", "remote.gpu.", "remote.deploy.", "remote.ready.", "remote.models."),
            *("tui.deploy.", "engine.pretrained."),
        ),
    ),
    (
        Text("Recordings and texts", "录音与文本"),
        (
            *("engine.data.", "engine.report.", "engine.gather.", "engine.asr.", "engine.text."),
            *("engine.plan.", "tui.dataset."),
        ),
    ),
    (
        Text("Training", "训练"),
        (
            *("engine.run.", "engine.training.", "engine.spec.", "engine.params.", "remote.job."),
            *("tui.train.", "tui.monitor.", "tui.logs."),
        ),
    ),
    (
        Text("Uploading and downloading", "上传与下载"),
        ("remote.transfer.", "remote.archive.", "remote.upstream.", "engine.pack.", "tui.voices."),
    ),
    (
        Text("Speaking and comparing", "合成与比较"),
        (
            *("engine.speaking.", "engine.similarity.", "engine.weights.", "engine.convert."),
            *("engine.layout.", "remote.speak.", "tui.speak", "tui.audition", "tui.blind_vote"),
            *("tui.trim_reference.", "tui.playback.", "engine.book.", "tui.read."),
        ),
    ),
    (Text("Settings, notices, and the rest", "设置、通知及其他"), ("",)),
)
# Files whose hints explain a key or a field of the screen: no message has them.
EXPLANATIONS = ("tui.actions.", "tui.settings.")


def page(language: Language) -> str:
    """The whole page, as Markdown."""
    left = {
        f"{package}.{file}.{name}": entry
        for package in ("engine", "remote", "tui")
        for file in list_files(package)
        for name, entry in load_entries(package, file).items()
        if "hint_en" in entry
    }
    left = {key: entry for key, entry in left.items() if not key.startswith(EXPLANATIONS)}
    lines = [f"# {TITLE.get(language)}", "", ABOUT.get(language)]
    for title, beginnings in SECTIONS:
        keys = [key for key in left if key.startswith(beginnings)]
        entries = [(key, left.pop(key)) for key in keys]
        lines += ["", f"## {title.get(language)}"]
        for key, entry in entries:
            sentence, remedy = (plain(entry[part + language]) for part in ("", "hint_"))
            lines += ["", f"**{sentence}**  ", f"{remedy}  ", f"`{key}`"]
    return "\n".join(lines) + "\n"


def plain(template: str) -> str:
    """A sentence with the names of its facts in capitals, on one line, as Markdown shows it."""
    parts = []
    for before, name, spec, _ in string.Formatter().parse(template):
        parts.append(before)
        if name is not None:
            words = f" {spec.split('|')[1]}" if spec and "|" in spec else ""
            parts.append(name.upper() + words)
    text = " ".join("".join(parts).split())
    for sign in "\\*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text


if __name__ == "__main__":
    for code, path in PAGES.items():
        path.write_text(page(code), encoding="utf-8")
