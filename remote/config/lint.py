"""Advice on a valid deploy.toml: files that do not exist, limits that never take effect."""

from __future__ import annotations

from pathlib import Path

from sovdeck.engine.contract.catalogue import Text, text
from sovdeck.remote.config.schema import ProjectConfig


def lint_config(config: ProjectConfig) -> list[Text]:
    """Return sentences about settings that are valid and yet will not do what they say."""
    found = []
    for key, path in (
        ("dataset.list", config.dataset.list),
        ("dataset.wavs", config.dataset.wavs),
        ("python.wheels", config.python.wheels),
    ):
        if path and not Path(path).expanduser().exists():
            found.append(text("remote.config_issue.no_path", setting=key, path=path))
    unpriced = [
        name for name, one in config.servers.items() if not one.price_per_hour and not one.embedded
    ]
    if config.autostop.max_cost and unpriced:
        found.append(text("remote.config_issue.no_price", names=", ".join(unpriced)))
    fetched, started = config.models.set, config.train.pretrained
    if fetched and started and fetched != started:
        found.append(text("remote.config_issue.other_set", fetched=fetched, started=started))
    waits_for_pull = config.autostop.only_after_pull and not config.autostop.pull_deadline
    ends = config.autostop.after_success or config.autostop.idle or config.autostop.gpu_idle
    if waits_for_pull and ends and config.pull.auto == "off":
        found.append(text("remote.config_issue.waits_for_pull"))
    return found
