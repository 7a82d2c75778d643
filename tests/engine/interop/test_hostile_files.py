"""Files that want to run something, or are broken: always one clear refusal."""

from __future__ import annotations

import ast
import io
import os
import pickle
import random
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from micro_models import GPT_IN_FILES, SOVITS

from sovdeck.engine import interop
from sovdeck.engine.contract.problem import Problem

ROOT = Path(__file__).resolve().parents[3]
READERS = [interop.read_sovits, interop.read_gpt, interop.inspect_weights]


class Runs:
    """Unpickled, this would make a file."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.mark),)


def content() -> dict[str, Any]:
    return {
        "weight": OrderedDict({"model.a": torch.zeros(2)}),
        "config": {"model": {"n_layer": 1}, "data": {"max_sec": 54}},
        "info": "GPT-e1",
        "list": [1, 2],
    }


def at_top(data: dict, bad: Any) -> Any:
    return bad


def as_entry(data: dict, bad: Any) -> Any:
    return {**data, "more": bad}


def as_first_entry(data: dict, bad: Any) -> Any:
    return {"a": bad, **data}


def as_weight(data: dict, bad: Any) -> Any:
    return {**data, "weight": {"model.a": bad}}


def as_key(data: dict, bad: Any) -> Any:
    return {**data, "weight": {bad: torch.zeros(1)}}


def in_config(data: dict, bad: Any) -> Any:
    return {**data, "config": {"model": {"n_layer": bad}}}


def as_info(data: dict, bad: Any) -> Any:
    return {**data, "info": bad}


def in_list(data: dict, bad: Any) -> Any:
    return {**data, "list": [1, (2, bad)]}


def as_attribute(data: dict, bad: Any) -> Any:
    weight = OrderedDict(data["weight"])
    weight.kept = bad  # type: ignore[attr-defined]
    return {**data, "weight": weight}


POSITIONS = [
    at_top,
    as_entry,
    as_first_entry,
    as_weight,
    as_key,
    in_config,
    as_info,
    in_list,
    as_attribute,
]


@pytest.mark.parametrize("place", POSITIONS)
@pytest.mark.parametrize("read", READERS)
def test_a_pickle_that_runs_is_refused_and_does_not(place, read, tmp_path) -> None:
    mark, path = tmp_path / "ran", tmp_path / "voice.pth"
    torch.save(place(content(), Runs(mark)), path)
    with pytest.raises(Problem) as caught:
        read(path)
    assert caught.value.key == "engine.weights.forbidden"
    assert "mkdir" in caught.value.facts["asked"]
    assert not mark.exists()


@pytest.mark.parametrize(
    "named",
    [
        "os system",
        "builtins eval",
        "builtins getattr",
        "torch load",
        "torch.hub load",
        "torch._utils _rebuild_sparse_tensor",
        "utils HParams.__init__",
        "pathlib Path",
    ],
)
def test_any_other_name_is_refused(named, tmp_path) -> None:
    module, name = named.split(" ")
    forge(tmp_path / "x.pth", b"\x80\x02c" + f"{module}\n{name}\n".encode() + b".")
    with pytest.raises(Problem) as caught:
        interop.read_sovits(tmp_path / "x.pth")
    assert caught.value.key == "engine.weights.forbidden"


def forge(path: Path, pickled: bytes, **records: bytes) -> None:
    """A zip as torch writes it, around any pickle."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/version", b"3\n")
        archive.writestr("archive/byteorder", b"little")
        for name, data in records.items():
            archive.writestr(f"archive/data/{name.removeprefix('r')}", data)


def test_newer_pickle_protocols_gain_nothing(tmp_path) -> None:
    for protocol in (3, 4, 5):
        forge(tmp_path / "x.pth", pickle.dumps(Runs(tmp_path / "ran"), protocol=protocol))
        with pytest.raises(Problem):
            interop.read_sovits(tmp_path / "x.pth")
    assert not (tmp_path / "ran").exists()


def storage(size: int, shape: str) -> bytes:
    """A pickled tensor that claims `size` elements in record 0."""
    source = io.BytesIO()
    torch.save({"weight": {"model.a": torch.zeros(3)}}, source)
    with zipfile.ZipFile(source) as archive:
        name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
        pickled = archive.read(name)
    # BININT1 3 is both the element count and the shape
    assert pickled.count(b"K\x03") == 2
    claim = b"J" + size.to_bytes(4, "little")
    first, second, rest = pickled.split(b"K\x03")
    return first + claim + second + (claim if shape == "too" else b"K\x03") + rest


@pytest.mark.parametrize(("shape", "key"), [("too", "damaged"), ("not", "bad_config")])
def test_a_tensor_cannot_claim_memory_it_does_not_bring(shape, key, tmp_path) -> None:
    """A storage ends where the file does; a tensor beyond it is refused."""
    forge(tmp_path / "x.pth", storage(2**30, shape), r0=bytes(12))
    with pytest.raises(Problem) as caught:
        interop.inspect_weights(tmp_path / "x.pth")
    assert caught.value.key == f"engine.weights.{key}"


