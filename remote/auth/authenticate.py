"""The order in which we prove who we are: keys, then passwords, then the server's own questions.

Works on an `AuthTransport`, so that it knows nothing of the SSH library. A refused credential is
never offered twice, and a person is asked only when the server accepts that method.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Credentials
from sovdeck.remote.auth.public_key import read_public_blob
from sovdeck.remote.hosts.spec import HostSpec
from sovdeck.remote.secret import Secret

# sshd hangs up at the sixth failure (MaxAuthTries); that attempt is kept for a password.
_MAX_KEYS = 5

# (prompt, may the answer be shown) for every question -> answers
PromptHandler = Callable[[Sequence[tuple[str, bool]]], list[str]]


class NeedsPassphrase(Exception):
    """The key file is encrypted and no passphrase was given."""


class BadKey(Exception):
    """The key file cannot be used; the text says why."""


@dataclass(frozen=True)
class AuthResult:
    """The server's answer to one attempt.

    methods: what it accepts next, None when it does not say. partial: this factor was accepted
    and another is required.
    """

    authenticated: bool
    methods: frozenset[str] | None = None
    partial: bool = False


class AgentSilent(Exception):
    """The ssh agent did not answer in time; the text says which."""


class AuthTransport(Protocol):
    """The login step of an SSH connection; implemented over Paramiko in `remote.ssh.client`."""

    def methods(self) -> frozenset[str]:
        """Ask which methods the server accepts; empty when it let us in without any."""

    def agent_keys(self) -> Sequence[Any]:
        """Return the keys of the spec's ssh agent; raises AgentSilent."""

    def load_key(self, path: Path, passphrase: Secret | None) -> Any:
        """Read a private key file; raises NeedsPassphrase or BadKey."""

    def public_blob(self, key: Any) -> bytes:
        """Return the key's public half in wire form."""

    def try_key(self, key: Any) -> AuthResult:
        """Offer a public key."""

    def try_password(self, secret: Secret) -> AuthResult:
        """Send a password."""

    def try_interactive(self, handler: PromptHandler) -> AuthResult:
        """Answer the server's prompts (keyboard-interactive)."""


def keyring_account(spec: HostSpec, user: str) -> str:
    """Return the keyring's account name for a login: user@host:port."""
    return f"{user}@{spec.host}:{spec.port}"


