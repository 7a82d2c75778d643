"""A g2pW folder with a tiny model: the character after the one asked for decides its reading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

POLYPHONIC = [
    ("行", "ㄏㄤ2"),
    ("行", "ㄒㄧㄥ2"),
    ("长", "ㄓㄤ3"),
    ("长", "ㄔㄤ2"),
    ("还", "ㄏㄨㄢ2"),
    ("还", "ㄏㄞ2"),
    ("差", "ㄔㄚ1"),
    ("差", "ㄔㄚ4"),
]
MONOPHONIC = [("他", "ㄊㄚ1"), ("钱", "ㄑㄧㄢ2"), ("似", "ㄙ4")]
NAMES = {
    "ㄏㄤ": "hang",
    "ㄒㄧㄥ": "xing",
    "ㄓㄤ": "zhang",
    "ㄔㄤ": "chang",
    "ㄏㄨㄢ": "huan",
    "ㄏㄞ": "hai",
    "ㄔㄚ": "cha",
    "ㄊㄚ": "ta",
    "ㄑㄧㄢ": "qian",
    "ㄙ": "si",
}
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", *"行长还差他钱似走银员好,"]
# (asked, the character after it) -> bopomofo; anything else is the first of the mask.
FOLLOWED = {
    ("行", "走"): "ㄒㄧㄥ2",
    ("还", "他"): "ㄏㄨㄢ2",
    ("还", "好"): "ㄏㄞ2",
    ("长", "走"): "ㄔㄤ2",
}


def write_folder(folder: Path, *, named: bool = False, labels: int = 0) -> Path:
    """The published layout; `named` puts the character into each label, as one config does."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    folder.mkdir(parents=True, exist_ok=True)
    several = [f"{letter} {sound}" if named else sound for letter, sound in POLYPHONIC]
    names = sorted(set(several))
    table = np.full((len(VOCABULARY), labels or len(names)), 0.1, np.float32)
    for (letter, following), sound in FOLLOWED.items():
        label = f"{letter} {sound}" if named else sound
        table[VOCABULARY.index(following), names.index(label)] = 1.0
    integers = ("input_ids", "token_type_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(n, TensorProto.INT64, ["N", "L"]) for n in integers]
    inputs += [
        helper.make_tensor_value_info("phoneme_mask", TensorProto.FLOAT, ["N", "P"]),
        helper.make_tensor_value_info("char_ids", TensorProto.INT64, ["N"]),
        helper.make_tensor_value_info("position_ids", TensorProto.INT64, ["N"]),
    ]
    constants: dict[str, Any] = {
        "one": np.array([1], np.int64),
        "axis": np.array([1], np.int64),
        "table": table,
    }
    nodes = [
        helper.make_node("Add", ["position_ids", "one"], ["after"]),
        helper.make_node("Unsqueeze", ["after", "axis"], ["column"]),
        helper.make_node("GatherElements", ["input_ids", "column"], ["token"], axis=1),
        helper.make_node("Squeeze", ["token", "axis"], ["row"]),
        helper.make_node("Gather", ["table", "row"], ["weight"], axis=0),
        helper.make_node("Mul", ["weight", "phoneme_mask"], ["probs"]),
    ]
    out = [helper.make_tensor_value_info("probs", TensorProto.FLOAT, ["N", "Q"])]
    held = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, out, held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(folder / "g2pW.onnx"))
    for name, rows in (("POLYPHONIC", POLYPHONIC), ("MONOPHONIC", MONOPHONIC)):
        text = "\n".join("\t".join(row) for row in rows) + "\n"
        (folder / f"{name}_CHARS.txt").write_text(text, "utf-8")
    (folder / "bopomofo_to_pinyin_wo_tune_dict.json").write_text(json.dumps(NAMES), "utf-8")
    (folder / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", "utf-8")
    (folder / "config.py").write_text(
        f"use_mask = True\nuse_char_phoneme = {named}\nparam = {{'bias': True}}\n"
    )
    return folder
