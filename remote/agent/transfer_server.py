"""Runs on the server: hashes files, says which are there, puts staged files in their place.

Standard library only, Python 3.7 and newer; sent as text and run with `python -I -S -c`. Its
twin transfer_server.sh speaks the same protocol where there is no Python. It starts for every
question, so it imports what starts fast and works with plain paths.

    identity PATH       ->  file SIZE MTIME
    digest BLOCK PATH   ->  file SIZE MTIME / block INDEX HEX... / whole HEX / file SIZE MTIME
    have BLOCK FOLDER   <-  HEX SIZE PATH lines on stdin
                        ->  present N | staged N | block N INDEX HEX, one a line / end COUNT
    take FOLDER         <-  a tar of contents to stage, each named by its HEX
    keep FOLDER HEX OFFSET  <-  bytes on stdin, written into the staged content from OFFSET on
    place FOLDER        <-  HEX SIZE PATH lines on stdin
                        ->  placed N | bad N, one a line / end COUNT
    names FOLDER PART...  ->  SIZE MTIME PATH records, each ended by a zero byte / end COUNT
    sums FOLDER         <-  PATH records on stdin, each ended by a zero byte
                        ->  HEX SIZE PATH records in the same order; HEX is - without a file
    send FOLDER PART... ->  what `names` says, when there is a PART
                        <-  PATH records as above
                        ->  for each: HEX SIZE, a newline, and so many bytes of the file

N counts records from 0. A PART is a file or a folder below FOLDER; missing ones hold nothing.
Contents on their way lie in FOLDER/.sovdeck-push under their SHA-256. What was hashed while it
was written stands in the notes there, so that `place` need not read it again.
"""

from __future__ import annotations

import hashlib
import os
import sys

TYPE_CHECKING = False  # known to type checkers without importing anything
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO

# A pipe gives 64 kB at a time; the usual buffer would ask for eight.
SOURCE = os.fdopen(0, "rb", 1 << 20, closefd=False)
STAGING = ".sovdeck-push"
NOTES = "notes"
STEP = 1 << 20
BLOCK = 512  # of a tar


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def digest_file(path: str, block: int, each: Callable[[int, str], None]) -> str:
    """SHA-256 of a whole file; with `block` > 0 also of every block of so many bytes."""
    whole, part = hashlib.sha256(), hashlib.sha256()
    index, left = 0, block
    with open(path, "rb", 0) as file:
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
    stat = os.stat(path)
    say("file", stat.st_size, int(stat.st_mtime))


def digest(block: str, path: str) -> None:
    identity(path)
    whole = digest_file(path, int(block), lambda index, part: say("block", index, part))
    say("whole", whole)
    identity(path)


def wanted() -> list[tuple[str, int, str]]:
    records = []
    # What follows the last newline is half a record, of a line that was cut.
    for line in SOURCE.read().split(b"\n")[:-1]:
        hexes, size, path = line.split(b" ", 2)
        records.append((hexes.decode(), int(size), os.fsdecode(path)))
    return records


def matches(path: str, size: int, hexes: str) -> bool:
    try:
        if os.stat(path).st_size != size:
            return False
        return digest_file(path, 0, lambda index, part: None) == hexes
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def have(block: str, folder: str) -> None:
    staging = folder + "/" + STAGING
    os.makedirs(staging, exist_ok=True)
    # Notes of an earlier push say nothing of what a crash since then left on the disk.
    with open(staging + "/" + NOTES, "wb"):
        pass
    known: dict[str, list[tuple[object, ...]]] = {}
    records, present = wanted(), 0
    for number, (hexes, size, path) in enumerate(records):
        if matches(folder + "/" + path, size, hexes):
            say("present", number)
            present += 1
            continue
        if hexes not in known:
            known[hexes] = staged(staging + "/" + hexes, size, hexes, int(block))
        for word, *facts in known[hexes]:
            say(word, number, *facts)
    note(staging, [hexes for hexes in known if known[hexes] == [("staged",)]])
    if present == len(records):
        tidy(staging)
    say("end", len(records))


def staged(path: str, size: int, hexes: str, block: int) -> list[tuple[object, ...]]:
    """What is staged of one content: all of it, or the digests of the blocks that are there."""
    if not os.path.isfile(path):
        return []
    blocks: list[tuple[object, ...]] = []
    whole = digest_file(path, block, lambda index, part: blocks.append(("block", index, part)))
    if whole == hexes and os.stat(path).st_size == size:
        return [("staged",)]
    return blocks


