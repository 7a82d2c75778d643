"""Puts the engine on a server without root: facts, then a plan, then its steps.

    deployed = deploy(link, config, report)        # one round trip when nothing changed

`plan` is pure and is what `--dry-run` shows; `apply` carries it out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.contract.layout import Layout
from remote.agent import script
from remote.code_archive import CodeArchive, code_archive
from remote.deploy.apply import Links, Report, StepReport, apply, send_code
from remote.deploy.plan import DeployConfig, Step, plan
from remote.deploy.relay import gather
from remote.deployed import Deployed
from remote.facts import ServerFacts
from remote.link import Link
from remote.listener import LinkSource
from remote.probe import probe
from remote.profiles import find

__all__ = [
    "CodeArchive",
    "DeployConfig",
    "Deployed",
    "Links",
    "Report",
    "Step",
    "StepReport",
    "apply",
    "code_archive",
    "deploy",
    "plan",
    "ready",
    "steps_for",
]


def steps_for(facts: ServerFacts, config: DeployConfig, host: str = "") -> tuple[Step, ...]:
    """The plan for this program's own engine on a probed server."""
    return plan(facts, config, code_archive(), find(config.profile, host, facts.marks))


def deploy(
    link: Link,
    config: DeployConfig,
    report: Report,
    *,
    link_source: LinkSource | None = None,
    connect: LinkSource | None = None,
    confirm: Callable[[tuple[Step, ...]], None] | None = None,
) -> Deployed:
    """Bring the server to where it can train. One round trip when nothing changed, two when
    only the code did; otherwise probe, plan and apply.

    link_source: gives a living link when this one is lost meanwhile. connect: opens a link of
    its own, for uploads over several. confirm: sees the plan first, and may raise to leave
    everything as it is.
    """
    code = code_archive()
    standing, has_code = _standing(link, config, code)
    if standing is not None:
        if has_code:
            report(StepReport("code", "kept"))
        else:
            report(StepReport("code", "doing"))
            report(StepReport("code", "done", send_code(link, standing.layout, code)))
        return standing
    profile = find(config.profile, link.spec.host)
    facts = probe(link, work=config.work, python=config.python, folders=profile.folders)
    steps = steps_for(facts, config, link.spec.host)
    if confirm is not None:
        confirm(steps)
    if config.relay:
        config = replace(config, wheels=str(gather(facts, steps, config, report)))
        steps = steps_for(facts, config, link.spec.host)
    again = link_source or (lambda: link)
    return apply(Links(link, again, connect or again), steps, report)


def ready(link: Link, config: DeployConfig) -> Deployed | None:
    """The standing deployment of this very code and wish, or None. One round trip."""
    standing, has_code = _standing(link, config, code_archive())
    return standing if has_code else None


def _standing(link: Link, config: DeployConfig, code: CodeArchive) -> tuple[Deployed | None, bool]:
    result = link.script(script("ready.sh"), [config.work, code.sha])
    lines = dict(
        line.partition(" ")[::2] for line in result.out.decode("utf-8", "replace").split("\n")
    )
    try:
        note: Any = json.loads(lines.get("deployed", ""))
        if note["wish"] != config.key(code):
            return None, False
        layout = Layout.at(str(note["work"]))
        env = {str(name): str(value) for name, value in note["env"].items()}
        env["PYTHONPATH"] = str(layout.code(code.sha))
        return Deployed(layout, str(note["python"]), code.sha, env), "code" in lines
    except (ValueError, KeyError, TypeError, AttributeError):
        # No note, or not one of ours: the full way round finds out what stands there.
        return None, False
