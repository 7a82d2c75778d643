"""What fills a server is listed with what its loss would cost; an only copy goes by name alone."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sovdeck.engine.contract.layout import Layout
from sovdeck.engine.contract.problem import Problem
from sovdeck.remote.agent.deployment import Deployed
from sovdeck.remote.config.paths import AppPaths
from sovdeck.remote.disk import server_disk
from sovdeck.remote.disk.items import DiskItem, choose
from sovdeck.remote.disk.local_disk import list_local_disk, remove_here
from sovdeck.remote.disk.server_disk import list_server_disk, parse_usage, remove_from_server
from sovdeck.remote.jobs import client as job_client
from sovdeck.remote.transfer.core.part_journal import RemoteFile
from sovdeck.remote.voices.download_index import DownloadIndex

ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Session:
    """The part of a ServerSession that cleaning uses."""

    link: Any
    deployed: Deployed
    outputs: Path
    name: str = "box"

    def connection(self) -> Any:
        return self.link

    def require_deployment(self) -> Deployed:
        return self.deployed

    def layout(self) -> Layout:
        return self.deployed.layout


def fill(path: Path, size: int = 5000) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    fill(work / "logs" / "Mei" / "states" / "sovits" / "s.pt", 90_000)
    fill(work / "logs" / "Mei" / "4-cnhubert" / "a.pt")
    fill(work / "logs" / "Old" / "4-cnhubert" / "a.pt")
    fill(work / "logs" / "Mei" / "reference.json")
    fill(work / "data" / "Mei" / "Mei.list")
    fill(work / "packs" / "Mei.zip")
    fill(work / "SoVITS_weights_v2Pro" / "Mei" / "Mei_e8_s64.pth")
    fill(work / "code" / "abc" / "agent" / "x")
    fill(work / "code" / "old one" / "agent" / "x")
    fill(work / "runs" / "r1" / "samples" / "e8.wav")
    (work / "runs" / "r1" / "spec.json").write_text('{"run": "r1", "voice": "Mei"}')
    (work / "runs" / "r1" / "pid.json").write_text('{"attempt":1,"pid":1,"boot":"b","child":0}\n')
    (work / "runs" / "r1" / "exit.json").write_text('{"attempt":1,"code":0,"t":77}\n')
    fill(work / "env" / "bin" / "python")
    fill(work / "cache" / "pip" / "x")
    fill(work / "pretrained" / "v2" / ".half.tmp")
    os.utime(work / "pretrained" / "v2" / ".half.tmp", (1, 1))
    fill(work / "pretrained" / "v2" / ".young.tmp")
    return work


@pytest.fixture
def session(link: Any, work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Session:
    def files_there(connection: Any, folder: str, parts: Any) -> list[RemoteFile]:
        """In place of the transfer agent, which has its own tests."""
        found = [file for part in parts for file in (work / part).rglob("*") if file.is_file()]
        return [
            RemoteFile(file.relative_to(work).as_posix(), file.stat().st_size, 7) for file in found
        ]

    monkeypatch.setattr(server_disk, "list_files", files_there)
    deployed = Deployed(Layout.at(str(work)), f"{work}/env/bin/python", "abc")
    return Session(link, deployed, tmp_path / "voices")


def marks(session: Session) -> dict[str, str]:
    return {item.path: item.mark for item in list_server_disk(session).items}  # type: ignore[arg-type]


def test_everything_is_listed_with_what_its_loss_costs(session: Session) -> None:
    assert marks(session) == {
        "logs/Mei/states": "resume",
        "logs/Mei/4-cnhubert": "safe",  # its recordings lie there
        "logs/Old/4-cnhubert": "only_copy",
        "packs/Mei.zip": "safe",  # made again from the weights
        "SoVITS_weights_v2Pro/Mei": "only_copy",
        "runs/r1/samples": "only_copy",
        "runs/r1": "only_copy",
        "code/old one": "safe",
        "cache": "safe",
        "pretrained/v2/.half.tmp": "resume",
    }
    item = list_server_disk(session).items[0]  # type: ignore[arg-type]
    assert 90_000 <= item.bytes < 200_000 and item.changed > 1_700_000_000


def test_what_is_home_and_verified_is_safe(session: Session) -> None:
    index = DownloadIndex(session.outputs)
    path = "SoVITS_weights_v2Pro/Mei/Mei_e8_s64.pth"
    local = session.outputs / "w.pth"
    fill(local)
    index.add(index.verified_file("local", path, "5000-7", 5000, "0" * 64, local))
    assert marks(session)["SoVITS_weights_v2Pro/Mei"] == "safe"
    local.unlink()
    assert marks(session)["SoVITS_weights_v2Pro/Mei"] == "only_copy"


def test_an_only_copy_goes_only_by_its_whole_name(session: Session, work: Path) -> None:
    disk = list_server_disk(session)  # type: ignore[arg-type]
    chosen, unknown = choose(disk.items, ["code", "features", "runs/r1", "packs/none"], [])
    assert {item.path for item in chosen} == {"code/old one", "logs/Mei/4-cnhubert"}
    assert unknown == ("packs/none",)
    chosen, unknown = choose(disk.items, ["code"], ["runs/r1"])
    assert {item.path for item in chosen} == {"code/old one", "runs/r1"} and not unknown
    gone = remove_from_server(session, disk, chosen)  # type: ignore[arg-type]
    assert gone == chosen
    assert not (work / "runs" / "r1").exists() and not (work / "code" / "old one").exists()
    assert (work / "code" / "abc").exists() and (work / "logs" / "Mei" / "states").exists()


def test_nothing_goes_under_a_run_at_work(session: Session, link: Any, work: Path) -> None:
    (work / "code" / "abc" / "agent").rename(work / "code" / "abc" / "none")
    (work / "code" / "abc" / "agent").symlink_to(ROOT / "remote" / "agent")
    before = list_server_disk(session)  # type: ignore[arg-type]
    spec = '{"run": "r2", "voice": "Mei"}'
    run = job_client.launch_job(link, session.deployed, "r2", ["sleep", "60"], spec_json=spec)
    try:
        disk = list_server_disk(session)  # type: ignore[arg-type]
        used = {item.path: item.used_by for item in disk.items}
        assert used["logs/Mei/states"] == used["cache"] == used["code/old one"] == "r2"
        assert used["logs/Old/4-cnhubert"] == used["runs/r1"] == "" and "runs/r2" not in used
        assert choose(disk.items, ["states", "caches"], []) == ((), ())
        # It was started after somebody looked: the server itself refuses.
        chosen, _ = choose(before.items, ["states"], [])
        with pytest.raises(Problem) as caught:
            remove_from_server(session, before, chosen)  # type: ignore[arg-type]
        assert caught.value.key == "remote.disk.busy"
        assert (work / "logs" / "Mei" / "states").exists()
    finally:
        job_client.stop_run(link, run, grace=2)


def test_paths_of_a_server_are_not_believed() -> None:
    output = "now 9\nsize code 4 ../x\nsize code 4 /etc\nsize code 4 code/a/../../..\nsize x 4 y\n"
    assert parse_usage(output + "size code four code/b\nsize code 4 code/c\n")[0] == [
        DiskItem("code", "code/c", 4096, 9)
    ]


def test_what_is_no_number_of_a_server_is_left_out() -> None:
    """isdigit() takes a superscript, and numbers may have hundreds of digits."""
    odd = f"size code ²9 code/a\ntime code ²9 code/c\nsize code {'9' * 400} code/b\n"
    assert parse_usage(f"now ²9\n{odd}size code 4 code/c\n") == (
        [DiskItem("code", "code/c", 4096, 0)],
        0,
    )


def test_the_removing_script_leaves_its_folder_alone(session: Session, work: Path) -> None:
    outside = work.parent / "outside"
    fill(outside / "x")
    disk = SimpleNamespace(working=())
    items = [DiskItem("code", path, 1, 1) for path in ("../outside", "code/../../outside", "")]
    assert remove_from_server(session, disk, items) == ()  # type: ignore[arg-type]
    assert (outside / "x").exists() and (work / "code" / "abc").exists()


def test_what_is_kept_on_this_computer(tmp_path: Path) -> None:
    app_paths = AppPaths.below(tmp_path / "home")
    outputs = tmp_path / "voices"
    fill(outputs / "_saves" / "Mei" / "GPT_weights" / "Mei-e1.ckpt")
    fill(outputs / "Mei" / "takes" / "Mei-001.wav")
    fill(outputs / "Mei" / "Mei.zip")
    fill(outputs / ".Old.zip.part")
    fill(outputs / ".Old.zip.part.journal")
    fill(app_paths.ended_runs_folder / "id" / "r.json")
    items = list_local_disk(outputs, app_paths)
    told = {(item.kind, Path(item.path).name, item.mark) for item in items}
    assert told == {
        ("saves", "Mei", "only_copy"),
        ("takes", "takes", "only_copy"),
        ("caches", "runs", "safe"),
        ("halves", ".Old.zip.part", "resume"),
        ("halves", ".Old.zip.part.journal", "resume"),
    }
    chosen, _ = choose(items, ["caches", "halves", "saves"], [])
    assert remove_here(chosen) == chosen and len(chosen) == 3
    assert sorted(path.name for path in outputs.rglob("*") if path.is_file()) == [
        "Mei-001.wav",
        "Mei-e1.ckpt",
        "Mei.zip",
    ]
