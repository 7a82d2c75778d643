"""speak, audition and serve as a person types them, against a real server."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from laptop_command import Laptop
from servers import Place
from tiny_voice import VOICE, tone
from trip_steps import laptop

from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.servers.server import ServerSession
from sovdeck.remote.speech.audition import find_running

SAID = "おはようございます。散歩に行きましょう。"
JA = ("--text-lang", "all_ja", "--seed", "5", "--device", "cpu")


@pytest.fixture(scope="module")
def sovdeck(
    session: ServerSession, embedded: Place, work: Path, tmp_path_factory: pytest.TempPathFactory
) -> Laptop:
    """Another laptop; the server is deployed by `session` already."""
    home = tmp_path_factory.mktemp("home")
    _, project = laptop(home, work)
    found = Laptop(home, project)
    accept = ("--accept-host-key", embedded.fingerprint)
    added = found("server", "add", embedded.spec.format(), "--name", "box", *accept)
    assert added.returncode == 0, added.stderr
    return found


def seconds(path: Path) -> float:
    with wave.open(str(path), "rb") as sound:
        assert sound.getframerate() == 32_000
        return sound.getnframes() / 32_000


@pytest.mark.long
def test_a_take_lands_here_sentence_by_sentence(sovdeck: Laptop, work: Path) -> None:
    events = sovdeck.events("speak", "box", VOICE, SAID, "--slice", "zh_period", *JA)
    pieces = [e for e in events if e.get("event") == "piece"]
    assert len(pieces) == 2
    done: dict[str, Any] = events[-1]
    path = Path(str(done["wav"]))
    assert path == sovdeck.home / "voices" / VOICE / "takes" / "Test-001.wav"
    assert seconds(path) == pytest.approx(float(str(done["seconds"])), abs=0.01)
    # Sound comes below a sentence: the first of it before its piece is whole.
    assert 0 < done["first_audio_s"] <= pieces[0]["arrived_s"]
    again = sovdeck.events(
        "speak",
        "box",
        VOICE,
        "-",
        "--slice",
        "zh_period",
        "--rerender",
        "--speed",
        "1.3",
        *JA,
        "--out",
        str(sovdeck.home / "fast.wav"),
        typed=SAID,
    )
    assert [e["reused"] for e in again if e.get("event") == "piece"] == [True, True]
    assert again[-1]["wav"] == str(sovdeck.home / "fast.wav")
    assert seconds(sovdeck.home / "fast.wav") < seconds(path)


@pytest.mark.long
def test_a_text_is_read_by_the_server_before_it_is_spoken(sovdeck: Laptop) -> None:
    read = ("data", "read", "--language", "all_zh", "box")
    assert sovdeck.events(*read, "-5℃ мир", "--voice", VOICE) == [
        {
            "pieces": [
                {
                    "language": "zh",
                    "text": "零下五度",
                    "phones": ["l", "ing2", "x", "ia4", "w", "u3", "d", "u4"],
                }
            ],
            "lost": [
                {"char": "м", "index": 4},
                {"char": "и", "index": 5},
                {"char": "р", "index": 6},
            ],
        }
    ]
    said = sovdeck(*read, "你好 мир").stdout
    assert "zh  你好" in said and "n i2 h ao3" in said and "м (4)" in said
    refused = sovdeck(*read, "สวัสดี")
    assert refused.returncode == 3 and "th (ไทย)" in refused.stderr


@pytest.mark.long
def test_the_assets_in_natural_order(sovdeck: Laptop) -> None:
    said = sovdeck("speak", "box", VOICE, "--list")
    lines = said.stdout.splitlines()
    assert [line.split()[:4] for line in lines[:2]] == [
        ["GPT", "Test-e2.ckpt", "v2", "e2"],
        ["GPT", "Test-e10.ckpt", "v2", "e10"],
    ]


@pytest.mark.long
def test_a_recording_of_this_laptop_is_checked_cut_sent_and_imitated(
    sovdeck: Laptop, work: Path
) -> None:
    clip = sovdeck.home / "my clip.wav"
    clip.write_bytes(tone(14.0))
    refused = sovdeck("speak", "box", VOICE, SAID, "--ref", str(clip), *JA)
    assert refused.returncode == 3 and "14.0 s long" in refused.stderr
    spoken = sovdeck.events("speak", "box", VOICE, SAID, "--ref", str(clip), "--trim", *JA)
    uploaded = Path(str(spoken[0]["path"]))
    assert uploaded == work / "references" / VOICE / "my clip.wav"
    assert seconds(uploaded) == pytest.approx(6.0)
    assert spoken[-1]["status"] == "ok"
    assert not (work / "references" / VOICE / "incoming").exists()


@pytest.mark.long
def test_a_run_that_goes_on_is_said_and_can_be_waited_for(
    sovdeck: Laptop, session: ServerSession
) -> None:
    run = "20261122-141530-Anna"
    link, deployed = session.connection(), session.require_deployment()
    handle = job_client.launch_job(link, deployed, run, ["sleep", "600"], queue="join")
    try:
        spoken = sovdeck("speak", "box", VOICE, "おはよう。", *JA)
        assert spoken.returncode == 0 and f"{run} is going on on box" in spoken.stdout
        # What lacks is said before anything is started.
        one = ("--text", "おはよう。", "--text-lang", "all_ja", "--device", "cpu")
        refused = sovdeck("audition", "box", VOICE, "--now", "--gpt", "Test-e99.ckpt", *one)
        assert refused.returncode == 3 and "Test-e99.ckpt cannot be read" in refused.stderr
        assert find_running(session, VOICE) is None
        waiting = subprocess.Popen(
            sovdeck.argv("audition", "box", VOICE, "--queue", *one),
            stdout=subprocess.PIPE,
            encoding="utf-8",
            env=sovdeck.env(),
            cwd=sovdeck.home,
        )
        assert waiting.stdout is not None
        assert "once the runs before it have ended" in waiting.stdout.readline()
        found = find_running(session, VOICE)
        assert found is not None
        assert job_client.fetch_state(link, found).queued == 1
    finally:
        job_client.stop_run(link, handle, 2.0)
    rest, _ = waiting.communicate(timeout=200)
    assert waiting.returncode == 0 and "PENALTY" in rest


@pytest.mark.long
def test_an_audition_is_rendered_there_heard_here_and_decided(sovdeck: Laptop, work: Path) -> None:
    (work / "auditions" / VOICE / "votes.jsonl").unlink(missing_ok=True)
    texts = ("--text", "おはよう。", "--text-lang", "all_ja", "--device", "cpu")
    events = sovdeck.events("audition", "box", VOICE, *texts)
    cells = [e for e in events if e.get("event") == "cell"]
    assert [e["kind"] for e in cells] == ["truth", *["cell"] * 4, "base"]
    folder = sovdeck.home / "voices" / VOICE / "audition"
    for cell in cells:
        path = Path(str(cell["wav"]))
        assert path.parent == folder
        assert path.read_bytes() == (work / "auditions" / VOICE / path.name).read_bytes()
    standing = [e for e in events if e.get("event") == "standing"]
    assert len(standing) == 4 and events[-1]["chosen"] is None

    table = sovdeck("audition", "box", VOICE, "--show").stdout
    assert table.count("Test-e10.ckpt") == 4 and "PENALTY" in table and "おはよう。" in table
    voted = sovdeck.events("audition", "box", VOICE, "--vote", typed="a\nx\n\nb\nq\n")
    matches = [e for e in voted if e.get("event") == "match"]
    assert len(matches) == 4 and voted[-1]["votes"] == 2
    assert {Path(str(one)).name for one in matches[0]["files"]} == {"A.wav", "B.wav"}  # type: ignore[attr-defined]
    votes = (folder / "votes.jsonl").read_text("utf-8").splitlines()
    assert len(votes) == 2
    assert votes == (work / "auditions" / VOICE / "votes.jsonl").read_text("utf-8").splitlines()
    chosen = sovdeck.events(
        "audition", "box", VOICE, "--choose", "Test-e2.ckpt", "Test_e2_s200.pth"
    )
    assert chosen[-1]["chosen"] == ["Test-e2.ckpt", "Test_e2_s200.pth"]
    packed = sovdeck.events("pull", "box", VOICE, "--contents", "voice")[-1]
    files = packed["files"]
    assert isinstance(files, list) and "GPT_weights/Test/Test-e2.ckpt" in files
    assert (folder / "votes.jsonl").is_file(), "a pull leaves takes and auditions alone"
    (work / "logs" / VOICE / "chosen.json").unlink()


@pytest.mark.long
def test_a_pack_goes_into_an_upstream_folder(sovdeck: Laptop) -> None:
    upstream = sovdeck.home / "GPT-SoVITS"
    upstream.mkdir()
    said = sovdeck("pull", "box", VOICE, "--into", str(upstream))
    assert said.returncode == 2 and "GPT-SoVITS" in said.stderr
    (upstream / "webui.py").touch()
    done = sovdeck.events("pull", "box", VOICE, "--contents", "voice", "--into", str(upstream))[-1]
    placed = done["placed"]
    assert isinstance(placed, list) and len(placed) == 2
    assert (upstream / "GPT_weights_v2" / "Test-e10.ckpt").is_file()
    assert (upstream / "SoVITS_weights_v2" / "Test_e10_s1000.pth").is_file()


@pytest.mark.long
@pytest.mark.timeout(600)  # six engines are started, one after another
def test_a_mood_is_named_spoken_and_packed(sovdeck: Laptop, work: Path, tmp_path: Path) -> None:
    laugh = tmp_path / "laugh.wav"
    laugh.write_bytes(tone(4.0, 330.0))
    words = ("--ref-text", "おはよう。", "--ref-lang", "all_ja")
    named = sovdeck.events("speak", "box", VOICE, "--ref", str(laugh), *words, "--ref-name", "glad")
    assert named[-1]["name"] == "glad"
    taken = sovdeck("speak", "box", VOICE, "--ref-audio", "x.wav", "--ref-name", "GLAD")
    assert taken.returncode != 0
    spoken = sovdeck.events("speak", "box", VOICE, "おはよう。", "--reference", "glad", *JA)[-1]
    plain = sovdeck.events("speak", "box", VOICE, "おはよう。", *JA)[-1]
    assert spoken["sha256"] != plain["sha256"]
    unknown = sovdeck("speak", "box", VOICE, "おはよう。", "--reference", "sad", *JA)
    assert unknown.returncode == 2 and "glad" in unknown.stderr
    pulled = sovdeck.events("pull", "box", VOICE, "--community")[-1]
    files: Any = pulled["files"]
    assert {"references/glad.wav", "references/glad.json"} <= set(files)
    community = Path(str(pulled["community"]))
    mood = community / "reference_audios" / "日语" / "emotions" / "【glad】おはよう。.wav"
    assert mood.is_file() and len(list(community.glob("*.ckpt"))) == 1
    sovdeck("pull", "box", VOICE)
    assert mood.is_file(), "a pull leaves it alone"


@pytest.fixture
def served(sovdeck: Laptop) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`sovdeck serve` on a free port, and the address it printed."""
    group: Any = {"start_new_session": True} if os.name == "posix" else {}
    process = subprocess.Popen(
        sovdeck.argv("serve", "box", VOICE, "--port", "0", "--device", "cpu", "--json"),
        stdout=subprocess.PIPE,
        text=True,
        cwd=sovdeck.home,
        env=sovdeck.env(),
        **group,
    )
    assert process.stdout is not None
    while "address" not in (said := json.loads(process.stdout.readline())):
        pass
    yield process, str(said["address"])
    process.kill()
    process.wait()


