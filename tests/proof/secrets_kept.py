"""Secrets are planted, typed and used; then everything that was written is searched for them.

A password, a passphrase, a webhook's address, the key of a provider, and the token of a served
voice, some typed and some out of the keyring. What is searched: every file of the laptop, of the
server (code, events, logs, packs) and of the temporary folder, all that commands wrote to their
terminal, and the arguments and environment of every process meanwhile.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import os
import signal
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncssh
from cryptography.hazmat.primitives import serialization
from keyring_server import Entries, serve_keyring
from laptop import ROOT, VOICE, Laptop, write_project
from report import Outcome
from ssh_thread import ssh_server

from sovdeck.remote.embedded.server import run_command
from sovdeck.remote.rent.accounts import SIMULATED_KEY
from sovdeck.tui.cli.demo.cloud_server import serve_cloud
from sovdeck.tui.cli.demo.simulated_cloud import SimulatedCloud

PASSWORD = "pw-Zq8#planted"
PASSPHRASE = "pp-Xr9!planted"
HOOK = "hook-Vw4+planted"
TOKEN = "token-Ks7-planted"
PROVIDER_KEY = "sk-Jm2-planted"
SECRETS = (PASSWORD, PASSPHRASE, HOOK, TOKEN, PROVIDER_KEY)
FEW = ("train.repeats=1", "sovits.epochs=1", "gpt.epochs=2", "train.device=cpu")


def spellings(secret: str) -> set[bytes]:
    """How a secret could stand in a file: as it is, in an address, in a header."""
    plain = secret.encode()
    return {plain, urllib.parse.quote(secret).encode(), base64.b64encode(plain)}


ALL_SPELLINGS = frozenset(one for secret in SECRETS for one in spellings(secret))


def names_secret(data: bytes) -> bool:
    """Whether a planted secret is in there, in any spelling."""
    return any(one in data for one in ALL_SPELLINGS)


def find_in_files(folder: Path) -> list[str]:
    """The files below `folder` that hold a planted secret."""
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return [f"in {path}" for path in files if names_secret(path.read_bytes())]


class PasswordDoor(asyncssh.SSHServer):
    """Lets in whoever knows the planted password, or holds the planted key."""

    key: asyncssh.SSHKey | None = None

    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return password == PASSWORD

    def public_key_auth_supported(self) -> bool:
        return self.key is not None

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return self.key is not None and key.public_data == self.key.public_data

    def connection_requested(self, *_: object) -> bool:
        return True


class ProcessWatch:
    """Looks at the arguments and the environment of every process of ours, again and again."""

    def __init__(self) -> None:
        self.found: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(0.05):
            for place in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        data = (place / name).read_bytes()
                    except OSError:  # gone meanwhile, or somebody else's
                        continue
                    if names_secret(data):
                        self.found.add(f"{name} of a process")

    def end(self) -> set[str]:
        self._over.set()
        self._thread.join()
        return self.found


class Hook(http.server.BaseHTTPRequestHandler):
    """A webhook: counts what is posted to the planted address, and refuses anything else."""

    posts: list[bytes]

    def do_POST(self) -> None:  # noqa: N802 - the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        right = urllib.parse.unquote(self.path) == f"/{HOOK}" and not self.posts
        self.posts.append(body)
        self.send_response(200 if right else 500)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@contextlib.contextmanager
def webhook() -> Iterator[tuple[str, list[bytes]]]:
    """The address of a webhook, which takes one post and refuses later ones; what was posted."""
    posts: list[bytes] = []
    handler = type("ThisHook", (Hook,), {"posts": posts})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{urllib.parse.quote(HOOK)}", posts
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class Trial:
    """A laptop on which secrets are used, and what went wrong so far."""

    laptop: Laptop
    outcome: Outcome = field(default_factory=Outcome)

    def expect(self, label: str, raw: bytes, code: int | None, wanted: int | None) -> None:
        """Note one command: what it wrote, and its code (None for any but 0)."""
        self.outcome.trials += 1
        if names_secret(raw):
            self.outcome.failures.append(f"shown at {label}")
        if (code != wanted) if wanted is not None else not code:
            self.outcome.failures.append(f"{label} ended with {code}: {raw[-400:]!r}")

    def type(self, label: str, secret: str, wanted: int | None, *command: str) -> None:
        """Run a command on a terminal and type `secret` at its questions."""
        with self.laptop.on_terminal(*command) as program:
            deadline = time.monotonic() + 120.0
            answered = typed = 0
            while program.exit_code() is None and time.monotonic() < deadline:
                if program.pump(0.3):
                    continue  # only what waits is a question: more may follow a colon
                end = program.raw.rstrip(b" ")
                if end.endswith(b":") and len(end) > answered and typed < 4:
                    answered, typed = len(end), typed + 1
                    os.write(program.fd, secret.encode() + b"\r")
                elif end.endswith(b"]"):  # an offer: no
                    os.write(program.fd, b"n\r")
                    program.settle(0.3)
            program.settle(0.3)
            self.expect(label, program.raw, program.exit_code(), wanted)

    def run(self, label: str, wanted: int | None, *command: str) -> str:
        """Run a command for which nothing is typed; its output."""
        done = self.laptop.run(*command, limit=600.0)
        self.expect(label, (done.stdout + done.stderr).encode(), done.returncode, wanted)
        return done.stdout


def search(trials: int, seed: int, folder: Path) -> Outcome:
    """Use each secret, with --debug too, rightly and wrongly; then look everywhere.

    With more than one trial a whole voice too: deployed, trained, told of, pulled and served.
    """
    key = asyncssh.generate_private_key("ssh-ed25519")
    PasswordDoor.key = key
    home, identity = folder / "home", folder / "id"
    home.mkdir()
    write_key(identity, key)

    async def serve(process: Any) -> None:
        await run_command(process, home)

    entries: Entries = {}
    cloud = SimulatedCloud(key=PROVIDER_KEY, start_s=0.0)
    (folder / "tmp").mkdir()
    with (
        ssh_server(PasswordDoor, serve) as (port, fingerprint),
        webhook() as (address, posts),
        serve_cloud("runpod", cloud) as base,
        serve_keyring(entries) as keyring,
    ):
        environ = {
            **keyring,
            "PYTHONPATH": os.pathsep.join((str(ROOT / "dev"), str(Path(__file__).parent))),
            "SOVDECK_RENT_SIMULATORS": f"runpod={base}",
            "TMPDIR": str(folder / "tmp"),
        }
        trial = Trial(Laptop(folder / "laptop", folder / "work", environ))
        write_project(trial.laptop, '[notify]\nwebhook = "hook"\n')
        watch = ProcessWatch()
        log_in(trial, port, fingerprint, identity)
        tell_and_rent(trial, address, cloud)
        entries["sovdeck", "serve-token"] = TOKEN
        trial.run("token without a voice", None, "--debug", "serve", "a", "--token")
        posts.clear()
        if trials > 1:
            use_voice(trial, folder / "data", posts)
        trial.outcome.failures += sorted(watch.end())
    outcome = trial.outcome
    # What the keyring must hold is the whole secret each, under a name that tells nothing.
    kept = {name: value for (_, name), value in entries.items()}
    if set(kept.values()) != {PASSWORD, address, TOKEN, PROVIDER_KEY}:
        outcome.failures.append(f"kept in the keyring: {sorted(kept)}")
    outcome.failures += find_in_files(folder)
    # What is kept of servers names hosts, users and their paths; sounds and public keys do not.
    for place in ("config", "data", "cache"):
        for path in (trial.laptop.home / place).rglob("*"):
            open_to_all = path.is_file() and path.stat().st_mode & 0o077
            if open_to_all and path.suffix not in (".pub", ".wav"):
                outcome.failures.append(f"others may read {path}")
    return outcome


def write_key(path: Path, key: asyncssh.SSHKey) -> None:
    """An identity file that wants the planted passphrase."""
    builder = serialization.PrivateFormat.OpenSSH.encryption_builder().kdf_rounds(16)
    inner: Any = key.pyca_key
    path.write_bytes(
        inner.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.OpenSSH,
            builder.build(PASSPHRASE.encode()),
        )
    )
    path.chmod(0o600)


def log_in(trial: Trial, port: int, fingerprint: str, identity: Path) -> None:
    """A password typed, wrong, and out of the keyring; a passphrase."""
    accept = ("--accept-host-key", fingerprint)
    line = f"ssh -p {port} me@127.0.0.1"
    with_key = f"ssh -i {identity} -p {port} me@127.0.0.1"
    trial.type("password", PASSWORD, 0, "server", "add", line, "--name", "a", *accept)
    trial.type("typed with --debug", PASSWORD, 0, "--debug", "server", "check", "a")
    trial.type("wrong password", PASSWORD + "x", None, "--debug", "server", "check", "a")
    trial.type("passphrase", PASSPHRASE, 0, "server", "add", with_key, "--name", "b", *accept)
    trial.type("password to be kept", PASSWORD, 0, "server", "login", "a", "--keep-password")
    trial.run("password out of the keyring", 0, "--debug", "server", "check", "a")


def tell_and_rent(trial: Trial, address: str, cloud: SimulatedCloud) -> None:
    """A webhook that works, fails and is not there; a provider that takes the key and refuses."""
    trial.type("webhook", address, 0, "notify", "set", "hook")
    trial.run("webhook used", 0, "--debug", "notify", "test", "hook")
    trial.run("webhook that fails", None, "--debug", "notify", "test", "hook")
    trial.type("webhook that is none", HOOK, None, "--debug", "notify", "set", "hook")
    trial.type("provider's key", PROVIDER_KEY, 0, "rent", "key", "runpod")
    cloud.key = "another"
    trial.type("provider's key refused", PROVIDER_KEY, None, "--debug", "rent", "key", "runpod")
    cloud.key = SIMULATED_KEY  # a simulator is never sent the key that is kept
    trial.run("rented servers, with a key kept", 0, "--debug", "rent", "ls")


def use_voice(trial: Trial, data: Path, posts: list[bytes]) -> None:
    """A voice from its recordings to an answer over HTTP, all with secrets out of the keyring."""
    from sovdeck.engine.practice.dataset import make_practice_set  # here: it loads a synthesizer

    make_practice_set(data, VOICE, clips=3)
    voice = ("--voice", VOICE)
    lists = ("--list", str(data / f"{VOICE}.list"), "--wavs", str(data / "wavs"))
    settings = [word for one in FEW for word in ("--set", one)]
    trial.run("deploy", 0, "deploy", "a")
    trial.run("push", 0, "push", "a", *voice, *lists)
    trial.run("train", 0, "train", "a", *voice, "--preset", "tiny", *settings, "--wait")
    if len(posts) != 1:
        trial.outcome.failures.append(f"the webhook was told {len(posts)} times")
    trial.run("pull", 0, "pull", "a", VOICE)
    serving = trial.laptop.start("--debug", "serve", "a", VOICE, "--token", "--port", "0", "--json")
    assert serving.stdout is not None
    try:
        said = (json.loads(line) for line in serving.stdout)
        where = next((address for one in said if (address := one.get("address"))), None)
        for token, wanted in ((TOKEN, 200), (TOKEN + "x", 401)):
            status = ask_models(where, token) if where else 0
            trial.outcome.trials += 1
            if status != wanted:
                trial.outcome.failures.append(f"the served voice answered {status}, not {wanted}")
    finally:
        serving.send_signal(signal.SIGINT)
        out, err = serving.communicate(timeout=120)
    trial.expect("serve", (out + err).encode(), serving.returncode, 0)


def ask_models(address: str, token: str) -> int:
    """The status of a request with this token."""
    headers = {"Authorization": f"Bearer {token}"}
    request = urllib.request.Request(f"{address}/v1/models", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=120) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
