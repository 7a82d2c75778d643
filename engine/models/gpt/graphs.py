"""Decoding by steps that a GPU has captured: one launch a token instead of several hundred.

A graph repeats its operations on the same addresses. So everything a step reads or writes lies
in memory that is allocated once; a batch or a cache of a smaller size is a view of its first
rows and positions, and each size has a graph of its own, captured when it is first needed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sovdeck.engine.models.gpt import masks
from sovdeck.engine.models.gpt.cache import KVCache, StaticCache, allocate_store
from sovdeck.engine.models.gpt.decoder import Generators, draw_noise
from sovdeck.engine.models.gpt.sampling import Sampling
from sovdeck.engine.models.gpt.step import DecodeState, DecodeStep
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic

# Runs a step a few times, putting back after each what it changed, and returns what repeats it.
Capture = Callable[[Callable[[], None], Callable[[], None]], Callable[[], None]]

BLOCK = 8  # tokens between two looks at the ends: a wait for each would leave the GPU idle
_LEAST_POSITIONS, _LEAST_TOKENS = 2048, 1536
_WARM_UPS = 3  # libraries take their workspace in the first runs, which a capture forbids


def cache_bucket(positions: int) -> int:
    """The number of cache positions that attention reads when so many are filled.

    Steps of 256 up to 1024, then of 512: at most a quarter too many from 1024 on.
    """
    size = 256 if positions <= 1024 else 512
    return -(-positions // size) * size


def batch_bucket(rows: int) -> int:
    """The size that a batch shrinks to when so many rows go on: a power of two."""
    return 1 << (rows - 1).bit_length()


class CudaCapture:
    """Captures steps as CUDA graphs that share one pool of memory."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._pool: Any = torch.cuda.graph_pool_handle()

    def __call__(self, run: Callable[[], None], restore: Callable[[], None]) -> Callable[[], None]:
        """Capture `run`, which `restore` undoes; RuntimeError where the driver cannot."""
        # A stream for each graph: what libraries keep for a stream goes with the graph. The first
        # runs are on it too, since those libraries' handles belong to a stream.
        stream = torch.cuda.Stream(self._device)
        stream.wait_stream(torch.cuda.current_stream(self._device))
        with torch.cuda.stream(stream):
            for _ in range(_WARM_UPS):
                run()
                restore()
        torch.cuda.current_stream(self._device).wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        # "thread_local": the memory sampler and HTTP threads may use CUDA meanwhile.
        with torch.cuda.graph(
            graph, pool=self._pool, stream=stream, capture_error_mode="thread_local"
        ):
            run()
        replay: Callable[[], None] = graph.replay
        return replay


@dataclass(frozen=True)
class _Memory:
    """Everything a step reads and writes, for the largest batch and cache so far."""

    state: DecodeState
    store: Tensor
    mask: Tensor  # (B, 1, 1, capacity)
    slot: Tensor  # (1,)

    @property
    def rows(self) -> int:
        return self.store.shape[1]

    @property
    def capacity(self) -> int:
        return self.store.shape[4]

    @property
    def tokens(self) -> int:
        return self.state.history.shape[1]


class DecodeGraphs:
    """The captured steps of one model, which must neither change its weights nor move.

    `failure` is what the driver said when a step could not be captured; from then on every
    step is run operation by operation.
    """

    def __init__(
        self, model: Text2Semantic, capture: Capture | None = None, *, block: int = BLOCK
    ) -> None:
        self.model = model
        self.block = block
        self.failure: str | None = None
        self._device = model.ar_predict_layer.weight.device
        self._capture = CudaCapture(self._device) if capture is None else capture
        self._memory: _Memory | None = None
        self._steps: dict[tuple[Any, ...], Callable[[], None]] = {}

    def open(
        self, rows: int, filled: int, max_tokens: int, padding: Tensor | None, sampling: Sampling
    ) -> GraphDecoder:
        """Begin a batch: `filled` positions of text and prompt, `padding` its valid keys (B, L)."""
        memory = self._reserve(rows, filled + max_tokens, max_tokens)
        memory.slot.fill_(filled - 1)
        memory.mask.fill_(-torch.inf)
        memory.mask[:rows, :, :, :filled].zero_()
        if padding is not None:
            masks.hide(memory.mask[:rows], padding)
        return GraphDecoder(self, memory, rows, filled, sampling)

    def step(
        self, memory: _Memory, state: DecodeState, positions: int, sampling: Sampling
    ) -> Callable[[], None]:
        """What makes one step of the rows of `state` over a cache of so many positions."""
        rows = len(state.token)
        key = (rows, positions, sampling.top_k, sampling.top_p)
        if key not in self._steps:
            cache = StaticCache(
                memory.store[:, :rows, :, :, :positions],
                memory.mask[:rows, ..., :positions],
                memory.slot,
            )
            self._steps[key] = self._capture_step(DecodeStep(self.model, state, cache, sampling))
        return self._steps[key]

    def _capture_step(self, step: DecodeStep) -> Callable[[], None]:
        if self.failure is not None:
            return step.run
        cache = step.cache
        assert isinstance(cache, StaticCache) and cache.mask is not None
        changed = [*step.state.tensors, cache.mask, cache.slot]
        kept = [tensor.clone() for tensor in changed]

        def restore() -> None:
            for tensor, before in zip(changed, kept, strict=True):
                tensor.copy_(before)

        try:
            return self._capture(step.run, restore)
        except RuntimeError as error:
            self.failure = str(error).splitlines()[0]
            restore()
            return step.run

    def _reserve(self, rows: int, positions: int, tokens: int) -> _Memory:
        """Memory of at least these sizes; growing makes every captured step useless."""
        memory = self._memory
        wanted = (rows, positions, tokens)
        if memory is not None:
            sizes = (memory.rows, memory.capacity, memory.tokens)
            if all(have >= want for have, want in zip(sizes, wanted, strict=True)):
                return memory
            rows, positions, tokens = (max(pair) for pair in zip(sizes, wanted, strict=True))
        self._steps.clear()
        self._memory = None  # freed before the larger one is allocated
        del memory
        self._memory = self._allocate(
            rows, cache_bucket(max(_LEAST_POSITIONS, positions)), max(_LEAST_TOKENS, tokens)
        )
        return self._memory

    def _allocate(self, rows: int, capacity: int, tokens: int) -> _Memory:
        model, config = self.model, self.model.config
        weight = model.ar_predict_layer.weight
        like = weight.new_empty(0, dtype=model.cache_dtype or weight.dtype)
        head_dim = config.hidden_dim // config.head
        store = allocate_store(config.n_layer, rows, config.head, capacity, head_dim, like)
        return _Memory(
            DecodeState.allocate(rows, config.vocab_size, tokens, self.block, self._device),
            store,
            store.new_zeros(rows, 1, 1, capacity),
            torch.zeros(1, dtype=torch.long, device=self._device),
        )


