"""Runs on the server: hashes files, says which are there, puts staged files in their place.

Standard library only, Python 3.7 and newer; sent as text and run with `python -I -S -c`. The twin
transfer_server.sh speaks the same protocol where there is no Python. It starts for every request,
so it imports what starts fast and works with plain paths.

    identity PATH       ->  file SIZE MTIME
    digest BLOCK PATH   ->  file SIZE MTIME / block INDEX HEX... / whole HEX / file SIZE MTIME
    names FOLDER PART...  ->  SIZE MTIME PATH records, each ended by a zero byte / end
    sums FOLDER         <-  PATH records on stdin, each ended by a zero byte
                        ->  HEX SIZE PATH records in the same order; HEX is - without a file
    send FOLDER         <-  PATH records as above
                        ->  for each: HEX SIZE, a newline, and so many bytes of the file
    begin FOLDER        <-  NAME SIZE PATH lines on stdin
                        ->  begun N, one a line, for what nothing is there of / end COUNT
    have BLOCK FOLDER   <-  HEX SIZE PATH lines on stdin
                        ->  present N | staged N | block N INDEX HEX, one a line / end COUNT
    take FOLDER         <-  a tar of contents to stage, each named by its HEX
    keep FOLDER NAME OFFSET  <-  bytes on stdin, written into the staged content from OFFSET on
    place FOLDER        <-  +NAME END lines, then HEX SIZE PATH lines on stdin
                        ->  placed N | bad N, one a line / end COUNT

N counts records from 0. A PART is a file or a folder below FOLDER; missing ones hold nothing.
Contents on their way lie in FOLDER/.sovdeck-push under their SHA-256. One that is still being
hashed here lies there under another NAME, and a record that begins HEX=NAME tells what it was
from then on. What was hashed while it was written stands in the notes there, and `place` hashes
what it hears of while it comes: up to END its bytes stand. So it need not read them again.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys

TYPE_CHECKING = False  # known to type checkers without importing anything
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import BinaryIO

    Record = tuple[str, int, str]

# A pipe gives 64 kB at a time; the usual buffer would ask for eight.
STDIN = io.BufferedReader(io.FileIO(0, closefd=False), 1 << 20)
STAGING_FOLDER = ".sovdeck-push"
NOTES_FILE = "notes"
CHUNK_BYTES = 1 << 20
TAR_BLOCK_BYTES = 512
HEX_DIGITS = frozenset("0123456789abcdef")


def write_line(*words: object) -> None:
    """Write one line of the answer, its words separated by spaces."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def hash_file(path: str, block: int = 0) -> tuple[str, list[str]]:
    """SHA-256 of a whole file; with `block` > 0 also of every block of so many bytes."""
    whole, blocks = hashlib.sha256(), []
    left = 0
    with open(path, "rb", 0) as file:
        while True:
            data = file.read(min(CHUNK_BYTES, left or block or CHUNK_BYTES))
            if not data:
                break
            whole.update(data)
            if block:
                if not left:
                    blocks.append(hashlib.sha256())
                    left = block
                blocks[-1].update(data)
                left -= len(data)
    return whole.hexdigest(), [one.hexdigest() for one in blocks]


def report_file(path: str) -> None:
    """Answer `identity`: size in bytes and modification time of a file."""
    stat = os.stat(path)
    if not os.path.isfile(path):  # a device has no end, and a pipe no beginning
        raise OSError(0, "no ordinary file", path)
    write_line("file", stat.st_size, int(stat.st_mtime))


def report_digests(block: str, path: str) -> None:
    """Answer `digest`: the SHA-256 of a file and of each of its blocks."""
    report_file(path)
    whole, blocks = hash_file(path, int(block))
    for index, part in enumerate(blocks):
        write_line("block", index, part)
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
    for part in parts:
        path = os.path.join(folder, part)
        relative = os.path.normpath(part)
        if os.path.isfile(path):
            found: Iterable[tuple[str, os.stat_result]] = [(relative, os.stat(path))]
        else:
            prefix = "" if relative == "." else relative + "/"
            found = walk_files(path, prefix) if os.path.isdir(path) else ()
        lines = (f"{stat.st_size} {int(stat.st_mtime)} {name}\0" for name, stat in found)
        sys.stdout.buffer.write(os.fsencode("".join(lines)))
    sys.stdout.buffer.write(b"end\0")


def read_paths() -> list[bytes]:
    """Read the zero-terminated paths of standard input."""
    return STDIN.read().split(b"\0")[:-1]


def report_sums(folder: str) -> None:
    """Answer `sums`: SHA-256 and size of the files that standard input names."""
    for name in read_paths():
        path = folder + "/" + os.fsdecode(name)
        exists = os.path.isfile(path)
        facts = f"{hash_file(path)[0]} {os.stat(path).st_size} " if exists else "- 0 "
        sys.stdout.buffer.write(facts.encode() + name + b"\0")


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


