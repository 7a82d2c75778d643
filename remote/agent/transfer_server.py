"""Runs on the server: hashes files, says which are there, puts staged files in their place.

Standard library only, Python 3.7 and newer; sent as text and run with `python -I -S -c`. Its
twin transfer_server.sh speaks the same protocol where there is no Python.

    identity PATH       ->  file SIZE MTIME
    digest BLOCK PATH   ->  file SIZE MTIME / block INDEX HEX... / whole HEX / file SIZE MTIME
    have BLOCK FOLDER   <-  HEX SIZE PATH lines on stdin
                        ->  present N | staged N | block N INDEX HEX, one a line / end COUNT
    place FOLDER        <-  HEX SIZE PATH lines on stdin
                        ->  placed N | bad N, one a line / end COUNT
    keep PATH OFFSET    <-  bytes on stdin, written into the staged file from OFFSET on
    names FOLDER PART...  ->  SIZE MTIME PATH records, each ended by a zero byte / end COUNT
    sums FOLDER         <-  PATH records on stdin, each ended by a zero byte
                        ->  HEX SIZE PATH records in the same order; HEX is - without a file
    send FOLDER         <-  PATH records as above
                        ->  for each: HEX SIZE, a newline, and so many bytes of the file

N counts records from 0. A PART is a file or a folder below FOLDER; missing ones hold nothing.
Files on their way lie in FOLDER/.sovdeck-push under their SHA-256.
"""

from __future__ import annotations

import hashlib
import os
import queue
import shutil
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

STAGING = ".sovdeck-push"
STEP = 1 << 20


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def digest_file(path: Path, block: int, each: Callable[[int, str], None]) -> str:
    """SHA-256 of a whole file; with `block` > 0 also of every block of so many bytes."""
    whole, part = hashlib.sha256(), hashlib.sha256()
    index, left = 0, block
    with path.open("rb") as file:
        while True:
            data = file.read(min(STEP, left) if block else STEP)
            if not data:
                break
            whole.update(data)
            if block:
                part.update(data)
                left -= len(data)
                if not left:
                    each(index, part.hexdigest())
                    index, left, part = index + 1, block, hashlib.sha256()
    if block and left < block:
        each(index, part.hexdigest())
    return whole.hexdigest()


def identity(path: str) -> None:
    stat = Path(path).stat()
    say("file", stat.st_size, int(stat.st_mtime))


def digest(block: str, path: str) -> None:
    identity(path)
    whole = digest_file(Path(path), int(block), lambda index, part: say("block", index, part))
    say("whole", whole)
    identity(path)


def wanted() -> list[tuple[str, int, str]]:
    records = []
    for line in sys.stdin.buffer.read().split(b"\n"):
        if line:
            hexes, size, path = line.split(b" ", 2)
            records.append((hexes.decode(), int(size), os.fsdecode(path)))
    return records


def matches(path: Path, size: int, hexes: str) -> bool:
    try:
        if path.stat().st_size != size:
            return False
        return digest_file(path, 0, lambda index, part: None) == hexes
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def have(block: str, folder: str) -> None:
    staging = Path(folder, STAGING)
    staging.mkdir(parents=True, exist_ok=True)
    known: dict[str, list[tuple[object, ...]]] = {}
    records, present = wanted(), 0
    for number, (hexes, size, path) in enumerate(records):
        if matches(Path(folder, path), size, hexes):
            say("present", number)
            present += 1
            continue
        if hexes not in known:
            known[hexes] = staged(staging / hexes, size, hexes, int(block))
        for word, *facts in known[hexes]:
            say(word, number, *facts)
    if present == len(records) and not any(staging.iterdir()):
        staging.rmdir()
    say("end", len(records))


def staged(path: Path, size: int, hexes: str, block: int) -> list[tuple[object, ...]]:
    """What is staged of one content: all of it, or the digests of the blocks that are there."""
    if not path.is_file():
        return []
    blocks: list[tuple[object, ...]] = []
    whole = digest_file(path, block, lambda index, part: blocks.append(("block", index, part)))
    if whole == hexes and path.stat().st_size == size:
        return [("staged",)]
    return blocks


def marker(path: Path) -> Path:
    return path.with_name(path.name + ".sum")