class GraphDecoder:
    """A `TokenDecoder` of captured steps."""

    def __init__(
        self, graphs: DecodeGraphs, memory: _Memory, rows: int, filled: int, sampling: Sampling
    ) -> None:
        self.block = graphs.block
        self.state = memory.state.first_rows(rows)
        self._graphs = graphs
        self._memory = memory
        self._filled = filled
        self._sampling = sampling
        self._ends = _EndReader(memory.slot.device)
        self._noise = _NoiseBuffers(memory.state.noise)

    @property
    def prefill_cache(self) -> KVCache:
        """The first positions of the static cache."""
        return KVCache(self._memory.store[:, : len(self.state.token)])

    def draw(self, logits: Tensor) -> None:
        """Draw the first token from the logits (B, V) of the prefill."""
        unread = StaticCache(self._memory.store, self._memory.mask, self._memory.slot)
        DecodeStep(self._graphs.model, self.state, unread, self._sampling).draw(logits)

    def fill_noise(self, generators: Generators, first_step: int, count: int) -> None:
        """Draw what the next `count` steps need, and send it."""
        noise = self._noise.next(count, len(generators))
        draw_noise(noise, generators, first_step)
        self.state.noise[:count].copy_(noise, non_blocking=True)
        self.state.noise_row.zero_()

    def advance(self, count: int) -> None:
        """Replay `count` steps, each over the smallest cache that holds what is filled."""
        for _ in range(count):
            self._filled += 1
            positions = cache_bucket(self._filled)
            self._graphs.step(self._memory, self.state, positions, self._sampling)()

    def read_ended(self) -> list[bool]:
        """Which rows had ended a block ago; the present ones are on their way."""
        return self._ends.read(self.state.ended)

    def choose_rows(self, ended: Sequence[bool]) -> list[int] | None:
        """The rows that go on, filled up with ended ones to the next smaller size."""
        going_on = [row for row, over in enumerate(ended) if not over]
        size = batch_bucket(len(going_on))
        if size >= len(ended):
            return None
        over = [row for row, over in enumerate(ended) if over]
        return going_on + over[: size - len(going_on)]

    def keep_rows(self, rows: list[int]) -> None:
        """Go on with these rows, moved to the front of every tensor."""
        index = torch.tensor(rows, device=self.state.token.device)
        self.state.move_rows(index)
        for tensor in (self._memory.mask, *self._memory.store.unbind(0)):
            tensor[: len(rows)] = tensor[index]
        self.state = self.state.first_rows(len(rows))
        self._ends.forget()


class _EndReader:
    """Brings `ended` to the host without a wait: what is read was sent a block before."""

    def __init__(self, device: torch.device) -> None:
        self._cuda = device.type == "cuda"
        self._sent: tuple[Tensor, Any] | None = None

    def read(self, ended: Tensor) -> list[bool]:
        """Send (B,) and return what was sent before; nothing has ended where nothing was."""
        sent, self._sent = self._sent, self._send(ended)
        if sent is None:
            return [False] * len(ended)
        flags, event = sent
        if event is not None:
            event.synchronize()
        known: list[bool] = flags.tolist()
        return known

    def forget(self) -> None:
        """Drop what was sent: its rows are others now."""
        self._sent = None

    def _send(self, ended: Tensor) -> tuple[Tensor, Any]:
        if not self._cuda:
            return ended.clone(), None
        flags = torch.empty(ended.shape, dtype=ended.dtype, pin_memory=True)
        flags.copy_(ended, non_blocking=True)
        event = torch.cuda.Event()
        event.record()
        return flags, event


class _NoiseBuffers:
    """Two buffers on the host in turn: one is filled while the GPU may still read the other."""

    def __init__(self, noise: Tensor) -> None:
        pinned = noise.device.type == "cuda"
        self._columns = noise.shape[-1]
        self._buffers = [torch.ones(noise.numel(), pin_memory=pinned) for _ in range(2)]

    def next(self, count: int, rows: int) -> Tensor:
        """(count, rows, V): free, since the ends of the block it was used for have been read."""
        self._buffers.reverse()
        numbers = count * rows * self._columns  # side by side, or it could not be sent at once
        return self._buffers[0][:numbers].view(count, rows, self._columns)
