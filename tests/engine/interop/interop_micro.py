"""The smallest network of each version as files of weights hold it, and a way to run a command."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from types import ModuleType

from micro_models import SOVITS

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.models.sovits.config import SovitsConfig


def micro(version: str) -> SovitsConfig:
    """The smallest network of a version, with the decoder's width that tells it."""
    usual = SovitsConfig.of(version)
    if version == "v2":
        return SOVITS
    return replace(
        SOVITS,
        version=version,
        p_dropout=0.0,
        periods=usual.periods,
        speaker_numbers=6,
        upsample_initial_channel=usual.upsample_initial_channel,
        upsample_kernel_sizes=usual.upsample_kernel_sizes,
        resblock_kernel_sizes=(3,),
        resblock_dilation_sizes=((1,),),
    )


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
