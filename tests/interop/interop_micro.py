"""The smallest networks that hold every block, and a way to run a command."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from types import ModuleType

from engine.contract.problem import Problem
from engine.models.gpt.config import GptConfig
from engine.models.sovits.config import SovitsConfig

MICRO = replace(
    SovitsConfig.tiny(), inter_channels=4, hidden_channels=4, filter_channels=4, n_layers=1,
    upsample_initial_channel=32, gin_channels=4, ssl_dim=4, ref_channels=4, mrte_channels=4,
    posterior_layers=1, flow_count=1, flow_layers=1, codebook_size=8, ref_bins=8, spec_bins=8,
    scale_channels=(4, 4, 4), period_channels=(4, 4),
)  # fmt: skip
MICRO_GPT = replace(GptConfig.tiny(), hidden_dim=8, head=2, n_layer=1, bert_dim=1024)


def command(module: ModuleType, *arguments: object) -> int:
    """Run a command as the command line would: its exit code, a Problem's sentence on stderr."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--json", action="store_true")
    module.add_arguments(parser)
    try:
        return int(module.run(parser.parse_args([str(argument) for argument in arguments])))
    except Problem as problem:
        print(problem.sentence(), file=sys.stderr)
        return int(problem.exit_code)
