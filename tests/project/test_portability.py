"""What runs on the laptop runs on Linux, macOS and Windows.

Held here: what only some systems have stands behind a question for the system, and text files name
their encoding (Windows has another one by default). What this cannot show stands in README.md:
nobody has worked on Windows and macOS for long.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# remote/agent/*.py runs on servers, which are Linux.
LAPTOP = [
    path
    for folder in ("remote", "tui", "engine/contract")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if not path.is_relative_to(ROOT / "remote" / "agent")
]
_MODULES = """
crypt fcntl grp msvcrt pty pwd readline resource syslog termios tty winreg
"""
_OS = """
chown chroot fchmod fchown fork forkpty getegid geteuid getgid getlogin getpgid getpgrp getppid
getsid getuid initgroups killpg lchown mkfifo mknod nice openpty posix_spawn sched_getaffinity
setgid setpgid setsid setuid statvfs sync uname wait wait3 wait4 waitpid WNOHANG O_NOFOLLOW
O_DIRECTORY O_CLOEXEC O_NONBLOCK startfile
"""
_SIGNAL = """
SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 SIGWINCH
alarm pause pthread_kill pthread_sigmask setitimer sigwait
"""
MODULES = frozenset(_MODULES.split())
ATTRIBUTES = {
    "os": frozenset(_OS.split()),
    "signal": frozenset(_SIGNAL.split()),
    "socket": frozenset({"AF_UNIX"}),
    "select": frozenset({"poll", "epoll", "kqueue"}),
    "time": frozenset({"tzset", "clock_gettime"}),
}
METHODS = frozenset({"add_signal_handler", "add_reader", "add_writer"})


def unguarded(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, name) of what some systems lack, where nothing around it asks for the system."""
    found = [(node, name) for node in ast.walk(tree) if (name := only_some_have(node))]
    if not found:
        return
    parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
    for node, name in found:
        if not is_guarded(node, parents):
            yield node.lineno, name  # type: ignore[attr-defined]


def only_some_have(node: ast.AST) -> str:
    """The name of what some systems lack; "" for anything else."""
    if isinstance(node, ast.Import):
        return next((one.name for one in node.names if one.name in MODULES), "")
    if isinstance(node, ast.ImportFrom) and node.module in MODULES:
        return str(node.module)
    if isinstance(node, ast.Attribute):
        if isinstance(node.value, ast.Name) and node.attr in ATTRIBUTES.get(node.value.id, ()):
            return f"{node.value.id}.{node.attr}"
        return node.attr if node.attr in METHODS else ""
    return ""


def is_guarded(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """Whether a branch around `node`, or an early return before it, depends on the system."""
    while node in parents:
        inner, node = node, parents[node]
        if isinstance(node, (ast.If, ast.IfExp)) and asks_for_system(node.test):
            return True
        for statement in getattr(node, "body", []) if isinstance(node, ast.FunctionDef) else []:
            if statement is inner:
                break
            if isinstance(statement, ast.If) and asks_for_system(statement.test):
                return isinstance(statement.body[-1], (ast.Return, ast.Raise))
    return False


def asks_for_system(test: ast.expr) -> bool:
    words = ast.unparse(test)
    return "sys.platform" in words or "os.name" in words


def without_encoding(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, call) of text files read or written in whatever encoding the system prefers."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
        given = {keyword.arg for keyword in node.keywords}
        if name in ("read_text", "write_text"):
            positional = 1 if name == "read_text" else 2
            if "encoding" not in given and len(node.args) < positional:
                yield node.lineno, name
        elif name == "open" and is_text(node) and "encoding" not in given:
            yield node.lineno, ast.unparse(node)


def is_text(call: ast.Call) -> bool:
    """Whether a call of `open` names a mode of text, or is the builtin without one."""
    modes = [*call.args, *(word.value for word in call.keywords if word.arg == "mode")]
    named = [one.value for one in modes if isinstance(one, ast.Constant)]
    texts = [one for one in named if isinstance(one, str) and set(one) <= set("rwaxtb+")]
    if texts:
        return "b" not in texts[0]
    return isinstance(call.func, ast.Name)  # much else has a method called open


@pytest.mark.parametrize("path", LAPTOP, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_stops_it_elsewhere(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert list(unguarded(tree)) == []
    assert list(without_encoding(tree)) == []


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("import fcntl", [(1, "fcntl")]),
        ("os.kill(1, signal.SIGKILL)", [(1, "signal.SIGKILL")]),
        ("if sys.platform == 'linux':\n    import fcntl", []),
        ("x = os.getuid() if os.name == 'posix' else 0", []),
        ("def f():\n    if sys.platform == 'win32':\n        return\n    os.setsid()", []),
        (
            "def f():\n    if sys.platform == 'win32':\n        g()\n    os.setsid()",
            [(4, "os.setsid")],
        ),
    ],
)
def test_a_guard_is_told_from_none(code: str, found: list[tuple[int, str]]) -> None:
    assert list(unguarded(ast.parse(code))) == found


def test_an_encoding_is_asked_for() -> None:
    lines = (
        "p.read_text()",
        "p.open('a')",
        "p.open('rb')",
        "open(p, 'w', encoding='utf-8')",
        "p.write_text('x')",
    )
    found = without_encoding(ast.parse("\n".join(lines)))
    assert [line for line, _ in found] == [1, 2, 5]
