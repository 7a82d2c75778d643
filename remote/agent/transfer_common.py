"""Runs on the server: hashes files, says which are there, puts staged files in their place.

Standard library only, Python 3.7 and newer; sent as text, one of the two sources of verbs after
this one, and run with `python -I -S -c`. The twin transfer_server.sh speaks the same protocol
where there is no Python. It starts for every question, so it imports what starts fast, works with
plain paths, and comes without the verbs that were not asked.

transfer_reading.py:

    identity PATH       ->  file SIZE MTIME
    digest BLOCK PATH   ->  file SIZE MTIME / block INDEX HEX... / whole HEX / file SIZE MTIME
    names FOLDER PART...  ->  SIZE MTIME PATH records, each ended by a zero byte / end COUNT
    sums FOLDER         <-  PATH records on stdin, each ended by a zero byte
                        ->  HEX SIZE PATH records in the same order; HEX is - without a file
    send FOLDER PART... ->  what `names` says, when there is a PART
                        <-  PATH records as above
                        ->  for each: HEX SIZE, a newline, and so many bytes of the file

transfer_staging.py:

    have BLOCK FOLDER   <-  HEX SIZE PATH lines on stdin
                        ->  present N | staged N | block N INDEX HEX, one a line / end COUNT
    take FOLDER         <-  a tar of contents to stage, each named by its HEX
    keep FOLDER NAME OFFSET  <-  bytes on stdin, written into the staged content from OFFSET on
    place FOLDER        <-  HEX SIZE PATH lines on stdin
                        ->  placed N | bad N, one a line / end COUNT
    pour FOLDER         ->  bare | held: whether the folder is empty; nothing more is done if not
                        <-  a tar as for `take`, COUNT, so many HEX SIZE PATH lines
                        ->  what `place` says; nothing when the input was cut

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
SOURCE = os.fdopen(0, "rb", 1 << 20, closefd=False)
STAGING = ".sovdeck-push"
STEP = 1 << 20


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


def main(verbs: Mapping[str, Callable[..., None]], verb: str, *arguments: str) -> int:
    try:
        verbs[verb](*arguments)
        sys.stdout.flush()
    except OSError as error:
        sys.stderr.write(f"{error.filename or ''}: {error.strerror or error}\n")
        return 3 if isinstance(error, FileNotFoundError) else 4
    return 0
