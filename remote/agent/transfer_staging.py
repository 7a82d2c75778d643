"""The commands that stage and place; see transfer_common.py, which is sent before this."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    import os
    import sys
    from collections.abc import Callable, Iterable, Set

    from sovdeck.remote.agent.transfer_common import (
        CHUNK_BYTES,
        STAGING_FOLDER,
        STDIN,
        hash_file,
        main,
        write_line,
    )

    Record = tuple[str, int, str]

NOTES_FILE = "notes"
TAR_BLOCK_BYTES = 512  # of a tar
HEX_DIGITS = frozenset("0123456789abcdef")


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
        if os.stat(path).st_size != size:
            return False
        return hash_file(path, 0, lambda index, part: None) == sha256
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False


def report_present(block: str, folder: str) -> None:
    """Answer `have`: which records are present, staged whole, or staged in blocks."""
    staging = folder + "/" + STAGING_FOLDER
    os.makedirs(staging, exist_ok=True)
    # Notes of an earlier push say nothing of what a crash since then left on the disk.
    with open(staging + "/" + NOTES_FILE, "wb"):
        pass
    records = read_records(folder)
    append_notes(staging, report_records(int(block), folder, records))
    write_line("end", len(records))


def report_records(block: int, folder: str, records: list[Record]) -> Iterable[str]:
    """Answer what of the records is there; return the notes of what is staged whole."""
    staging = folder + "/" + STAGING_FOLDER
    known: dict[str, list[tuple[object, ...]]] = {}
    present = 0
    for number, (sha256, size, path) in enumerate(records):
        if file_matches(folder + "/" + path, size, sha256):
            write_line("present", number)
            present += 1
            continue
        if sha256 not in known:
            known[sha256] = inspect_staged(staging + "/" + sha256, size, sha256, block)
        for word, *facts in known[sha256]:
            write_line(word, number, *facts)
    if present == len(records):
        remove_empty_staging(staging)
    whole = (sha256 for sha256 in known if known[sha256] == [("staged",)])
    return [format_note(sha256, os.stat(staging + "/" + sha256)) for sha256 in whole]


def inspect_staged(path: str, size: int, sha256: str, block: int) -> list[tuple[object, ...]]:
    """Say what is staged of one content: all of it, or the digests of the blocks there."""
    if not os.path.isfile(path):
        return []
    blocks: list[tuple[object, ...]] = []
    whole = hash_file(path, block, lambda index, part: blocks.append(("block", index, part)))
    if whole == sha256 and os.stat(path).st_size == size:
        return [("staged",)]
    return blocks


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
    """Append notes with a single write."""
    lines = "".join(one + "\n" for one in notes)
    if not lines:
        return
    with open(staging + "/" + NOTES_FILE, "ab", 0) as file:  # one write: others note beside us
        file.write(lines.encode())


def receive_tar(folder: str) -> None:
    """Carry out `take`: stage a tar of contents."""
    staging = folder + "/" + STAGING_FOLDER
    append_notes(staging, stage_tar(staging))
    while STDIN.read(CHUNK_BYTES):  # to the very end, so that its sender meets no closed pipe
        pass


def stage_tar(staging: str) -> set[str]:
    """Stage a tar of contents; return the notes of those whose SHA-256 is their name."""
    notes: set[str] = set()
    while True:
        head = STDIN.read(TAR_BLOCK_BYTES)
        if len(head) < TAR_BLOCK_BYTES or not head[0]:
            STDIN.read(TAR_BLOCK_BYTES)  # the end mark is two of them
            return notes
        sha256, size = head[:64].decode(), int(head[124:135], 8)
        if set(sha256) - HEX_DIGITS:
            raise OSError(0, "not a content", sha256)
        if not notes:
            os.makedirs(staging, exist_ok=True)  # another push may just have removed it
        whole, _, stat = write_input(staging + "/" + sha256, 0, size)
        if whole == sha256:
            notes.add(format_note(sha256, stat))
        STDIN.read(-size % TAR_BLOCK_BYTES)


def write_input(path: str, offset: int, max_bytes: int) -> tuple[str, int, os.stat_result]:
    """Write up to `max_bytes` of input into a file; return their SHA-256, count and its stat."""
    whole, left = hashlib.sha256(), max_bytes
    # Not emptied first: whoever still writes the same content there writes the same bytes.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        if offset:
            os.lseek(handle, offset, os.SEEK_SET)
        while left:
            data = STDIN.read(min(CHUNK_BYTES, left))
            if not data:
                break
            write_all(handle, data)
            whole.update(data)
            left -= len(data)
        stat = os.fstat(handle)
        if not left and stat.st_size > max_bytes:
            os.ftruncate(handle, max_bytes)
            stat = os.fstat(handle)
        return whole.hexdigest(), max_bytes - left, stat
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`, however often the system cuts a write short."""
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, data[written:])


def write_range(folder: str, name: str, offset: str) -> None:
    """Carry out `keep`: write standard input into a staged file from `offset` on."""
    staging = folder + "/" + STAGING_FOLDER
    os.makedirs(staging, exist_ok=True)
    start = int(offset)
    whole, size, stat = write_input(staging + "/" + name, start, 1 << 62)
    # Only what was read here from its first to its last byte is known.
    if start == 0 and stat.st_size == size:
        append_notes(staging, [format_note(whole, stat)])


def place_files(folder: str) -> None:
    """Carry out `place`: move staged contents to the paths of the records."""
    move_into_place(folder, read_records(folder), read_notes(folder + "/" + STAGING_FOLDER))


def move_into_place(folder: str, records: list[Record], notes: Set[str]) -> None:
    """Move what is staged whole into place; what has no note is hashed first."""
    staging = folder + "/" + STAGING_FOLDER
    uses: dict[str, int] = {}
    for sha256, _, _ in records:
        uses[sha256] = uses.get(sha256, 0) + 1
    is_whole: dict[str, bool] = {}
    made_folders: set[str] = set()
    for number, (sha256, size, path) in enumerate(records):
        source = staging + "/" + sha256
        if sha256 not in is_whole:
            is_whole[sha256] = is_staged_whole(staging, size, sha256, notes)
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
            copy_file(source, source + ".copy")
            source += ".copy"
        os.replace(source, target)
        write_line("placed", number)
    remove_empty_staging(staging)
    write_line("end", len(records))


def read_notes(staging: str) -> set[str]:
    """Read the notes of verified staged files; none where the file is missing."""
    try:
        with open(staging + "/" + NOTES_FILE, encoding="ascii", errors="replace") as file:
            return set(file.read().splitlines())
    except FileNotFoundError:
        return set()


def is_staged_whole(staging: str, size: int, sha256: str, notes: Set[str]) -> bool:
    """Whether a staged file has the SHA-256 it is named after."""
    path = staging + "/" + sha256
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return False
    return stat.st_size == size and (
        format_note(sha256, stat) in notes or file_matches(path, size, sha256)
    )


def copy_file(source: str, target: str) -> None:
    """Copy a file in chunks."""
    with open(source, "rb", 0) as old, open(target, "wb", 0) as fresh:
        while True:
            data = old.read(CHUNK_BYTES)
            if not data:
                return
            write_all(fresh.fileno(), data)


if __name__ == "__main__":
    COMMANDS: dict[str, Callable[..., None]] = {
        "have": report_present,
        "take": receive_tar,
        "keep": write_range,
        "place": place_files,
    }
    sys.exit(main(COMMANDS, *sys.argv[1:]))
