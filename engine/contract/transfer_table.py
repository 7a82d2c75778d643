"""Parameters of packing and downloading (user guide: packing the model, downloading it)."""

from __future__ import annotations

from sovdeck.engine.contract.catalogue import Text
from sovdeck.engine.contract.param import Param

TABLE: tuple[Param, ...] = (
    Param(
        "pack.contents",
        "choice",
        "voice",
        Text("Contents", "打包内容"),
        Text(
            "What goes into the archive: the chosen pair with its reference, every epoch, or everything needed to continue.",
            "打包内容：选定模型与参考音、全部轮次，或可续训的全部文件。",
        ),
        choices=("voice", "all-epochs", "resumable"),
        recommended=Text("voice", "voice"),
        advice=Text(
            "Replaces `zip -r ... GPT_weights/NAME SoVITS_weights/NAME`; no zip tool or sudo is needed.",
            "代替 `zip -r ... GPT_weights/NAME SoVITS_weights/NAME`；不需要安装 zip，也不需要 sudo。",
        ),
    ),
    Param(
        "pull.dest",
        "path",
        "./voices",
        Text("Destination", "保存位置"),
        Text("Where the archive lands on this computer.", "压缩包存到本机何处。"),
        advice=Text(
            "Replaces `scp`; IPv6 addresses and odd ports need no quoting here.",
            "代替 `scp`；IPv6 地址和特殊端口都不用手动加引号。",
        ),
    ),
    Param(
        "pull.verify",
        "bool",
        True,
        Text("Verify", "校验"),
        Text("Compare SHA-256 checksums on both sides.", "两端比较 SHA-256 校验值。"),
        recommended=Text("on", "开"),
    ),
    Param(
        "pull.resume",
        "bool",
        True,
        Text("Resume", "断点续传"),
        Text(
            "Continue a broken transfer instead of starting again.",
            "传输中断后接着传，而不是从头再来。",
        ),
        recommended=Text("on", "开"),
    ),
    Param(
        "host.address",
        "text",
        "",
        Text("Address", "地址"),
        Text(
            "Server address; IPv6 needs no brackets here, they are added when needed.",
            "服务器地址；IPv6 无需手写方括号，程序会自动添加。",
        ),
    ),
    Param(
        "host.port",
        "int",
        22,
        Text("Port", "端口"),
        Text("SSH port, from the line your provider prints.", "SSH 端口，见服务商给出的登录命令。"),
        low=1,
        high=65535,
    ),
    Param(
        "host.user",
        "text",
        "root",
        Text("User", "用户名"),
        Text("Login name on the server.", "服务器登录名。"),
    ),
    Param(
        "host.family",
        "choice",
        "auto",
        Text("Address family", "地址类型"),
        Text("Use IPv4, IPv6, or whichever answers first.", "使用 IPv4、IPv6，或先连通的那个。"),
        choices=("auto", "4", "6"),
        recommended=Text("auto", "auto"),
    ),
)
