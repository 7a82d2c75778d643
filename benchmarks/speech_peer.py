"""The other program's side of `benchmarks.speak`: runs in an environment of its own.

    .bench-speech/bin/python benchmarks/speech_peer.py FOLDER

FOLDER holds the exported weights gpt.ckpt and sovits.pth, and inputs.npz. Answers one JSON line
for each line on standard input: {"tokens": BATCH, "count": N} or {"decode": true}. Only torch
and the peer (gpt-sovits-cpufast) are imported, so no file of ours runs on its side.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # the peer prints as it goes
    peer = Peer(Path(sys.argv[1]))
    for line in sys.stdin:
        asked = json.loads(line)
        answer = peer.decode() if asked.get("decode") else peer.tokens(**asked)
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


class Peer:
    """Both networks of the peer with our weights, greedy and on one thread."""

    def __init__(self, folder: Path) -> None:
        found = importlib.util.find_spec("GPT_SoVITS")
        assert found is not None and found.submodule_search_locations
        package = Path(next(iter(found.submodule_search_locations)))
        sys.path[:0] = [str(package), str(package.parent)]
        import numpy as np
        import torch
        from AR.models.t2s_model import Text2SemanticDecoder
        from module.models import SynthesizerTrn

        torch.set_num_threads(1)
        torch.set_grad_enabled(False)
        self.torch = torch
        self.given = {key: torch.from_numpy(v) for key, v in np.load(folder / "inputs.npz").items()}
        stored = torch.load(folder / "gpt.ckpt", map_location="cpu", weights_only=True)
        # Its inference form only; with the training form it asks for torchmetrics.
        self.gpt = Text2SemanticDecoder(
            stored["config"], build_t2s_transformer=False, build_h_module=False
        ).eval()
        weights = {k.removeprefix("model."): v.float() for k, v in stored["weight"].items()}
        self.gpt.load_state_dict(weights, strict=False)
        self.gpt.rebuild_t2s_transformer_from_state_dict(weights)
        stored = torch.load(folder / "sovits.pth", map_location="cpu", weights_only=True)
        data, model = stored["config"]["data"], dict(stored["config"]["model"])
        model.pop("version", None)
        self.sovits = SynthesizerTrn(
            data["filter_length"] // 2 + 1,
            stored["config"]["train"]["segment_size"] // data["hop_length"],
            n_speakers=data["n_speakers"],
            version="v2",
            **model,
        ).eval()
        weights = {key: value.float() for key, value in stored["weight"].items()}
        self.sovits.load_state_dict(weights, strict=False)

    def tokens(self, tokens: int, count: int) -> dict[str, Any]:
        """CPU seconds and the tokens of each row."""
        torch, given = self.torch, self.given
        prompt = given["prompt"][None].expand(tokens, -1).contiguous()
        settings = {"top_k": 1, "early_stop_num": count, "temperature": 1.0}
        lengths = torch.tensor([len(given["phones"])] * tokens)
        started = time.process_time()
        if tokens == 1:
            found, _ = self.gpt.infer_panel(
                given["phones"][None], lengths, prompt, given["bert"][None], **settings
            )
            rows = [found[0, prompt.shape[1] :].tolist()]
        else:
            found, _ = self.gpt.infer_panel_batch_infer(
                [given["phones"]] * tokens, lengths, prompt, [given["bert"]] * tokens, **settings
            )
            rows = [row[prompt.shape[1] :].tolist() for row in found]
        return {"seconds": time.process_time() - started, "tokens": rows}

    def decode(self) -> dict[str, Any]:
        """CPU seconds of ten seconds of sound."""
        given = self.given
        started = time.process_time()
        wav = self.sovits.decode(
            given["codes"][None, None], given["phones"][None], [given["spec"]], noise_scale=0.5
        )
        return {"seconds": time.process_time() - started, "samples": wav.shape[-1]}


if __name__ == "__main__":
    main()