def read_records(folder: str) -> list[Record]:
    """Read (SHA-256, size, path) records to the end of input; a HEX=NAME file is renamed first."""
    staging = folder + "/" + STAGING_FOLDER + "/"
    records = []
    # What follows the last newline is half a record, of a line that was cut.
    for line in STDIN.read().split(b"\n")[:-1]:
        first, size, path = line.split(b" ", 2)
        sha256, _, name = first.decode().partition("=")
        if name and os.path.exists(staging + name):
            os.replace(staging + name, staging + sha256)
        records.append((sha256, int(size), os.fsdecode(path)))
    return records


def file_matches(path: str, size: int, sha256: str) -> bool:
    """Whether a file has that size and SHA-256."""
    try:
        return os.stat(path).st_size == size and hash_file(path)[0] == sha256
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def begin_contents(folder: str) -> None:
    """Carry out `begin`: make files for contents of which nothing is there, each for one push."""
    staging = folder + "/" + STAGING_FOLDER
    os.makedirs(staging, exist_ok=True)
    # Anything that is staged may be any of them, under its SHA-256.
    empty = set(os.listdir(staging)) <= {NOTES_FILE}
    records = read_records(folder)
    for number, (name, size, path) in enumerate(records):
        target = folder + "/" + path
        if not empty or (os.path.isfile(target) and os.stat(target).st_size == size):
            continue
        try:
            os.close(os.open(staging + "/" + name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644))
        except FileExistsError:  # another push has just begun it
            continue
        write_line("begun", number)
    write_line("end", len(records))


def report_present(block: str, folder: str) -> None:
    """Answer `have`: which records are present, staged whole, or staged in blocks."""
    staging = folder + "/" + STAGING_FOLDER
    os.makedirs(staging, exist_ok=True)
    # Notes of an earlier push say nothing of what a crash since then left on the disk.
    with open(staging + "/" + NOTES_FILE, "wb"):
        pass
    records = read_records(folder)
    known: dict[str, list[tuple[object, ...]]] = {}
    present = 0
    for number, (sha256, size, path) in enumerate(records):
        if file_matches(folder + "/" + path, size, sha256):
            write_line("present", number)
            present += 1
            continue
        if sha256 not in known:
            known[sha256] = inspect_staged(staging, size, sha256, int(block))
        for word, *facts in known[sha256]:
            write_line(word, number, *facts)
    if present == len(records):
        remove_empty_staging(staging)
    write_line("end", len(records))


def inspect_staged(staging: str, size: int, sha256: str, block: int) -> list[tuple[object, ...]]:
    """Say what is staged of one content: all of it, or the digests of the blocks there."""
    path = staging + "/" + sha256
    if not os.path.isfile(path):
        return []
    stat = os.stat(path)
    if file_matches(path, size, sha256):
        append_notes(staging, [format_note(sha256, stat)])
        return [("staged",)]
    return [("block", index, part) for index, part in enumerate(hash_file(path, block)[1])]


def remove_empty_staging(staging: str) -> None:
    """Remove the staging folder when only the notes are left."""
    if os.path.isdir(staging) and set(os.listdir(staging)) <= {NOTES_FILE}:
        if os.path.exists(staging + "/" + NOTES_FILE):
            os.unlink(staging + "/" + NOTES_FILE)
        os.rmdir(staging)


def format_note(sha256: str, stat: os.stat_result) -> str:
    """Format a note: a staged file was verified, valid while its size and time stay."""
    return f"{sha256} {stat.st_size} {stat.st_mtime_ns}"


def append_notes(staging: str, notes: Iterable[str]) -> None:
    """Append notes with a single write: others note beside us."""
    with open(staging + "/" + NOTES_FILE, "ab", 0) as file:
        file.write("".join(one + "\n" for one in notes).encode())


def receive_tar(folder: str) -> None:
    """Carry out `take`: stage a tar of contents; those whose SHA-256 is their name are noted."""
    staging = folder + "/" + STAGING_FOLDER
    notes: set[str] = set()
    while True:
        head = STDIN.read(TAR_BLOCK_BYTES)
        if len(head) < TAR_BLOCK_BYTES or not head[0]:
            break
        sha256, size = head[:64].decode(), int(head[124:135], 8)
        if set(sha256) - HEX_DIGITS:
            raise OSError(0, "not a content", sha256)
        if not notes:
            os.makedirs(staging, exist_ok=True)  # another push may just have removed it
        whole, stat = write_input(staging + "/" + sha256, 0, size)
        if whole == sha256:
            notes.add(format_note(sha256, stat))
        STDIN.read(-size % TAR_BLOCK_BYTES)
    if notes:
        append_notes(staging, notes)
    while STDIN.read(CHUNK_BYTES):  # to the very end, so that its sender meets no closed pipe
        pass


