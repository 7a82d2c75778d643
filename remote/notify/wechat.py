"""A WeChat message through AutoDL, which sends it to the account that the token belongs to.

Read from the documents of AutoDL and from programs that use it; not yet run against the real
service. Not certain: how long each part may be (what is longer is cut here), and whether a refusal
always comes as a code in an answer with HTTP status 200. It takes 5 messages a minute, 50 a day.
"""

from __future__ import annotations

import os

from sovdeck.engine.contract.problem import ExitCode, Problem
from sovdeck.remote.auth.credentials import Keyring
from sovdeck.remote.http_json import AnswerLost, JsonApi, RequestRefused
from sovdeck.remote.secret import Secret

WECHAT = "wechat"
BASE = "https://www.autodl.com"
TOKEN_VARIABLE = "AUTODL_TOKEN"  # noqa: S105 - its name
_PATH = "/api/v1/wechat/message/send"
_TITLE_CHARS, _NAME_CHARS, _CONTENT_CHARS = 20, 20, 200


def wechat_account() -> str:
    """Return the keyring's account name for the token."""
    return f"notify:{WECHAT}"


def find_token(keyring: Keyring) -> Secret:
    """Return the token, out of the environment or the keyring; Problem where there is none."""
    given = os.environ.get(TOKEN_VARIABLE, "").strip()
    found = Secret(given) if given else keyring.get_password(wechat_account())
    if found is None:
        raise Problem("remote.wechat.no_token", ExitCode.CONFIG, variable=TOKEN_VARIABLE)
    return found


def check_token(token: Secret) -> Secret:
    """Return a token that can stand in a header; Problem `remote.wechat.bad_token` for others."""
    text = token.reveal()
    if not text.isascii() or not text.isprintable() or not text or " " in text:
        raise Problem("remote.wechat.bad_token", ExitCode.CONFIG)
    return token


def send_message(token: Secret, title: str, name: str, content: str) -> None:
    """Send one message; Problem UNREACHABLE or REFUSED, in which the token does not appear."""
    key = check_token(token).reveal()
    api = JsonApi("autodl", BASE, lambda: {"Authorization": key})  # no "Bearer" before it
    body = {
        "title": title[:_TITLE_CHARS],
        "name": name[:_NAME_CHARS],
        "content": content[:_CONTENT_CHARS],
    }
    try:
        answer = api.ask("POST", _PATH, body, repeatable=False)
    except AnswerLost as lost:
        raise Problem("remote.wechat.unreachable", ExitCode.UNREACHABLE, why=lost.why) from None
    except RequestRefused as refusal:
        why = f"HTTP {refusal.status}"
        raise Problem("remote.wechat.refused", ExitCode.REFUSED, why=why) from None
    code = answer.get("code") if isinstance(answer, dict) else None
    if code != "Success":
        why = " ".join(str(code).split())[:60]
        raise Problem("remote.wechat.refused", ExitCode.REFUSED, why=why)
