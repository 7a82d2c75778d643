"""The maths around HuBERT and RoBERTa, on small random models of the same classes."""

from __future__ import annotations

import copy
import json
import shutil

import pytest
import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import BertPreTokenizer
from transformers import BertConfig, BertForMaskedLM, BertModel

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.frozen.content_encoder import ContentEncoder
from sovdeck.engine.models.frozen.local_model import encoder_dtype
from sovdeck.engine.models.frozen.text_encoder import TextEncoder

CHARS = list("你好世界，。！")


@pytest.fixture(scope="module")
def roberta(tmp_path_factory: pytest.TempPathFactory):
    """A folder as upstream's: config, weights and the vocabulary; and the whole model."""
    folder = tmp_path_factory.mktemp("roberta")
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *CHARS]
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=16,
        num_hidden_layers=5,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=12,
    )
    torch.manual_seed(0)
    model = BertModel(config).eval()
    model.save_pretrained(folder)
    vocabulary = {word: number for number, word in enumerate(words)}
    pieces = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))
    pieces.pre_tokenizer = BertPreTokenizer()
    pieces.save(str(folder / "tokenizer.json"))  # all that the official folder has of it
    return folder, model, words


def test_text_features_are_the_third_last_state_repeated(roberta) -> None:
    folder, whole, words = roberta
    text, word2ph = "你好，界", [2, 2, 1, 2]
    features = TextEncoder.load(folder).features(text, word2ph)
    assert features.shape == (16, 7)
    tokens = torch.tensor([[words.index(w) for w in ["[CLS]", *text, "[SEP]"]]])
    with torch.no_grad():
        states = whole(tokens, output_hidden_states=True).hidden_states
    want = states[-3][0, 1:-1]
    for column, row in enumerate([0, 0, 1, 1, 2, 3, 3]):
        torch.testing.assert_close(features[:, column], want[row])


def test_long_and_unknown_text_keeps_one_row_a_character(roberta) -> None:
    encoder = TextEncoder.load(roberta[0])
    text = "你好龘世" * 6
    assert encoder.max_characters == 10
    features = encoder.features(text, [1] * 24)
    torch.testing.assert_close(features[:, :10], encoder.features(text[:10], [1] * 10))
    with pytest.raises(ValueError, match="3 characters but 2"):
        encoder.features("你好世", [1, 1])


def test_text_encoder_loads_the_official_masked_model(roberta, tmp_path) -> None:
    """A pytorch_model.bin of BertForMaskedLM: names under `bert.`, a head nobody needs."""
    folder, whole, _ = roberta
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    masked = BertForMaskedLM(whole.config).eval()
    masked.bert.load_state_dict(whole.state_dict(), strict=False)
    state = dict(masked.state_dict())
    state["bert.embeddings.position_ids"] = torch.arange(12)[None]
    torch.save(state, tmp_path / "pytorch_model.bin")
    want = TextEncoder.load(folder).features("你好", [1, 2])
    torch.testing.assert_close(TextEncoder.load(tmp_path).features("你好", [1, 2]), want)


