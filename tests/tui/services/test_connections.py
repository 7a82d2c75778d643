"""Which servers the dashboard lists, and that it asks nothing twice."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.embedded import client
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.remote.secret import Secret
from sovdeck.tui.services.connections import ConnectionRegistry, DashboardLoginPrompts
from sovdeck.tui.state.prompts import HostKeyPrompt, OfferPrompt, SecretPrompt


def test_this_computer_is_listed_only_where_it_can_be_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = ConnectionRegistry(None, AppPaths.below(tmp_path))
    assert [server.name for server in connections.saved_servers()] == ["local"]
    monkeypatch.setattr(client, "SERVER_LIBRARY", "a_library_that_is_not_there")
    assert connections.saved_servers() == ()


@dataclass
class Person:
    """Types the same to every question and wants nothing that is offered."""

    asked: list[str] = field(default_factory=list)

    def confirm_host_key(self, prompt: HostKeyPrompt) -> bool:
        self.asked.append(f"{prompt.key_type} {prompt.fingerprint}")
        return True

    def ask_secret(self, prompt: SecretPrompt) -> str:
        self.asked.append(prompt.prompt)
        return "pw"

    def accept_offer(self, prompt: OfferPrompt) -> bool:
        self.asked.append(prompt.offer)
        return False


def test_a_host_key_is_shown_with_its_type() -> None:
    prompts, key = DashboardLoginPrompts("gpu"), HostKey("ssh-ed25519", b"blob")
    assert not prompts.host_key(key, "gpu:22", "")
    prompts.prompts = person = Person()
    assert prompts.host_key(key, "gpu:22", "")
    assert person.asked == [f"ssh-ed25519 {key.fingerprint}"]


def test_a_server_just_added_asks_nothing_a_second_time() -> None:
    person = Person()
    prompts = DashboardLoginPrompts("gpu")
    prompts.prompts = person
    assert prompts.secret("gpu", "Password:") == prompts.secret("gpu", "Code:") == Secret("pw")
    assert not prompts.install_key("gpu") and not prompts.keep_password("gpu")
    assert person.asked == ["Password:", "Code:", "key", "keyring"]
    prompts.answer_once_more()
    assert prompts.secret("gpu", "Password:") == Secret("pw") and len(person.asked) == 4
    assert not prompts.install_key("gpu") and not prompts.keep_password("gpu")
    assert len(person.asked) == 4
    prompts.secret("gpu", "Code:")
    prompts.secret("gpu", "Password:")  # only once: what was changed meanwhile is asked
    assert person.asked[4:] == ["Code:", "Password:"]
    prompts.answer_once_more()
    prompts.secret("gpu", "Password:", again=True)
    assert person.asked[6:] == ["Password:"], "a refused answer is not given again"