def keep(target: str, offset: str) -> None:
    """Write what comes, and hash it beside the writing, so that `place` need not read it again."""
    pieces: queue.Queue[bytes] = queue.Queue(8)
    whole = hashlib.sha256()

    def follow() -> None:
        while True:
            data = pieces.get()
            if not data:
                return
            whole.update(data)

    follower = threading.Thread(target=follow)
    follower.start()
    path = Path(target)
    try:
        if marker(path).exists():
            marker(path).unlink()
        with open(os.open(target, os.O_WRONLY | os.O_CREAT, 0o644), "wb", 0) as file:  # noqa: PTH123
            file.seek(int(offset))
            while True:
                data = sys.stdin.buffer.read(STEP)
                if not data:
                    break
                pieces.put(data)
                rest = memoryview(data)
                while rest:
                    rest = rest[file.write(rest) :]
    finally:
        pieces.put(b"")
        follower.join()
    if offset == "0":
        marker(path).write_text(seen(path, whole.hexdigest()))


def seen(path: Path, hexes: str) -> str:
    """What a marker says: this content, while size and time of the file stay."""
    stat = path.stat()
    return f"{hexes} {stat.st_size} {stat.st_mtime_ns}"


def came_whole(path: Path, size: int, hexes: str) -> bool:
    """Whether a staged file is the content it is named after."""
    note = marker(path)
    if note.is_file() and path.is_file():
        known = note.read_text() == seen(path, hexes) and path.stat().st_size == size
        note.unlink()
        if known:
            return True
    return matches(path, size, hexes)


def place(folder: str) -> None:
    staging = Path(folder, STAGING)
    records = wanted()
    uses: dict[str, int] = {}
    for hexes, _, _ in records:
        uses[hexes] = uses.get(hexes, 0) + 1
    good: dict[str, bool] = {}
    made: set[Path] = set()
    for number, (hexes, size, path) in enumerate(records):
        source = staging / hexes
        if hexes not in good:
            good[hexes] = came_whole(source, size, hexes)
        if not good[hexes]:
            say("bad", number)
            continue
        target = Path(folder, path)
        if target.parent not in made:
            target.parent.mkdir(parents=True, exist_ok=True)
            made.add(target.parent)
        uses[hexes] -= 1
        if uses[hexes]:  # the same content is wanted under another name too
            copy = staging / (hexes + ".copy")
            shutil.copyfile(str(source), str(copy))
            source = copy
        source.replace(target)
        say("placed", number)
    if staging.is_dir() and not any(staging.iterdir()):
        staging.rmdir()
    say("end", len(records))


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
    top = Path(folder)
    top.stat()  # a missing folder is not an empty one
    lines = []
    for part in parts:
        path = top / part
        below = path.relative_to(top).as_posix()
        if path.is_file():
            found: Iterable[tuple[str, os.stat_result]] = [(below, path.stat())]
        else:
            found = walk(str(path), "" if below == "." else below + "/") if path.is_dir() else ()
        lines += [f"{stat.st_size} {int(stat.st_mtime)} {name}\0" for name, stat in found]
    sys.stdout.buffer.write(os.fsencode("".join(lines)) + b"end %d\0" % len(lines))


def asked() -> list[bytes]:
    return sys.stdin.buffer.read().split(b"\0")[:-1]


def sums(folder: str) -> None:
    out = sys.stdout.buffer
    for name in asked():
        path = Path(folder, os.fsdecode(name))
        there = path.is_file()
        whole = digest_file(path, 0, lambda index, part: None) if there else "-"
        size = path.stat().st_size if there else 0
        out.write(f"{whole} {size} ".encode() + name + b"\0")


def send(folder: str) -> None:
    out, top = sys.stdout.buffer, os.fsencode(folder) + b"/"
    for name in asked():
        try:
            with open(top + name, "rb", buffering=0) as file:  # noqa: PTH123 - thousands of them
                data = file.read()  # asked for small files only
        except FileNotFoundError:
            out.write(b"- 0\n")
            continue
        out.write(f"{hashlib.sha256(data).hexdigest()} {len(data)}\n".encode() + data)


def main(verb: str, *arguments: str) -> int:
    verbs: dict[str, Callable[..., None]] = {
        "identity": identity, "digest": digest, "keep": keep, "have": have, "place": place,
        "names": names, "sums": sums, "send": send,
    }  # fmt: skip
    try:
        verbs[verb](*arguments)
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"{error.filename or ''}: {error.strerror or error}\n")
        return 3 if isinstance(error, FileNotFoundError) else 4
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
