"""One of two processes that train a tiny GPT on one card: `two_processes.py cuda|cpu FOLDER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import torch
import torch.distributed as dist

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from benchmarks.synthetic import fill, gpt_batch
from sovdeck.engine.models.gpt.config import GptConfig
from sovdeck.engine.models.gpt.text2semantic import Text2Semantic
from sovdeck.engine.runtime.device import Precision, choose_device
from sovdeck.engine.runtime.distributed import Peers
from sovdeck.engine.training.batch_schedule import BatchSizes
from sovdeck.engine.training.gpt_task import GptSettings, GptTask


def train(kind: str, peers: Peers) -> tuple[list[float], GptTask]:
    """Three updates of four clips; the loss of each."""
    model = Text2Semantic(GptConfig(hidden_dim=64, head=2, n_layer=2, dropout=0.0))
    fill(model, "model.")
    settings = GptSettings(BatchSizes(4 // peers.world_size, peers.world_size))
    task = GptTask(model, [], settings, choose_device(kind), Precision("fp32", kind), peers)
    batch = gpt_batch(4, 20, 40).select_rows(peers.rank, None, peers.world_size)
    losses = []
    for _ in range(3):
        (phase,) = task.phases()
        losses.append(float(peers.sum_losses(dict(phase.compute([batch])))["total"]))
        phase.apply()
    return losses, task


def main() -> None:
    kind, folder = sys.argv[1], Path(sys.argv[2])
    dist.init_process_group("gloo")
    rank = int(os.environ["RANK"])
    group = dist.group.WORLD
    losses, task = train(kind, Peers(rank, 2, group, group))
    alone, _ = train(kind, Peers())
    weights = [p.detach().cpu() for p in task.model.parameters()]
    torch.save({"losses": losses, "alone": alone, "weights": weights}, folder / f"{rank}.pt")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
