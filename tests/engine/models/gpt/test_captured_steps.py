"""Steps as a GPU captures them, on a CPU: the same tokens, and nothing that a capture forbids."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from gpt_fill import arr, fill, ints
from plain_decoding import plain_tokens
from tape_graph import Tape, TapeCapture

from sovdeck.engine.models.gpt import graphs as graphs_module
from sovdeck.engine.models.gpt.cache import StaticCache, allocate_store
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.generate import generate, generate_batch
from sovdeck.engine.models.gpt.graphs import DecodeGraphs, batch_bucket, cache_bucket
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.step import DecodeState, DecodeStep
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic

GREEDY = Sampling(top_k=1)
SETTINGS = [GREEDY, Sampling(), Sampling(5, 0.7, 0.8, 1.1)]


def text(length: int, salt: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    return ints("x", 0, 732, length, salt=salt), 0.5 * arr("bert", 1024, length, salt=salt)


def seeded(*seeds: int) -> list[torch.Generator | None]:
    return [torch.Generator().manual_seed(seed) for seed in seeds]


@pytest.fixture
def small_buckets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches that are crossed within a few dozen tokens, and memory that must grow."""
    monkeypatch.setattr(graphs_module, "cache_bucket", lambda n: -(-n // 16) * 16)
    monkeypatch.setattr(graphs_module, "_LEAST_POSITIONS", 16)
    monkeypatch.setattr(graphs_module, "_LEAST_TOKENS", 8)


@pytest.fixture(scope="module")
def ending() -> Text2Semantic:
    """A model that likes EOS so well that texts end after some dozen tokens, each elsewhere."""
    model = Text2Semantic(GptConfig.tiny()).eval()
    fill(model, salt=2)
    with torch.no_grad():
        model.ar_predict_layer.weight[1024] *= 1.5
    return model


@pytest.mark.parametrize("sampling", SETTINGS, ids=["greedy", "default", "top_p"])
@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("way", ["growing", "captured"])
def test_tokens_are_those_of_the_plain_formulation(
    way: str, seed: int, sampling: Sampling, tiny: Text2Semantic, small_buckets: None
) -> None:
    prompt = ints("prompt", 0, 1024, 5)
    graphs = DecodeGraphs(tiny, TapeCapture()) if way == "captured" else None
    (generator,) = seeded(seed)
    tokens = generate(
        tiny,
        *text(7),
        prompt,
        sampling=sampling,
        generator=generator,
        max_tokens=45,
        graphs=graphs,
    )
    assert tokens.tolist() == plain_tokens(tiny, *text(7), prompt, sampling, seed, 45)
    assert graphs is None or graphs.failure is None


@pytest.mark.parametrize("block", [1, 3, 8])
@pytest.mark.parametrize("sampling", SETTINGS[:2], ids=["greedy", "default"])
def test_looking_seldom_for_the_end_changes_nothing(
    sampling: Sampling, block: int, ending: Text2Semantic, small_buckets: None
) -> None:
    """Rows end one by one, between two looks; the batch shrinks by sizes; each keeps its place."""
    texts = [text(7 + 3 * row, salt=row) for row in range(5)]
    prompt = ints("prompt", 0, 1024, 4)
    alone = [
        plain_tokens(ending, *one, prompt, sampling, seed, 60) for seed, one in enumerate(texts)
    ]
    assert len({len(row) for row in alone}) > 2 and min(map(len, alone)) < 40
    capture = TapeCapture()
    rows = generate_batch(
        ending,
        [one[0] for one in texts],
        [one[1] for one in texts],
        prompt,
        sampling=sampling,
        generators=seeded(*range(5)),
        max_tokens=60,
        graphs=DecodeGraphs(ending, capture, block=block),
    )
    assert [row.tolist() for row in rows] == alone
    steps = max(map(len, alone))
    assert capture.replays <= steps + 2 * block  # what is decoded in vain


def test_a_drawn_row_of_a_batch_is_the_row_alone(ending: Text2Semantic) -> None:
    texts = [text(7), text(12, salt=1), text(3, salt=2)]
    rows = generate_batch(
        ending,
        [one[0] for one in texts],
        [one[1] for one in texts],
        sampling=Sampling(),
        generators=seeded(1, 2, 3),
        max_tokens=50,
    )
    for seed, (one, row) in enumerate(zip(texts, rows, strict=True), 1):
        (generator,) = seeded(seed)
        alone = generate(ending, *one, sampling=Sampling(), generator=generator, max_tokens=50)
        assert row.tolist() == alone.tolist()


@pytest.mark.parametrize("limit", [1, 2, 8, 9, 10, 17, 31])
def test_the_limit_is_kept_to_the_token(
    limit: int, tiny: Text2Semantic, small_buckets: None
) -> None:
    graphs = DecodeGraphs(tiny, TapeCapture())
    tokens = generate(tiny, *text(9), sampling=GREEDY, max_tokens=limit, graphs=graphs)
    alone = generate(tiny, *text(9), sampling=GREEDY, max_tokens=limit)
    assert tokens.tolist() == alone.tolist() and len(tokens) == limit


def test_what_lies_in_unwritten_slots_is_not_heard(tiny: Text2Semantic) -> None:
    """A finite number as large as it may be: a slot that is seen at all takes over."""
    graphs = DecodeGraphs(tiny, TapeCapture())
    said = []
    for _ in range(3):
        tokens = generate(tiny, *text(9), sampling=GREEDY, max_tokens=40, graphs=graphs)
        said.append(tokens.tolist())
        assert graphs._memory is not None
        with torch.inference_mode():
            graphs._memory.store.fill_(1e4)
    assert said[0] == said[1] == said[2]
    assert said[0] == generate(tiny, *text(9), sampling=GREEDY, max_tokens=40).tolist()


def test_one_capture_serves_every_sentence_and_setting_of_its_size(tiny: Text2Semantic) -> None:
    capture = TapeCapture()
    graphs = DecodeGraphs(tiny, capture)
    for length, sampling in ((9, Sampling()), (4, Sampling(15, 1.0, 0.6, 1.1)), (13, Sampling())):
        (one,), (two,) = seeded(5), seeded(5)
        ours = generate(
            tiny, *text(length), sampling=sampling, generator=one, max_tokens=30, graphs=graphs
        )
        plain = generate(tiny, *text(length), sampling=sampling, generator=two, max_tokens=30)
        assert ours.tolist() == plain.tolist()
    assert len(capture.tapes) == 1
    generate(tiny, *text(4), sampling=Sampling(top_k=3), max_tokens=30, graphs=graphs)
    assert len(capture.tapes) == 2  # these two are part of what is captured


def make_step(model: Text2Semantic, rows: int = 2) -> DecodeStep:
    """A step in the middle of two texts of unlike length."""
    config = model.config
    head_dim = config.hidden_dim // config.head
    store = allocate_store(config.n_layer, rows, config.head, 64, head_dim, torch.empty(0))
    mask = torch.full((rows, 1, 1, 64), -torch.inf)
    mask[..., 2:12] = 0.0
    state = DecodeState.allocate(rows, config.vocab_size, 40, 8, torch.device("cpu"))
    state.start(ints("prompt", 0, 1024, rows, 4), Sampling())
    return DecodeStep(model, state, StaticCache(store, mask, torch.tensor([11])), Sampling())


@torch.inference_mode()
def test_two_steps_are_one_tape(tiny: Text2Semantic) -> None:
    step, tapes = make_step(tiny), []
    for number in range(2):
        with Tape() as tape:
            step.run()
        tapes.append(tape)
        assert step.state.step.tolist() == [number + 1]
    assert tapes[0].signature() == tapes[1].signature()
    assert len(tapes[0].operations) > 50


@torch.inference_mode()
@pytest.mark.parametrize(
    ("misuse", "seen"),
    [
        (lambda step: step.state.step.item(), "makes the host wait"),
        (lambda step: step.state.ended.nonzero(), "makes the host wait"),
        (lambda step: step.state.token[step.state.ended], "makes the host wait"),
    ],
)
def test_the_tape_tells_what_waits(
    misuse: Callable[[DecodeStep], object], seen: str, tiny: Text2Semantic
) -> None:
    step = make_step(tiny)
    with pytest.raises(AssertionError, match=seen), Tape():
        step.run()
        misuse(step)


@torch.inference_mode()
def test_the_tape_tells_what_changes(tiny: Text2Semantic) -> None:
    """A number, a shape, and an address."""
    step = make_step(tiny)
    kept = [torch.zeros(3), torch.zeros(3)]
    for misuse in (
        lambda turn: step.state.noise + turn,
        lambda turn: step.state.history[:, : turn + 1] + 1,
        lambda turn: kept[turn] + 1,
    ):
        signatures = []
        for turn in range(2):
            with Tape() as tape:
                misuse(turn)
            signatures.append(tape.signature())
        assert signatures[0] != signatures[1]


def test_a_failed_capture_is_told_and_decoding_goes_on(tiny: Text2Semantic) -> None:
    def refuse(run: Callable[[], None], restore: Callable[[], None]) -> Callable[[], None]:
        run()
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    graphs = DecodeGraphs(tiny, refuse)
    tokens = generate(tiny, *text(9), sampling=GREEDY, max_tokens=30, graphs=graphs)
    assert tokens.tolist() == generate(tiny, *text(9), sampling=GREEDY, max_tokens=30).tolist()
    assert graphs.failure == "operation not permitted when stream is capturing"


def test_sizes_of_captured_steps() -> None:
    assert [cache_bucket(n) for n in (1, 256, 257, 1024, 1025, 1537)] == [
        256,
        256,
        512,
        1024,
        1536,
        2048,
    ]
    assert [batch_bucket(n) for n in (1, 2, 3, 4, 5, 9)] == [1, 2, 4, 4, 8, 16]