def write_input(path: str, offset: int, max_bytes: int) -> tuple[str, os.stat_result]:
    """Write up to `max_bytes` of input into a file; return their SHA-256 and the file's stat."""
    whole, left = hashlib.sha256(), max_bytes
    # Not emptied first: whoever still writes the same content there writes the same bytes.
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT, 0o644), "wb") as file:
        file.seek(offset)
        while left:
            data = STDIN.read(min(CHUNK_BYTES, left))
            if not data:
                break
            file.write(data)
            whole.update(data)
            left -= len(data)
        if not left:
            file.truncate()
        file.flush()
        return whole.hexdigest(), os.fstat(file.fileno())


def write_range(folder: str, name: str, offset: str) -> None:
    """Carry out `keep`: write standard input into a staged file from `offset` on."""
    staging = folder + "/" + STAGING_FOLDER
    os.makedirs(staging, exist_ok=True)
    write_input(staging + "/" + name, int(offset), 1 << 62)


def place_files(folder: str) -> None:
    """Carry out `place`: move what is staged whole to the paths of the records."""
    staging = folder + "/" + STAGING_FOLDER
    followed = follow_contents(staging)
    records, notes = read_records(folder), followed | read_notes(staging)
    uses: dict[str, int] = {}
    for sha256, _, _ in records:
        uses[sha256] = uses.get(sha256, 0) + 1
    is_whole: dict[str, bool] = {}
    made_folders: set[str] = set()
    for number, (sha256, size, path) in enumerate(records):
        source = staging + "/" + sha256
        if sha256 not in is_whole:
            is_whole[sha256] = is_staged_whole(source, size, sha256, notes)
        if not is_whole[sha256]:
            write_line("bad", number)
            continue
        target = folder + "/" + path
        parent = os.path.dirname(target)
        if parent not in made_folders:
            os.makedirs(parent, exist_ok=True)
            made_folders.add(parent)
        uses[sha256] -= 1
        if uses[sha256]:  # the same content is wanted under another name too
            import shutil  # slow to import, and seldom needed

            shutil.copyfile(source, source + ".copy")
            source += ".copy"
        os.replace(source, target)
        write_line("placed", number)
    remove_empty_staging(staging)
    write_line("end", len(records))


def follow_contents(staging: str) -> set[str]:
    """Hash staged contents as far as the +NAME END lines say that they came; return their notes."""
    followed: dict[bytes, tuple[BinaryIO, hashlib._Hash]] = {}
    notes: dict[bytes, str] = {}
    while STDIN.peek(1)[:1] == b"+":
        line = STDIN.readline()
        if not line.endswith(b"\n"):
            break  # cut
        name, end = line[1:].split()
        path = staging + "/" + name.decode()
        if name not in followed:
            if not os.path.isfile(path):  # another push knows it by its SHA-256
                continue
            followed[name] = open(path, "rb", 0), hashlib.sha256()  # noqa: SIM115 - to the end
        file, whole = followed[name]
        while file.tell() < int(end):
            data = file.read(min(CHUNK_BYTES, int(end) - file.tell()))
            if not data:
                break
            whole.update(data)
        # Now, not at the end: what is written after the last line must not pass for hashed.
        notes[name] = format_note(whole.hexdigest(), os.fstat(file.fileno()))
    return set(notes.values())


def read_notes(staging: str) -> set[str]:
    """Read the notes of verified staged files; none where the file is missing."""
    try:
        with open(staging + "/" + NOTES_FILE, encoding="ascii", errors="replace") as file:
            return set(file.read().splitlines())
    except FileNotFoundError:
        return set()


def is_staged_whole(path: str, size: int, sha256: str, notes: set[str]) -> bool:
    """Whether a staged file has the SHA-256 it is named after: by its note, else by its bytes."""
    try:
        noted = format_note(sha256, os.stat(path)) in notes
    except FileNotFoundError:
        return False
    return noted or file_matches(path, size, sha256)


COMMANDS: dict[str, Callable[..., None]] = {
    "identity": report_file,
    "digest": report_digests,
    "names": list_files,
    "sums": report_sums,
    "send": send_files,
    "begin": begin_contents,
    "have": report_present,
    "take": receive_tar,
    "keep": write_range,
    "place": place_files,
}


def main(command: str, *arguments: str) -> int:
    """Run one command; exit code 3 for a missing file, 4 for another OSError, else 0."""
    try:
        COMMANDS[command](*arguments)
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"{error.filename or ''}: {error.strerror or error}\n")
        return 3 if isinstance(error, FileNotFoundError) else 4
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
