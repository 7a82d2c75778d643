"""The verbs that read; see transfer_common.py, which goes before this."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    import os
    import sys
    from collections.abc import Callable, Iterable, Iterator

    from remote.agent.transfer_common import SOURCE, STAGING, digest_file, main, say


def identity(path: str) -> None:
    stat = os.stat(path)
    say("file", stat.st_size, int(stat.st_mtime))


def digest(block: str, path: str) -> None:
    identity(path)
    whole = digest_file(path, int(block), lambda index, part: say("block", index, part))
    say("whole", whole)
    identity(path)


def walk(folder: str, below: str) -> Iterator[tuple[str, os.stat_result]]:
    """(path, stat) of all regular files of a folder; plain text, since there may be thousands."""
    with os.scandir(folder) as entries:
        for entry in entries:
            path = below + entry.name
            if entry.is_file():
                yield path, entry.stat()
            elif entry.name != STAGING and entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path, path + "/")


def names(folder: str, *parts: str) -> None:
    os.stat(folder)  # a missing folder is not an empty one
    lines = []
    for part in parts:
        path = os.path.join(folder, part)
        below = os.path.normpath(part)
        if os.path.isfile(path):
            found: Iterable[tuple[str, os.stat_result]] = [(below, os.stat(path))]
        else:
            start = "" if below == "." else below + "/"
            found = walk(path, start) if os.path.isdir(path) else ()
        lines += [f"{stat.st_size} {int(stat.st_mtime)} {name}\0" for name, stat in found]
    sys.stdout.buffer.write(os.fsencode("".join(lines)) + b"end %d\0" % len(lines))
    sys.stdout.buffer.flush()


def asked() -> list[bytes]:
    return SOURCE.read().split(b"\0")[:-1]


def sums(folder: str) -> None:
    out = sys.stdout.buffer
    for name in asked():
        path = folder + "/" + os.fsdecode(name)
        there = os.path.isfile(path)
        whole = digest_file(path, 0, lambda index, part: None) if there else "-"
        size = os.stat(path).st_size if there else 0
        out.write(f"{whole} {size} ".encode() + name + b"\0")


def send(folder: str, *parts: str) -> None:
    if parts:
        names(folder, *parts)
    out, top = sys.stdout.buffer, os.fsencode(folder) + b"/"
    for name in asked():
        try:
            with open(top + name, "rb", buffering=0) as file:
                data = file.read()  # asked for small files only
        except FileNotFoundError:
            out.write(b"- 0\n")
            continue
        out.write(f"{hashlib.sha256(data).hexdigest()} {len(data)}\n".encode() + data)


if __name__ == "__main__":
    VERBS: dict[str, Callable[..., None]] = {
        "identity": identity,
        "digest": digest,
        "names": names,
        "sums": sums,
        "send": send,
    }
    sys.exit(main(VERBS, *sys.argv[1:]))