@pytest.mark.parametrize("samples", [400, 719, 720, 16000, 48321])
def test_content_frames(samples) -> None:
    encoder = ContentEncoder.untrained(3, hidden=16)
    features = encoder.features(torch.randn(2, samples))
    assert features.shape == (2, 16, (samples - 400) // 320 + 1)
    assert not features.requires_grad and torch.isfinite(features).all()


def test_content_hides_the_scale_and_comes_back_from_disk(tmp_path) -> None:
    encoder = ContentEncoder.untrained(3, hidden=16)
    wav = torch.randn(1, 8000)
    features = encoder.features(wav)
    torch.testing.assert_close(encoder.features(wav * 543.9), features, rtol=1e-3, atol=1e-3)
    assert torch.equal(ContentEncoder.untrained(3, hidden=16).features(wav), features)
    assert not torch.equal(ContentEncoder.untrained(4, hidden=16).features(wav), features)
    assert "untrained" in encoder.name and not encoder.pretrained
    encoder.model.save_pretrained(tmp_path / "chinese-hubert-base")
    again = ContentEncoder.load(tmp_path / "chinese-hubert-base")
    assert again.name == "chinese-hubert-base" and again.pretrained and again.hidden == 16
    torch.testing.assert_close(again.features(wav), features)
    weight = torch.ones(1, requires_grad=True)
    (features * weight).sum().backward()  # features may be used in training


def test_content_loads_the_file_names_of_the_official_base(tmp_path) -> None:
    """chinese-hubert-base is a pytorch_model.bin whose weight norm is named g and v."""
    encoder = ContentEncoder.untrained(3, hidden=16)
    old = {
        "parametrizations.weight.original0": "weight_g",
        "parametrizations.weight.original1": "weight_v",
    }
    state = {}
    for name, tensor in encoder.model.state_dict().items():
        for new, past in old.items():
            name = name.replace(new, past)
        state[name] = tensor
    assert any(name.endswith("conv.weight_g") for name in state)
    encoder.model.config.save_pretrained(tmp_path)
    torch.save(state, tmp_path / "pytorch_model.bin")
    wav = torch.randn(1, 4000)
    again = ContentEncoder.load(tmp_path)
    torch.testing.assert_close(again.features(wav), encoder.features(wav))


def test_the_cpu_computes_in_single_whatever_the_file_holds(roberta, tmp_path) -> None:
    """The official files are stored in half, and their configuration says so."""
    content = tmp_path / "chinese-hubert-base"
    ContentEncoder.untrained(3, hidden=16).model.half().save_pretrained(content)
    assert json.loads((content / "config.json").read_text())["dtype"] == "float16"
    encoder = ContentEncoder.load(content)
    assert encoder.model.dtype is torch.float32
    assert encoder.features(torch.randn(1, 4000)).dtype is torch.float32
    folder, whole, _ = roberta
    text = tmp_path / "chinese-roberta-wwm-ext-large"
    shutil.copytree(folder, text)
    copy.deepcopy(whole).half().save_pretrained(text)
    assert TextEncoder.load(text).features("你好", [1, 2]).dtype is torch.float32


def test_loading_writes_nothing_into_a_run_log(roberta, tmp_path, capfd) -> None:
    """Official files hold weights of heads that we do not have: transformers reports each."""
    folder, whole, _ = roberta
    text = tmp_path / "chinese-roberta-wwm-ext-large"
    shutil.copytree(folder, text)
    BertForMaskedLM(whole.config).save_pretrained(text)
    capfd.readouterr()
    TextEncoder.load(text)
    assert capfd.readouterr() == ("", "")


def test_a_gpu_computes_in_half() -> None:
    assert encoder_dtype("cuda:1") is torch.float16 and encoder_dtype("cpu") is torch.float32


@pytest.mark.parametrize("kind", [ContentEncoder, TextEncoder])
def test_what_is_missing_is_said_with_the_command_that_fetches_it(kind, tmp_path) -> None:
    with pytest.raises(Problem) as caught:
        kind.load(tmp_path / "nowhere")
    assert caught.value.key == "engine.pretrained.no_folder"
    assert "sovdeck models get" in caught.value.sentence("en")
    assert "sovdeck models get" in caught.value.sentence("zh")
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(Problem) as caught:
        kind.load(tmp_path)
    assert caught.value.key == "engine.pretrained.incomplete"
    (tmp_path / "pytorch_model.bin").write_bytes(b"not a model")
    with pytest.raises(Problem) as caught:
        kind.load(tmp_path)
    assert caught.value.key == "engine.pretrained.damaged"


def test_weights_that_are_missing_are_never_made_up(tmp_path) -> None:
    encoder = ContentEncoder.untrained(3, hidden=16)
    encoder.model.config.save_pretrained(tmp_path)
    state = encoder.model.state_dict()
    del state["encoder.layers.1.final_layer_norm.weight"]
    torch.save(state, tmp_path / "pytorch_model.bin")
    with pytest.raises(Problem, match=r"1 weights are missing.*layers\.1\.final_layer_norm"):
        ContentEncoder.load(tmp_path)


def test_too_short_a_wave_is_refused() -> None:
    with pytest.raises(ValueError, match="400"):
        ContentEncoder.untrained(0, hidden=16).features(torch.zeros(1, 399))
