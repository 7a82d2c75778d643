"""Runs on the server: hashes files, says which are there, puts staged files in their place.

Standard library only, Python 3.7 and newer; sent as text, followed by one of the two sources of
commands below, and run with `python -I -S -c`. The twin transfer_server.sh speaks the same protocol
where there is no Python. It starts for every request, so it imports what starts fast, works with
plain paths, and comes without the commands that are not needed.

transfer_reading.py:

    identity PATH       ->  file SIZE MTIME
    digest BLOCK PATH   ->  file SIZE MTIME / block INDEX HEX... / whole HEX / file SIZE MTIME
    names FOLDER PART...  ->  SIZE MTIME PATH records, each ended by a zero byte / end COUNT
    sums FOLDER         <-  PATH records on stdin, each ended by a zero byte
                        ->  HEX SIZE PATH records in the same order; HEX is - without a file
    send FOLDER         <-  PATH records as above
                        ->  for each: HEX SIZE, a newline, and so many bytes of the file

transfer_staging.py:

    have BLOCK FOLDER   <-  HEX SIZE PATH lines on stdin
                        ->  present N | staged N | block N INDEX HEX, one a line / end COUNT
    take FOLDER         <-  a tar of contents to stage, each named by its HEX
    keep FOLDER NAME OFFSET  <-  bytes on stdin, written into the staged content from OFFSET on
    place FOLDER        <-  HEX SIZE PATH lines on stdin
                        ->  placed N | bad N, one a line / end COUNT

N counts records from 0. A PART is a file or a folder below FOLDER; missing ones hold nothing.
Contents on their way lie in FOLDER/.sovdeck-push under their SHA-256. One that is still being
hashed here lies there under another NAME, and a record that begins HEX=NAME tells what it was
from then on. What was hashed while it was written stands in the notes there, so that `place` need
not read it again.
"""

from __future__ import annotations

import hashlib
import os
import sys

TYPE_CHECKING = False  # known to type checkers without importing anything
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

# A pipe gives 64 kB at a time; the usual buffer would ask for eight.
STDIN = os.fdopen(0, "rb", 1 << 20, closefd=False)
STAGING_FOLDER = ".sovdeck-push"
CHUNK_BYTES = 1 << 20


def write_line(*words: object) -> None:
    """Write one line of the answer, its words separated by spaces."""
    sys.stdout.write(" ".join(map(str, words)) + "\n")


def hash_file(path: str, block: int, on_block: Callable[[int, str], None]) -> str:
    """SHA-256 of a whole file; with `block` > 0 also of every block of so many bytes."""
    whole_hash, block_hash = hashlib.sha256(), hashlib.sha256()
    index, left = 0, block
    with open(path, "rb", 0) as file:
        while True:
            data = file.read(min(CHUNK_BYTES, left) if block else CHUNK_BYTES)
            if not data:
                break
            whole_hash.update(data)
            if block:
                block_hash.update(data)
                left -= len(data)
                if not left:
                    on_block(index, block_hash.hexdigest())
                    index, left, block_hash = index + 1, block, hashlib.sha256()
    if block and left < block:
        on_block(index, block_hash.hexdigest())
    return whole_hash.hexdigest()


def main(commands: Mapping[str, Callable[..., None]], command: str, *arguments: str) -> int:
    """Run one command; exit code 3 for a missing file, 4 for another OSError, else 0."""
    try:
        commands[command](*arguments)
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"{error.filename or ''}: {error.strerror or error}\n")
        return 3 if isinstance(error, FileNotFoundError) else 4
    return 0