def test_a_file_that_refers_to_itself_ends(tmp_path) -> None:
    loop: dict[str, Any] = {"weight": {}}
    loop["weight"]["a"] = loop
    torch.save(loop, tmp_path / "loop.pth")
    layers: Any = [1]
    for _ in range(60):  # 2**60 entries once unfolded
        layers = [layers, layers]
    torch.save({"weight": layers}, tmp_path / "laughs.pth")
    many = torch.zeros(1000)
    torch.save({"weight": {str(i): many.view(10, 100) for i in range(500)}}, tmp_path / "views.pth")
    for name in ("loop", "laughs", "views"):
        with pytest.raises(Problem) as caught:
            interop.inspect_weights(tmp_path / f"{name}.pth")
        assert caught.value.key == "engine.weights.damaged", name


def test_what_is_no_torch_archive(tmp_path) -> None:
    with pytest.raises(Problem) as caught:
        interop.read_sovits(tmp_path / "nowhere.pth")
    assert caught.value.key == "engine.weights.unreadable"
    with pytest.raises(Problem) as caught:
        interop.read_sovits(tmp_path)
    assert caught.value.key == "engine.weights.unreadable"
    old = io.BytesIO()
    torch.save(content(), old, _use_new_zipfile_serialization=False)
    bodies: dict[str, tuple[bytes, str]] = {
        "empty": (b"", "not_torch"),
        "one byte": (b"P", "not_torch"),
        "web page": (b"<!DOCTYPE html><html></html>", "not_torch"),
        "legacy": (old.getvalue(), "not_torch"),
        "head": (b"PK\x03\x04" + bytes(50), "damaged"),
    }
    for name, (body, kind) in bodies.items():
        path = tmp_path / f"{name}.pth"
        path.write_bytes(body)
        for read in READERS:
            with pytest.raises(Problem) as caught:
                read(path)
            assert caught.value.key == f"engine.weights.{kind}", name
    with zipfile.ZipFile(tmp_path / "squeezed.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", bytes(10**6))
    forge(tmp_path / "number.pth", pickle.dumps(3, protocol=2))
    for name, kind in (("squeezed", "damaged"), ("number", "not_torch")):
        with pytest.raises(Problem) as caught:
            interop.read_sovits(tmp_path / f"{name}.pth")
        assert caught.value.key == f"engine.weights.{kind}"


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory, micro_state, micro_gpt_state):
    folder = tmp_path_factory.mktemp("voices")
    sovits = interop.write_sovits(folder, "A", 1, 2, micro_state, SOVITS, {})
    gpt = interop.write_gpt(folder, "A", 1, micro_gpt_state, GPT_IN_FILES, {})
    return [(interop.read_sovits, sovits.path), (interop.read_gpt, gpt.path)]


def outcome(read: Callable[[Path], Any], path: Path) -> dict[str, torch.Tensor] | None:
    """The weights, or None for a Problem; anything else is a failed test."""
    try:
        return read(path).state
    except Problem as problem:
        assert problem.key.startswith("engine.weights.")
        assert problem.message.en and problem.message.zh and problem.hint.en and problem.hint.zh
        return None


def test_a_thousand_truncated_files(voices, tmp_path) -> None:
    draw = random.Random(1)
    for read, sound in voices:
        body, path = sound.read_bytes(), tmp_path / sound.name
        for _ in range(500):
            path.write_bytes(body[: draw.randrange(len(body))])
            assert outcome(read, path) is None


@pytest.mark.long
def test_a_thousand_files_with_a_flipped_bit(voices, tmp_path) -> None:
    """A Problem, unless the bit lies in padding: then the weights must be what they were."""
    draw = random.Random(2)
    for read, sound in voices:
        body, path = sound.read_bytes(), tmp_path / sound.name
        want, refused = read(sound).state, 0
        for _ in range(500):
            broken = bytearray(body)
            broken[draw.randrange(len(body))] ^= 1 << draw.randrange(8)
            path.write_bytes(broken)
            got = outcome(read, path)
            refused += got is None
            if got is not None:
                assert list(got) == list(want)
                assert all(torch.equal(got[name], want[name]) for name in want)
        assert refused > 200


def calls(name: str) -> list[tuple[Path, ast.Call]]:
    found = []
    for path in sorted(ROOT.glob("engine/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == name:
                found.append((path, node))
    return found


def test_every_torch_load_says_weights_only() -> None:
    loads = calls("torch.load")
    assert len(loads) >= 2
    for path, call in loads:
        said = {k.arg: ast.unparse(k.value) for k in call.keywords}
        assert said.get("weights_only") == "True", f"{path}:{call.lineno}"


def test_nothing_in_the_engine_unpickles() -> None:
    for path in sorted(ROOT.glob("engine/**/*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
                assert not (node.module == "torch" and any(a.name == "load" for a in node.names))
            assert not {"pickle", "cPickle", "dill", "joblib", "cloudpickle"} & set(names), path
