"""Questions on the terminal: what a person is told before they answer."""

from __future__ import annotations

import pytest

from sovdeck.engine.contract.catalogue import LANGUAGES, Language
from sovdeck.remote.hosts.known_hosts import HostKey
from sovdeck.tui.cli.console import Console
from sovdeck.tui.cli.prompts import TerminalDialog

KEY = HostKey("ecdsa-sha2-nistp256", b"blob")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("since", ["", "2026-01-31"])
@pytest.mark.parametrize(("answer", "trusted"), [("y", True), ("是", True), ("", False)])
def test_a_host_key_is_asked_about_with_its_type_and_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    language: Language,
    since: str,
    answer: str,
    trusted: bool,
) -> None:
    console = Console(json_output=False, language=language)
    monkeypatch.setattr(console, "ask", lambda *_: answer)
    assert TerminalDialog(console).host_key(KEY, "box.example:2200", since) is trusted
    said = "".join(capsys.readouterr())
    assert "ecdsa-sha2-nistp256" in said and KEY.fingerprint in said
    assert "box.example:2200" in said and since in said