def tidy(staging: str) -> None:
    """Take the staging folder away when only the notes are left."""
    if os.path.isdir(staging) and set(os.listdir(staging)) <= {NOTES}:
        if os.path.exists(staging + "/" + NOTES):
            os.unlink(staging + "/" + NOTES)
        os.rmdir(staging)


def seen(staging: str, hexes: str) -> str:
    """A note: a staged content was right, while size and time of its file stay."""
    stat = os.stat(staging + "/" + hexes)
    return f"{hexes} {stat.st_size} {stat.st_mtime_ns}"


def note(staging: str, contents: Iterable[str]) -> None:
    lines = "".join(seen(staging, hexes) + "\n" for hexes in contents)
    if not lines:
        return
    with open(staging + "/" + NOTES, "ab", 0) as file:  # one write: others note beside us
        file.write(lines.encode())


def store(staging: str, hexes: str, offset: int, most: int) -> tuple[str, int]:
    """Write up to `most` bytes of the input into a staged content; their SHA-256 and number."""
    whole, left = hashlib.sha256(), most
    # Not emptied first: whoever still writes the same content there writes the same bytes.
    handle = os.open(staging + "/" + hexes, os.O_WRONLY | os.O_CREAT, 0o644)
    with open(handle, "wb", 0) as file:
        file.seek(offset)
        while left:
            data = SOURCE.read(min(STEP, left))
            if not data:
                break
            write_all(file, data)
            whole.update(data)
            left -= len(data)
        if not left:
            file.truncate()
    return whole.hexdigest(), most - left


def write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def take(folder: str) -> None:
    """Stage what comes; a content that is not what its name says gets no note."""
    staging, source = folder + "/" + STAGING, SOURCE
    good = []
    while True:
        head = source.read(BLOCK)
        if len(head) < BLOCK or not head[0]:
            break
        hexes, size = head[:64].decode(), int(head[124:135], 8)
        if set(hexes) - set("0123456789abcdef"):
            raise OSError(0, "not a content", hexes)
        if store(staging, hexes, 0, size)[0] == hexes:
            good.append(hexes)
        source.read(-size % BLOCK)
    note(staging, good)
    while source.read(STEP):  # to the very end: its sender must not find the door shut
        pass


def keep(folder: str, hexes: str, offset: str) -> None:
    staging = folder + "/" + STAGING
    whole, size = store(staging, hexes, int(offset), 1 << 62)
    if offset == "0" and whole == hexes and os.stat(staging + "/" + hexes).st_size == size:
        note(staging, [hexes])


def place(folder: str) -> None:
    staging = folder + "/" + STAGING
    records = wanted()
    uses: dict[str, int] = {}
    for hexes, _, _ in records:
        uses[hexes] = uses.get(hexes, 0) + 1
    notes = noted(staging)
    good: dict[str, bool] = {}
    made: set[str] = set()
    for number, (hexes, size, path) in enumerate(records):
        source = staging + "/" + hexes
        if hexes not in good:
            good[hexes] = came_whole(staging, size, hexes, notes)
        if not good[hexes]:
            say("bad", number)
            continue
        target = folder + "/" + path
        parent = os.path.dirname(target)
        if parent not in made:
            os.makedirs(parent, exist_ok=True)
            made.add(parent)
        uses[hexes] -= 1
        if uses[hexes]:  # the same content is wanted under another name too
            copy(source, source + ".copy")
            source += ".copy"
        os.replace(source, target)
        say("placed", number)
    tidy(staging)
    say("end", len(records))


def noted(staging: str) -> set[str]:
    try:
        with open(staging + "/" + NOTES, encoding="ascii", errors="replace") as file:
            return set(file.read().splitlines())
    except FileNotFoundError:
        return set()


def came_whole(staging: str, size: int, hexes: str, notes: set[str]) -> bool:
    """Whether a staged file is the content it is named after."""
    path = staging + "/" + hexes
    if os.path.isfile(path) and os.stat(path).st_size == size and seen(staging, hexes) in notes:
        return True
    return matches(path, size, hexes)


def copy(source: str, target: str) -> None:
    with open(source, "rb", 0) as old, open(target, "wb", 0) as fresh:
        while True:
            data = old.read(STEP)
            if not data:
                return
            write_all(fresh, data)


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


def main(verb: str, *arguments: str) -> int:
    verbs: dict[str, Callable[..., None]] = {
        "identity": identity, "digest": digest, "keep": keep, "have": have, "take": take,
        "place": place, "names": names, "sums": sums, "send": send,
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
