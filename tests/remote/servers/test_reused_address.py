"""An address and port that belonged to somebody else's server: what is said works as it is said."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from servers import Place, start_sshd, stop_sshd

from sovdeck.tui.cli.main import main


@pytest.mark.sshd
def test_the_way_out_that_is_named_works_before_a_server_is_saved(
    sshd_v4: Place,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_agent: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = start_sshd(tmp_path / "other", "127.0.0.1")
    stop_sshd(other)
    home = tmp_path / "ours"
    monkeypatch.setenv("SOVDECK_HOME", str(home))
    monkeypatch.setenv("SOVDECK_LANG", "en")
    monkeypatch.chdir(tmp_path)
    ssh = Path.home() / ".ssh"
    ssh.mkdir(parents=True)
    key = (other.folder / "host_key.pub").read_text().split()[:2]
    (ssh / "known_hosts").write_text(f"[127.0.0.1]:{sshd_v4.spec.port} {' '.join(key)}\n")

    add = ["server", "add", sshd_v4.spec.format(), "--name", "fresh"]
    assert main(add) == 7
    words = capsys.readouterr().err
    assert "Rented addresses go from one renter to the next" in words
    named = re.search(r"--accept-host-key SHA256:\S+?(?=[.\s])", words)
    assert named is not None and "fresh" not in words.partition("Rented")[2]
    assert main([*add, *named[0].split()]) == 0, capsys.readouterr().err
    # Saved and trusted from now on.
    assert main(["server", "check", "fresh"]) == 0
    assert main(["server", "forget-key", "fresh"]) == 0
