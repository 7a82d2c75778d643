"""The verbs that stage and place; see transfer_common.py, which goes before this."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    import hashlib
    import os
    import sys
    from collections.abc import Callable, Iterable, Set

    from remote.agent.transfer_common import SOURCE, STAGING, STEP, digest_file, main, say

    Record = tuple[str, int, str]

NOTES = "notes"
BLOCK = 512  # of a tar
HEX_DIGITS = frozenset("0123456789abcdef")


def wanted(folder: str) -> list[Record]:
    """Records up to the end of the input; what they name is renamed first."""
    staging = folder + "/" + STAGING + "/"
    records = []
    # What follows the last newline is half a record, of a line that was cut.
    for line in SOURCE.read().split(b"\n")[:-1]:
        first, size, path = line.split(b" ", 2)
        hexes, _, name = first.decode().partition("=")
        if name and os.path.exists(staging + name):
            os.replace(staging + name, staging + hexes)
        records.append((hexes, int(size), os.fsdecode(path)))
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
    records = wanted(folder)
    note(staging, look(int(block), folder, records))
    say("end", len(records))


def look(block: int, folder: str, records: list[Record]) -> Iterable[str]:
    """Say what of the records is there; notes of what is staged whole."""
    staging = folder + "/" + STAGING
    known: dict[str, list[tuple[object, ...]]] = {}
    present = 0
    for number, (hexes, size, path) in enumerate(records):
        if matches(folder + "/" + path, size, hexes):
            say("present", number)
            present += 1
            continue
        if hexes not in known:
            known[hexes] = staged(staging + "/" + hexes, size, hexes, block)
        for word, *facts in known[hexes]:
            say(word, number, *facts)
    if present == len(records):
        tidy(staging)
    whole = (hexes for hexes in known if known[hexes] == [("staged",)])
    return [seen(hexes, os.stat(staging + "/" + hexes)) for hexes in whole]


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


def seen(hexes: str, stat: os.stat_result) -> str:
    """A note: a staged content was right, while size and time of its file stay."""
    return f"{hexes} {stat.st_size} {stat.st_mtime_ns}"


def note(staging: str, notes: Iterable[str]) -> None:
    lines = "".join(one + "\n" for one in notes)
    if not lines:
        return
    with open(staging + "/" + NOTES, "ab", 0) as file:  # one write: others note beside us
        file.write(lines.encode())


def take(folder: str) -> None:
    staging = folder + "/" + STAGING
    note(staging, unpack(staging))
    while SOURCE.read(STEP):  # to the very end: its sender must not find the door shut
        pass


def unpack(staging: str) -> set[str]:
    """Stage a tar of contents; notes of those that are what their names say."""
    notes: set[str] = set()
    while True:
        head = SOURCE.read(BLOCK)
        if len(head) < BLOCK or not head[0]:
            SOURCE.read(BLOCK)  # the end mark is two of them
            return notes
        hexes, size = head[:64].decode(), int(head[124:135], 8)
        if set(hexes) - HEX_DIGITS:
            raise OSError(0, "not a content", hexes)
        if not notes:
            os.makedirs(staging, exist_ok=True)  # another push may just have tidied up
        whole, _, stat = store(staging + "/" + hexes, 0, size)
        if whole == hexes:
            notes.add(seen(hexes, stat))
        SOURCE.read(-size % BLOCK)


def store(path: str, offset: int, most: int) -> tuple[str, int, os.stat_result]:
    """Write up to `most` bytes of the input into a file: their SHA-256, their number, its stat."""
    whole, left = hashlib.sha256(), most
    # Not emptied first: whoever still writes the same content there writes the same bytes.
    handle = os.open(path, os.O_WRONLY | os.O_CREAT, 0o644)
    try:
        if offset:
            os.lseek(handle, offset, os.SEEK_SET)
        while left:
            data = SOURCE.read(min(STEP, left))
            if not data:
                break
            write_all(handle, data)
            whole.update(data)
            left -= len(data)
        stat = os.fstat(handle)
        if not left and stat.st_size > most:
            os.ftruncate(handle, most)
            stat = os.fstat(handle)
        return whole.hexdigest(), most - left, stat
    finally:
        os.close(handle)


def write_all(handle: int, data: bytes) -> None:
    written = os.write(handle, data)
    while written < len(data):
        written += os.write(handle, data[written:])


def pour(folder: str) -> None:
    staging = folder + "/" + STAGING
    os.makedirs(folder, exist_ok=True)
    bare = not os.listdir(folder)
    say("bare" if bare else "held")
    sys.stdout.flush()
    if not bare:
        return
    os.mkdir(staging)
    notes = unpack(staging)
    count = SOURCE.readline()
    records = wanted(folder)
    if count == b"%d\n" % len(records):
        settle(folder, records, notes)


def keep(folder: str, name: str, offset: str) -> None:
    staging = folder + "/" + STAGING
    os.makedirs(staging, exist_ok=True)
    start = int(offset)
    whole, size, stat = store(staging + "/" + name, start, 1 << 62)
    # Only what was read here from its first to its last byte is known.
    if start == 0 and stat.st_size == size:
        note(staging, [seen(whole, stat)])


def place(folder: str) -> None:
    settle(folder, wanted(folder), noted(folder + "/" + STAGING))


def settle(folder: str, records: list[Record], notes: Set[str]) -> None:
    """Move what is staged whole in place; what has no note is read first."""
    staging = folder + "/" + STAGING
    uses: dict[str, int] = {}
    for hexes, _, _ in records:
        uses[hexes] = uses.get(hexes, 0) + 1
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


def came_whole(staging: str, size: int, hexes: str, notes: Set[str]) -> bool:
    """Whether a staged file is the content it is named after."""
    path = staging + "/" + hexes
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return False
    return stat.st_size == size and (seen(hexes, stat) in notes or matches(path, size, hexes))


def copy(source: str, target: str) -> None:
    with open(source, "rb", 0) as old, open(target, "wb", 0) as fresh:
        while True:
            data = old.read(STEP)
            if not data:
                return
            write_all(fresh.fileno(), data)


if __name__ == "__main__":
    VERBS: dict[str, Callable[..., None]] = {
        "have": have,
        "take": take,
        "keep": keep,
        "place": place,
        "pour": pour,
    }
    sys.exit(main(VERBS, *sys.argv[1:]))
