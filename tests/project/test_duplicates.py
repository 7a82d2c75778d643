"""Nothing is written twice: blocks of code that stand in two places stay rare and short."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BLOCK = 6  # lines of code; fewer are often alike by chance
LONGEST = 12  # lines of code that may stand in two places
SHARE = 0.006  # of all lines of code that may stand in such blocks


def code_lines(path: Path) -> list[tuple[int, str]]:
    """(number, text) of the lines that say something: no blanks, comments, docstrings, imports."""
    text = path.read_text(encoding="utf-8")
    silent: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.stmt) and (words or isinstance(node, (ast.Import, ast.ImportFrom))):
            silent |= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    numbered = enumerate((line.strip() for line in text.splitlines()), 1)
    # A line of brackets alone ends every call.
    return [
        (number, line)
        for number, line in numbered
        if number not in silent and not line.startswith("#") and any(c.isalnum() for c in line)
    ]


def repeated(lines: dict[Path, list[tuple[int, str]]]) -> Iterator[tuple[Path, int, int]]:
    """(file, first line, lines of code) of each block that stands somewhere else as well."""
    places: dict[tuple[str, ...], list[tuple[Path, int]]] = defaultdict(list)
    for path, numbered in lines.items():
        for start in range(len(numbered) - BLOCK + 1):
            block = tuple(line for _, line in numbered[start : start + BLOCK])
            places[block].append((path, start))
    starts: dict[Path, set[int]] = defaultdict(set)
    for found in places.values():
        if len(found) > 1:
            for path, start in found:
                starts[path].add(start)
    for path, some in starts.items():
        for start in sorted(some):
            if start - 1 in some:
                continue
            end = start
            while end + 1 in some:
                end += 1
            yield path, lines[path][start][0], end - start + BLOCK


def test_little_is_written_twice() -> None:
    lines = {
        path: code_lines(path)
        for one in ("engine", "remote", "tui")
        for path in sorted((ROOT / one).rglob("*.py"))
    }
    found = list(repeated(lines))
    shown = "\n".join(f"{p.relative_to(ROOT)}:{line}: {count} lines" for p, line, count in found)
    assert max(count for *_, count in found) <= LONGEST, shown
    total = sum(map(len, lines.values()))
    assert sum(count for *_, count in found) <= SHARE * total, shown


def test_a_copy_is_found(tmp_path: Path) -> None:
    block = "".join(f"value_{number} = compute({number})\n" for number in range(8))
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(f"{name} = 1\n# {name}\n{block}")
    files = (tmp_path / "one.py", tmp_path / "two.py")
    found = sorted(repeated({path: code_lines(path) for path in files}))
    assert found == [(tmp_path / "one.py", 3, 8), (tmp_path / "two.py", 3, 8)]