def servers(work: Path) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if "--attached" in words and str(work) in words and process.info["status"] != "zombie":
            found.append(process.pid)
    return found


@pytest.mark.long
def test_existing_clients_are_answered_on_this_computer_only(
    served: tuple[subprocess.Popen[str], str], sovdeck: Laptop, work: Path
) -> None:
    process, address = served
    body = json.dumps(
        {
            "model": VOICE,
            "input": "おはよう。",
            "response_format": "wav",
            "infer": {"text_lang": "all_ja", "seed": 5},
        }
    )
    request = urllib.request.Request(
        f"{address}/v1/audio/speech", body.encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=200) as answer:
        sound = answer.read()
    assert answer.status == 200 and sound[:4] == b"RIFF"
    query = "text=%E3%81%8A%E3%81%AF%E3%82%88%E3%81%86&text_lang=all_ja&seed=5"
    with urllib.request.urlopen(f"{address}/tts?{query}", timeout=200) as answer:
        assert answer.read()[:4] == b"RIFF"
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(f"{address}/tts?text=%21%21&text_lang=en", timeout=200)
    assert "no word" in json.loads(refused.value.read())["message"]

    port = address.rpartition(":")[2]
    taken = sovdeck("serve", "box", VOICE, "--port", port)
    assert taken.returncode == 2 and port in taken.stderr
    assert len(servers(work)) == 1, "the port was tried before anything was started there"
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    deadline = time.monotonic() + 60
    while servers(work):
        assert time.monotonic() < deadline, "nothing may stay on the server"
        time.sleep(0.1)


