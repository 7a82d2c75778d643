"""The commands that read; see transfer_common.py, which is sent before this."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    import os
    import sys
    from collections.abc import Callable, Iterable, Iterator

    from sovdeck.remote.agent.transfer_common import (
        STAGING_FOLDER,
        STDIN,
        hash_file,
        main,
        write_line,
    )


def report_file(path: str) -> None:
    """Answer `identity`: size in bytes and modification time of a file."""
    stat = os.stat(path)
    if not os.path.isfile(path):  # a device has no end, and a pipe no beginning
        raise OSError(0, "no ordinary file", path)
    write_line("file", stat.st_size, int(stat.st_mtime))


def report_digests(block: str, path: str) -> None:
    """Answer `digest`: the SHA-256 of a file and of each of its blocks."""
    report_file(path)
    whole = hash_file(path, int(block), lambda index, part: write_line("block", index, part))
    write_line("whole", whole)
    report_file(path)


def walk_files(folder: str, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    """(path, stat) of all regular files of a folder; plain text, since there may be thousands."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = prefix + entry.name
            if entry.is_file():
                yield path, entry.stat()
            elif entry.name != STAGING_FOLDER and entry.is_dir(follow_symlinks=False):
                yield from walk_files(entry.path, path + "/")


def list_files(folder: str, *parts: str) -> None:
    """Answer `names`: size, time and path of every file of the parts of a folder."""
    os.stat(folder)  # a missing folder is not an empty one
    lines = []
    for part in parts:
        path = os.path.join(folder, part)
        relative = os.path.normpath(part)
        if os.path.isfile(path):
            found: Iterable[tuple[str, os.stat_result]] = [(relative, os.stat(path))]
        else:
            prefix = "" if relative == "." else relative + "/"
            found = walk_files(path, prefix) if os.path.isdir(path) else ()
        lines += [f"{stat.st_size} {int(stat.st_mtime)} {name}\0" for name, stat in found]
    sys.stdout.buffer.write(os.fsencode("".join(lines)) + b"end %d\0" % len(lines))
    sys.stdout.buffer.flush()


def read_paths() -> list[bytes]:
    """Read the zero-terminated paths of standard input."""
    return STDIN.read().split(b"\0")[:-1]


def report_sums(folder: str) -> None:
    """Answer `sums`: SHA-256 and size of the files that standard input names."""
    out = sys.stdout.buffer
    for name in read_paths():
        path = folder + "/" + os.fsdecode(name)
        exists = os.path.isfile(path)
        whole = hash_file(path, 0, lambda index, part: None) if exists else "-"
        size = os.stat(path).st_size if exists else 0
        out.write(f"{whole} {size} ".encode() + name + b"\0")


def send_files(folder: str) -> None:
    """Answer `send`: SHA-256, size and bytes of the files that standard input names."""
    os.stat(folder)  # a missing folder is not an empty one
    out, top = sys.stdout.buffer, os.fsencode(folder) + b"/"
    for name in read_paths():
        try:
            if not os.path.isfile(top + name):
                raise FileNotFoundError
            with open(top + name, "rb", buffering=0) as file:
                data = file.read()  # asked for small files only
        except FileNotFoundError:
            out.write(b"- 0\n")
            continue
        out.write(f"{hashlib.sha256(data).hexdigest()} {len(data)}\n".encode() + data)


if __name__ == "__main__":
    COMMANDS: dict[str, Callable[..., None]] = {
        "identity": report_file,
        "digest": report_digests,
        "names": list_files,
        "sums": report_sums,
        "send": send_files,
    }
    sys.exit(main(COMMANDS, *sys.argv[1:]))