class Authenticator:
    """One attempt to get in, with everything the credentials hold.

    A server that hangs up after fewer refused keys than usual may be connected to again:
    `authenticate` goes on with what was not offered yet, while `may_go_on`.
    """

    def __init__(
        self, transport: AuthTransport, spec: HostSpec, user: str, credentials: Credentials
    ) -> None:
        self._transport = transport
        self._spec = spec
        self._user = user
        self._credentials = credentials
        self._tried: list[str] = []
        self._allowed_methods: frozenset[str] | None = None  # None: not asked yet
        # Public blobs, so that a key of the agent and of a file is tried once.
        self._offered_blobs: set[bytes] = set()
        self._agent_keys: dict[bytes, Any] = {}
        self._gave_up = False  # a person left a hidden question without an answer
        self._unusable: Problem | None = None  # the first named key file that cannot be used
        self._tried_stored_password = False  # the keyring's password was used
        self._used_last_password = False  # no further source of a password
        self._sent_secret = False
        self._refused_secret = False

    def authenticate(self) -> str:
        """Log in and return the method ("publickey", "password", ...); else Problem REFUSED."""
        if self._allows("publickey") and self._try_keys():
            return "publickey"
        methods = self._query_methods()
        if not methods:
            return "none"
        if "password" in methods and self._try_password():
            return "password"
        questions = "keyboard-interactive" in self._query_methods() and not self._refused_secret
        if questions and self._try_interactive():
            return "keyboard-interactive"
        facts = {
            "server": self._spec.name,
            "user": self._user,
            "tried": ", ".join(self._tried) or "-",
        }
        if self._query_methods() & {"password", "keyboard-interactive"} and not self._sent_secret:
            raise Problem("remote.auth.needed", ExitCode.REFUSED, **facts)
        if self._unusable is not None:
            raise self._unusable
        facts["methods"] = ", ".join(sorted(self._query_methods())) or "-"
        raise Problem("remote.auth.refused", ExitCode.REFUSED, **facts)

    @property
    def offered(self) -> int:
        """How many keys were offered so far."""
        return len(self._offered_blobs)

    @property
    def may_go_on(self) -> bool:
        """Whether another connection could still succeed: only keys were offered so far."""
        return bool(self._offered_blobs) and not self._sent_secret

    def _allows(self, method: str) -> bool:
        return self._allowed_methods is None or method in self._allowed_methods

    def _query_methods(self) -> frozenset[str]:
        if self._allowed_methods is None:
            self._allowed_methods = self._transport.methods()
        return self._allowed_methods

    def _record(self, label: str, result: AuthResult) -> bool:
        self._tried.append(label + (" (accepted, more is asked)" if result.partial else ""))
        if result.methods is not None:
            self._allowed_methods = result.methods
        return result.authenticated

    def _try_keys(self) -> bool:
        """Named keys, then the agent's, then the usual files, while the server accepts keys."""
        files = self._credentials.key_files(self._spec.identity)
        self._agent_keys = self._read_agent()
        attempts: list[Callable[[], bool]] = [
            partial(self._try_file, path, True) for path, named in files if named
        ]
        if not (self._spec.only_identity and self._spec.identity):
            for number, key in enumerate(self._agent_keys.values(), 1):
                attempts.append(partial(self._try_key, f"agent key {number}", key))
            attempts += [partial(self._try_file, path, False) for path, named in files if not named]
        for attempt in attempts:
            if not self._allows("publickey") or len(self._offered_blobs) >= _MAX_KEYS:
                return False
            if attempt():
                return True
        return False

    def _read_agent(self) -> dict[bytes, Any]:
        if not self._credentials.use_agent:
            return {}
        try:
            keys = self._transport.agent_keys()
        except AgentSilent as error:
            self._tried.append(str(error))
            return {}
        return {self._transport.public_blob(key): key for key in keys}

    def _try_key(self, label: str, key: Any) -> bool:
        blob = self._transport.public_blob(key)
        if blob in self._offered_blobs:
            return False
        self._offered_blobs.add(blob)
        return self._record(label, self._transport.try_key(key))

    def _try_file(self, path: Path, named: bool) -> bool:
        blob, is_public = read_public_blob(path)
        held = None if blob is None else self._agent_keys.get(blob)
        if held is not None:
            # As ssh does: the file only names which of the agent's keys is meant.
            return self._try_key(f"{path.name} (agent)", held)
        if blob is not None and blob in self._offered_blobs:
            return False
        if is_public:
            self._tried.append(f"{path.name} (not in the agent)")
            return False
        try:
            key = self._load_key(path)
        except BadKey as error:
            self._tried.append(f"{path.name} ({error})")
            if named and self._unusable is None:
                self._unusable = Problem(
                    "remote.auth.bad_key", ExitCode.REFUSED, path=str(path), why=str(error)
                )
            return False
        if key is None:
            self._tried.append(f"{path.name} (locked)")
            return False
        return self._try_key(path.name, key)

    def _load_key(self, path: Path) -> Any:
        try:
            return self._transport.load_key(path, None)
        except NeedsPassphrase:
            prompt = self._credentials.prompt
            secret = prompt(self._spec.name, f"Passphrase of {path}:") if prompt else None
            if secret is None:
                return None
            return self._transport.load_key(path, secret)

    def _next_password(self, prompt: str) -> Secret | None:
        """The next password to try: the given one, or the stored one and then a person's."""
        credentials = self._credentials
        if self._used_last_password:
            return None
        if credentials.password is None and credentials.keyring and not self._tried_stored_password:
            self._tried_stored_password = True
            stored = credentials.keyring.get_password(keyring_account(self._spec, self._user))
            if stored is not None:
                return stored
        self._used_last_password = True
        if credentials.password is not None:
            return credentials.password
        return self._ask_hidden(prompt)

    def _ask_hidden(self, prompt: str) -> Secret | None:
        """A person's answer; None without one, and then nothing more is asked in this log-in."""
        if self._gave_up or not self._credentials.prompt:
            return None
        secret = self._credentials.prompt(self._spec.name, prompt)
        self._gave_up = secret is None
        return secret

    def _try_password(self) -> bool:
        while True:
            password = self._next_password(f"Password of {self._user}@{self._spec.host}:")
            if password is None:
                return False
            if self._record_secret("password", self._transport.try_password(password)):
                return True
            # A stored password may be out of date: a person is asked once before we give up.
            if not self._refused_secret or "password" not in self._query_methods():
                return False

    def _try_interactive(self) -> bool:
        def answer_prompts(questions: Sequence[tuple[str, bool]]) -> list[str]:
            replies = []
            for prompt, shown in questions:
                # The first hidden question is the password; what follows is a code or the like.
                first = not shown and not seen_prompts
                secret = self._next_password(prompt) if first else None
                seen_prompts.append(prompt)
                more = shown or not first or self._sent_secret
                if secret is None and more and not shown:
                    secret = self._ask_hidden(prompt)
                elif shown and self._credentials.prompt and not self._gave_up:
                    # Nothing may be the answer: "Press Enter to go on".
                    secret = self._credentials.prompt(self._spec.name, prompt)
                answered.append(secret is not None)
                replies.append(secret.reveal() if secret else "")
            return replies

        while True:
            seen_prompts: list[str] = []
            answered: list[bool] = []
            result = self._transport.try_interactive(answer_prompts)
            self._sent_secret = self._sent_secret or any(answered)
            if self._record_secret("keyboard-interactive", result):
                return True
            if result.partial or self._used_last_password or not self._credentials.prompt:
                return False

    def _record_secret(self, label: str, result: AuthResult) -> bool:
        self._refused_secret = not (result.authenticated or result.partial)
        if label == "password":
            self._sent_secret = True
        return self._record(label, result)
