"""What runs on the laptop runs on Linux, macOS and Windows.

Held here: what only some systems have, or do in another way, stands behind a question for the
system; files are renamed over others in the one way that works everywhere; and text, of files and
of programs, names its encoding (Windows has another one by default). What this cannot show stands
in README.md: nobody has worked on Windows and macOS for long.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# remote/agent/*.py runs on servers, which are Linux; remote/embedded refuses Windows outright.
LAPTOP = [
    path
    for folder in ("remote", "tui", "engine/contract")
    for path in sorted((ROOT / folder).rglob("*.py"))
    if path.parent not in (ROOT / "remote" / "agent", ROOT / "remote" / "embedded")
]
_MODULES = """
crypt curses fcntl grp msvcrt nis ossaudiodev posix pty pwd readline resource spwd syslog
termios tty winreg winsound
"""
_OS = """
chown chroot confstr ctermid fchdir fchmod fchown fdatasync fork forkpty get_blocking getegid
geteuid getgid getgroups getloadavg getlogin getpgid getpgrp getppid getpriority getsid getuid
initgroups kill killpg lchown link lockf mkfifo mknod nice openpty pathconf pipe2 posix_fadvise
posix_fallocate posix_spawn pread preadv pwrite pwritev readv sched_getaffinity sched_setaffinity
sendfile set_blocking setgid setpgid setpriority setsid setuid startfile statvfs symlink sync
sysconf tcgetpgrp ttyname uname wait wait3 wait4 waitpid writev O_CLOEXEC O_DIRECTORY O_DSYNC
O_NOFOLLOW O_NONBLOCK O_SYNC WNOHANG
"""
# Renaming onto what exists fails on Windows alone: `replace`, or a name that is free.
_RENAMES = "rename renames"
_SIGNAL = """
SIGALRM SIGCHLD SIGCONT SIGHUP SIGKILL SIGPIPE SIGQUIT SIGSTOP SIGTSTP SIGUSR1 SIGUSR2 SIGWINCH
alarm pause pthread_kill pthread_sigmask setitimer sigwait
"""
MODULES = frozenset(_MODULES.split())
ATTRIBUTES = {
    "os": frozenset(f"{_OS} {_RENAMES} popen system".split()),
    "signal": frozenset(_SIGNAL.split()),
    "socket": frozenset({"AF_UNIX", "SO_REUSEADDR", "SO_REUSEPORT", "MSG_DONTWAIT"}),
    "select": frozenset({"select", "poll", "epoll", "kqueue"}),  # select: of sockets alone there
    "shutil": frozenset({"move"}),
    "tempfile": frozenset({"NamedTemporaryFile"}),  # kept open, nobody else can open it there
    "time": frozenset({"tzset", "clock_gettime"}),
}
_METHODS = """
add_reader add_signal_handler add_writer open_unix_connection start_unix_server
hardlink_to is_mount owner recvmsg sendmsg symlink_to
"""
METHODS = frozenset(_METHODS.split())
# Arguments of programs that are started; `start_new_session` is passed over in silence there.
KEYWORDS = frozenset({"pass_fds", "preexec_fn", "process_group", "umask"})


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
    if isinstance(node, ast.keyword):
        return node.arg if node.arg in KEYWORDS else ""
    if isinstance(node, ast.Call):
        return only_some_understand(node)
    return ""


def only_some_understand(call: ast.Call) -> str:
    """What a call asks for in words that only some systems take; "" for anything else."""
    name = ast.unparse(call.func).rpartition(".")[2]
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    if "start_new_session" in given and "creationflags" not in given:
        return "start_new_session"  # CREATE_NEW_PROCESS_GROUP is the same on Windows
    first = call.args[0] if call.args else None
    if not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return ""
    # On Windows that is a folder of the current drive, which anybody may make.
    if name == "Path" and first.value.startswith("/"):
        return f"Path({first.value!r})"
    # What glibc's strftime alone knows.
    odd = re.search(r"%[-_0^#+klPs]", first.value)
    return f"{name}({first.value!r})" if name == "strftime" and odd else ""


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
        elif given & {"text", "universal_newlines"} and "encoding" not in given:
            if name in ("Popen", "run", "check_output"):
                yield node.lineno, name


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
        ("os.kill(1, signal.SIGKILL)", [(1, "os.kill"), (1, "signal.SIGKILL")]),
        ("if sys.platform == 'linux':\n    import fcntl", []),
        ("x = os.getuid() if os.name == 'posix' else 0", []),
        ("def f():\n    if sys.platform == 'win32':\n        return\n    os.setsid()", []),
        (
            "def f():\n    if sys.platform == 'win32':\n        g()\n    os.setsid()",
            [(4, "os.setsid")],
        ),
        ("os.rename(a, b)", [(1, "os.rename")]),
        ("Path('/etc/ssh')", [(1, "Path('/etc/ssh')")]),
        ("PurePosixPath('/etc/ssh')", []),
        ("time.strftime('%-d. %m')", [(1, "strftime('%-d. %m')")]),
        ("time.strftime('%Y-%m-%d %H:%M:%S')", []),
        ("Popen(argv, preexec_fn=f)", [(1, "preexec_fn")]),
        ("Popen(argv, start_new_session=True)", [(1, "start_new_session")]),
        ("Popen(argv, start_new_session=True, creationflags=0)", []),
        ("link.symlink_to(target)", [(1, "symlink_to")]),
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
        "subprocess.run(argv, text=True)",
        "subprocess.run(argv, text=True, encoding='utf-8')",
    )
    found = without_encoding(ast.parse("\n".join(lines)))
    assert [line for line, _ in found] == [1, 2, 5, 6]
