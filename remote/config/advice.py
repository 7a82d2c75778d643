"""What a sound deploy.toml still leaves to stumble over: files that are not there, idle caps."""

from __future__ import annotations

from pathlib import Path

from engine.contract.catalogue import Text, text
from remote.config.schema import Config


def advise(config: Config) -> list[Text]:
    """Sentences about settings that fit the schema and yet will not do what they say."""
    found = []
    for key, path in (
        ("dataset.list", config.dataset.list),
        ("dataset.wavs", config.dataset.wavs),
        ("python.wheels", config.python.wheels),
    ):
        if path and not Path(path).expanduser().exists():
            found.append(text("remote.fault.no_path", setting=key, path=path))
    unpriced = [
        name for name, one in config.servers.items()
        if not one.price_per_hour and not one.embedded
    ]  # fmt: skip
    if config.autostop.max_cost and unpriced:
        found.append(text("remote.fault.no_price", names=", ".join(unpriced)))
    held = config.autostop.only_after_pull and not config.autostop.pull_deadline
    ends = config.autostop.after_success or config.autostop.idle or config.autostop.gpu_idle
    if held and ends and config.pull.auto == "off":
        found.append(text("remote.fault.waits_for_pull"))
    return found