def engines_by_age(work: Path) -> list[psutil.Process]:
    return sorted(map(psutil.Process, servers(work)), key=psutil.Process.create_time)


@pytest.mark.long
@pytest.mark.timeout(900)
def test_servers_that_are_away_or_end_leave_the_others_voices(
    sovdeck: Laptop, embedded: Place, work: Path
) -> None:
    accept = ("--accept-host-key", embedded.fingerprint)
    added = sovdeck("server", "add", embedded.spec.format(), "--name", "lab", *accept)
    assert added.returncode == 0, added.stderr
    nobody = socket.socket()  # bound, but nobody listens
    nobody.bind(("127.0.0.1", 0))
    line = f"ssh -p {nobody.getsockname()[1]} nobody@127.0.0.1"
    added = sovdeck("server", "add", line, "--name", "gone", "--no-check")
    assert added.returncode == 0, added.stderr
    group: Any = {"start_new_session": True} if os.name == "posix" else {}
    process = subprocess.Popen(
        sovdeck.argv("serve", "gone", "box", "lab", "--port", "0", "--device", "cpu", "--json"),
        stdout=subprocess.PIPE,
        text=True,
        cwd=sovdeck.home,
        env=sovdeck.env(),
        **group,
    )

    def heard(status: str, server: str = "") -> dict[str, Any]:
        """Read on to the line that says so."""
        assert process.stdout is not None
        while line := process.stdout.readline():
            said: dict[str, Any] = json.loads(line)
            if said.get("status") == status and (not server or said["server"] == server):
                return said
        pytest.fail(f"serve ended before it said {status}")

    try:
        assert heard("away", "gone")["code"].startswith("remote.")
        opened = heard("open")
        assert opened["servers"] == ["gone", "box", "lab"]
        with urllib.request.urlopen(f"{opened['address']}/v1/audio/models", timeout=60) as answer:
            listed = [row["id"] for row in json.loads(answer.read())["models"]]
        assert {f"box/{VOICE}", f"lab/{VOICE}"} <= set(listed)

        def speak(voice: str) -> tuple[int, bytes]:
            infer = {"seed": 5, "verify": False, "text_lang": "all_ja"}
            body = {"model": "tts-1", "voice": voice, "input": "おはよう。", "infer": infer}
            data = json.dumps({**body, "response_format": "pcm"}).encode()
            request = urllib.request.Request(
                f"{opened['address']}/v1/audio/speech", data, {"Content-Type": "application/json"}
            )
            try:
                with urllib.request.urlopen(request, timeout=240) as answer:
                    return 200, bytes(answer.read())
            except urllib.error.HTTPError as refused:
                return refused.code, refused.read()

        status, sound = speak(f"lab/{VOICE}")
        assert status == 200 and len(sound) > 1000
        status, unclear = speak(VOICE)
        assert status == 400 and f"box/{VOICE}, lab/{VOICE}" in unclear.decode()
        status, away = speak("alloy")  # the first server's voice
        assert status == 503 and json.loads(away)["error"]["code"] == "remote.speak.voices_away"

        engines_by_age(work)[-1].kill()
        assert heard("away", "lab")["code"] == "remote.speak.killed"
        status, away = speak(f"lab/{VOICE}")
        assert status == 503 and "lab" in json.loads(away)["message"]
        assert speak(f"box/{VOICE}") == (200, sound), "another server's voice is none the worse"
        heard("back", "lab")
        assert speak(f"lab/{VOICE}") == (200, sound)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(60)
        nobody.close()
    deadline = time.monotonic() + 60
    while servers(work):
        assert time.monotonic() < deadline, "nothing may stay on the servers"
        time.sleep(0.1)
