"""The optional g2pW model: its folder is read, it decides readings, and a broken one is said."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from g2pw_folder import write_folder

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.text.lexicon import Lexicon
from sovdeck.engine.text.open_lexicon import open_lexicon, open_polyphones
from sovdeck.engine.text.phonemize import phonemize
from sovdeck.engine.text.zh.polyphones import MODEL_FOLDER, PolyphoneModel


@pytest.mark.parametrize("named", [False, True], ids=["sounds", "named-sounds"])
def test_the_character_after_decides(tmp_path: Path, named: bool) -> None:
    model = PolyphoneModel(write_folder(tmp_path / "m", named=named))
    assert model.predict_pinyin("还他钱,还好行走") == [
        "huan2",
        "ta1",
        "qian2",
        None,
        "hai2",
        None,
        "xing2",
        None,
    ]
    assert model.predict_pinyin("") == [] and model.predict_pinyin("好员") == [None, None]
    # Left to the rules, though the tables hold them: 差 as polyphonic, 似 as monophonic.
    assert model.predict_pinyin("差似") == [None, None]


def test_long_clauses_are_cropped_around_what_is_asked(tmp_path: Path) -> None:
    model = PolyphoneModel(write_folder(tmp_path / "m"))
    assert model.predict_pinyin("好" * 600 + "行走" + "好" * 600)[600] == "xing2"


def test_the_model_reads_what_the_dictionary_cannot_tell(tmp_path: Path) -> None:
    words = Lexicon(polyphones=PolyphoneModel(write_folder(tmp_path / "m")))
    assert phonemize("还他钱", "zh").phones[:2] == ["h", "ai2"]
    assert phonemize("还他钱", "zh", words).phones[:2] == ["h", "uan2"]
    # The user's readings stay above it, and other languages never see it.
    assert phonemize("还{hai2}他钱", "zh", words).phones[:2] == ["h", "ai2"]
    assert phonemize("还他", "ja", words) == phonemize("还他", "ja")
    assert words.digest != Lexicon().digest


def test_a_folder_below_pretrained_is_found(tmp_path: Path) -> None:
    layout = Layout.at(tmp_path.as_posix())
    assert open_polyphones(layout) == (None, None)
    root = Path(layout.pretrained)
    write_folder(root / MODEL_FOLDER)
    encoder = root / "v2" / "chinese-roberta-wwm-ext-large"
    encoder.mkdir(parents=True)
    (root / MODEL_FOLDER / "vocab.txt").rename(encoder / "vocab.txt")
    model, notice = open_polyphones(layout)
    assert model is not None and notice is None
    assert open_lexicon(layout, "V", model).polyphones is model


def test_a_broken_folder_is_said_and_done_without(tmp_path: Path) -> None:
    layout = Layout.at(tmp_path.as_posix())
    folder = write_folder(Path(layout.pretrained) / MODEL_FOLDER)
    (folder / "g2pW.onnx").write_bytes(b"no model")
    model, notice = open_polyphones(layout)
    assert model is None and notice is not None and notice.key == "engine.text.g2pw_damaged"
    assert str(folder) in notice.sentence("en")
    with pytest.raises(Problem):
        open_polyphones(layout, folder)  # asked for by name


@pytest.mark.parametrize("lost", ["POLYPHONIC_CHARS.txt", "vocab.txt", "g2pW.onnx"])
def test_a_missing_file_is_named(tmp_path: Path, lost: str) -> None:
    folder = write_folder(tmp_path / "m")
    (folder / lost).unlink()
    with pytest.raises(Problem) as broken:
        PolyphoneModel(folder)
    assert broken.value.key == "engine.text.g2pw_damaged"
    assert lost in str(broken.value.facts["why"])


def test_a_model_of_other_readings_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Problem) as broken:
        PolyphoneModel(write_folder(tmp_path / "m", labels=20))
    assert broken.value.key == "engine.text.g2pw_damaged"


def test_without_the_package_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_folder(tmp_path / "m")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(Problem) as missing:
        PolyphoneModel(folder)
    assert missing.value.key == "engine.text.g2pw_package"


def test_a_config_file_is_never_run(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "m")
    (folder / "config.py").write_text("import sys; sys.exit('run')\nuse_mask = True\n")
    assert PolyphoneModel(folder).predict_pinyin("行走") == ["xing2", None]
