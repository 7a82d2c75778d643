"""The order in which we prove who we are: keys, then passwords, then the server's own questions.

Works on a `Door`, so that it knows nothing of the SSH library. A refused credential is never
offered twice, and a person is asked only when the server would listen.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from engine.contract.problem import ExitCode, Problem
from remote.credentials import Credentials
from remote.hostspec import HostSpec
from remote.secrets import Secret

# sshd hangs up after six failures (MaxAuthTries); the last is kept for a password.
_MOST_KEYS = 5

# (prompt, may the answer be shown) for every question -> answers
Answer = Callable[[Sequence[tuple[str, bool]]], list[str]]


class NeedsPassphrase(Exception):
    """The key file is encrypted and no passphrase was given."""


class BadKey(Exception):
    """The key file cannot be used; the text says why."""


@dataclass(frozen=True)
class Verdict:
    """What the server said to one attempt. methods: what it would listen to next, if it said."""

    let_in: bool
    methods: frozenset[str] | None = None
    partial: bool = False


class Door(Protocol):
    """A server waiting for proof; implemented over the SSH library in `remote.link`."""

    def methods(self) -> frozenset[str]: ...
    def agent_keys(self) -> Sequence[Any]: ...
    def load_key(self, path: Path, passphrase: Secret | None) -> Any: ...
    def public_blob(self, key: Any) -> bytes: ...
    def try_key(self, key: Any) -> Verdict: ...
    def try_password(self, secret: Secret) -> Verdict: ...
    def try_answers(self, answer: Answer) -> Verdict: ...


def account_of(spec: HostSpec, user: str) -> str:
    """The keychain's name for a login: user@host:port."""
    return f"{user}@{spec.host}:{spec.port}"


class Login:
    """One attempt to get in, with everything the credentials hold."""

    def __init__(self, door: Door, spec: HostSpec, user: str, credentials: Credentials) -> None:
        self._door = door
        self._spec = spec
        self._user = user
        self._credentials = credentials
        self._tried: list[str] = []
        self._open: frozenset[str] | None = None  # methods the server still listens to
        self._offered: set[bytes] = set()  # public blobs, so that agent and file are not both tried
        self._used_kept = False  # the keychain's password was taken
        self._asked = False  # the last source of a password was used
        self._sent_secret = False
        self._refused_secret = False

    def run(self) -> str:
        """Get in and return how ("publickey", "password", ...); else Problem REFUSED."""
        if self._may("publickey") and self._try_keys():
            return "publickey"
        methods = self._listen()
        if not methods:
            return "none"
        if "password" in methods and self._try_password():
            return "password"
        questions = "keyboard-interactive" in self._listen() and not self._refused_secret
        if questions and self._try_questions():
            return "keyboard-interactive"
        facts = {
            "server": self._spec.name,
            "user": self._user,
            "tried": ", ".join(self._tried) or "-",
        }
        if self._listen() & {"password", "keyboard-interactive"} and not self._sent_secret:
            raise Problem("remote.auth.needed", ExitCode.REFUSED, **facts)
        facts["methods"] = ", ".join(sorted(self._listen())) or "-"
        raise Problem("remote.auth.refused", ExitCode.REFUSED, **facts)

    def _may(self, method: str) -> bool:
        return self._open is None or method in self._open

    def _listen(self) -> frozenset[str]:
        if self._open is None:
            self._open = self._door.methods()
        return self._open

    def _note(self, label: str, verdict: Verdict) -> bool:
        self._tried.append(label + (" (accepted, more is asked)" if verdict.partial else ""))
        if verdict.methods is not None:
            self._open = verdict.methods
        return verdict.let_in

    def _try_keys(self) -> bool:
        """Named keys, then the agent's, then the usual files, while the server listens to keys."""
        files = self._credentials.key_files(self._spec.identity)
        attempts: list[Callable[[], bool]] = [
            partial(self._try_file, path, True) for path, named in files if named
        ]
        others = not (self._spec.only_identity and self._spec.identity)
        if others and self._credentials.use_agent:
            for number, key in enumerate(self._door.agent_keys(), 1):
                attempts.append(partial(self._try_key, f"agent key {number}", key))
        if others:
            attempts += [partial(self._try_file, path, False) for path, named in files if not named]
        for attempt in attempts:
            if not self._may("publickey") or len(self._offered) >= _MOST_KEYS:
                return False
            if attempt():
                return True
        return False

    def _try_key(self, label: str, key: Any) -> bool:
        blob = self._door.public_blob(key)
        if blob in self._offered:
            return False
        self._offered.add(blob)
        return self._note(label, self._door.try_key(key))

    def _try_file(self, path: Path, named: bool) -> bool:
        try:
            key = self._load(path)
        except BadKey as error:
            if named:
                raise Problem(
                    "remote.auth.bad_key", ExitCode.REFUSED, path=str(path), why=str(error)
                ) from None
            self._tried.append(f"{path.name} (unreadable)")
            return False
        if key is None:
            self._tried.append(f"{path.name} (locked)")
            return False
        return self._try_key(path.name, key)

    def _load(self, path: Path) -> Any:
        try:
            return self._door.load_key(path, None)
        except NeedsPassphrase:
            ask = self._credentials.ask
            secret = ask(self._spec.name, f"Passphrase of {path}:") if ask else None
            if secret is None:
                return None
            return self._door.load_key(path, secret)

    def _find_password(self, prompt: str) -> Secret | None:
        """The next password to try: the given one, or the kept one and then a person's."""
        credentials = self._credentials
        if self._asked:
            return None
        if credentials.password is None and credentials.keychain and not self._used_kept:
            self._used_kept = True
            kept = credentials.keychain.find(account_of(self._spec, self._user))
            if kept is not None:
                return kept
        self._asked = True
        if credentials.password is not None:
            return credentials.password
        return credentials.ask(self._spec.name, prompt) if credentials.ask else None

    def _try_password(self) -> bool:
        while True:
            password = self._find_password(f"Password of {self._user}@{self._spec.host}:")
            if password is None:
                return False
            if self._note_secret("password", self._door.try_password(password)):
                return True
            # A kept password may be out of date: a person is asked once before we give up.
            if not self._refused_secret or "password" not in self._listen():
                return False

    def _try_questions(self) -> bool:
        def answer(questions: Sequence[tuple[str, bool]]) -> list[str]:
            replies = []
            for prompt, shown in questions:
                # The first hidden question is the password; what follows is a code or the like.
                first = not shown and not took
                secret = self._find_password(prompt) if first else None
                took.append(prompt)
                more = shown or not first or self._sent_secret
                if secret is None and more and self._credentials.ask:
                    secret = self._credentials.ask(self._spec.name, prompt)
                answered.append(secret is not None)
                replies.append(secret.reveal() if secret else "")
            return replies

        while True:
            took: list[str] = []
            answered: list[bool] = []
            verdict = self._door.try_answers(answer)
            self._sent_secret = self._sent_secret or any(answered)
            if self._note_secret("keyboard-interactive", verdict):
                return True
            if verdict.partial or self._asked or not self._credentials.ask:
                return False

    def _note_secret(self, label: str, verdict: Verdict) -> bool:
        self._refused_secret = not (verdict.let_in or verdict.partial)
        if label == "password":
            self._sent_secret = True
        return self._note(label, verdict)
