"""Any page of the web can reach the loopback address through a browser: it is refused."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from http_voice import TEXT, Endpoint, serve

from sovdeck.engine.contract.problem import Problem
from sovdeck.engine.speaking.http.access import AccessPolicy

TOKEN = "a-long-secret-of-letters-42"
PAGE = "http://127.0.0.1:8000"
SPEAK = f"/tts?{urllib.parse.urlencode({'text': TEXT})}"


@pytest.fixture(scope="module")
def closed(work: Path) -> Iterator[Endpoint]:
    with serve(work) as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def opened(work: Path) -> Iterator[Endpoint]:
    policy = AccessPolicy.of(["host.docker.internal"], [PAGE + "/"], token=TOKEN)
    with serve(work, policy) as endpoint:
        yield endpoint


@pytest.mark.parametrize("path", [SPEAK, "/set_gpt_weights?weights_path=a", "/v1/models", "/"])
@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ({"Host": "evil.example"}, "foreign_host"),
        ({"Host": "127.0.0.1.evil.example:9880"}, "foreign_host"),
        ({"Host": "host.docker.internal:9880"}, "foreign_host"),
        ({"Host": "192.168.1.5:9880"}, "foreign_host"),
        ({"Host": ""}, "foreign_host"),
        ({"Origin": "http://evil.example"}, "foreign_origin"),
        ({"Origin": "null"}, "foreign_origin"),
        ({"Origin": PAGE}, "foreign_origin"),
        ({"Sec_Fetch_Site": "cross-site"}, "foreign_page"),
        ({"Sec_Fetch_Site": "same-site"}, "foreign_page"),
    ],
)
def test_a_stranger_is_refused_everywhere(
    closed: Endpoint, path: str, headers: dict[str, Any], code: str
) -> None:
    answer = closed.ask(path, **headers)
    assert (answer.status, answer.code) == (403, f"engine.http.{code}")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert answer.json["exception"]["hint"]["en"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost:9880"},
        {"Host": "[::1]:9880"},
        {"Host": "LOCALHOST"},
        {"Sec_Fetch_Site": "none"},
        {"Sec_Fetch_Site": "same-origin"},
        {"Host": "localhost:9880", "Origin": "http://localhost:9880"},
    ],
)
def test_programs_of_this_computer_are_answered(closed: Endpoint, headers: dict[str, Any]) -> None:
    assert closed.ask("/v1/models", **headers).status == 200


def test_a_refused_request_does_no_work(closed: Endpoint) -> None:
    folder = closed.voices.loader("Test").takes_folder / "serve"
    before = sorted(folder.glob("*"))
    for body in (None, {"text": TEXT}):
        closed.ask(SPEAK if body is None else "/tts", body, Origin="http://evil.example")
    assert sorted(folder.glob("*")) == before


def ask(endpoint: Endpoint, path: str, **headers: Any) -> Any:
    return endpoint.ask(path, Authorization=f"Bearer {TOKEN}", **headers)


def test_what_was_allowed_is_answered(opened: Endpoint) -> None:
    assert ask(opened, "/v1/models", Host="host.docker.internal:9880").status == 200
    answer = ask(opened, "/v1/models", Origin=PAGE, Sec_Fetch_Site="same-site")
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "Origin" in answer.headers["Vary"]
    assert "X-Seed" in answer.headers["Access-Control-Expose-Headers"]
    assert ask(opened, "/v1/models", Origin=PAGE.replace("8000", "8001")).status == 403
    refused = ask(opened, "/nowhere", Origin=PAGE)  # a page may read what is wrong
    assert refused.status == 404 and refused.headers["Access-Control-Allow-Origin"] == PAGE


def test_a_preflight_needs_no_token_but_an_allowed_page(opened: Endpoint) -> None:
    asked: Any = {
        "Access_Control_Request_Method": "POST",
        "Access_Control_Request_Headers": "content-type",
    }
    answer = opened.ask("/tts", method="OPTIONS", Origin=PAGE, **asked)
    assert answer.status == 204 and not answer.content
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "POST" in answer.headers["Access-Control-Allow-Methods"]
    assert answer.headers["Access-Control-Allow-Headers"] == "content-type"
    assert opened.ask("/tts", method="OPTIONS", Origin="http://evil.example", **asked).status == 403


@pytest.mark.parametrize(
    "given", [None, "", "Bearer", f"Bearer {TOKEN}x", f"Basic {TOKEN}", TOKEN, "Bearer ä"]
)
def test_without_the_token_nothing_is_answered(opened: Endpoint, given: str | None) -> None:
    for path in ("/v1/models", SPEAK, "/nowhere"):
        headers: Any = {} if given is None else {"Authorization": given.encode().decode("latin-1")}
        answer = opened.ask(path, **headers)
        assert (answer.status, answer.code) == (401, "engine.http.token")
        assert answer.headers["WWW-Authenticate"] == "Bearer" and TOKEN not in str(answer.content)


def test_openais_api_key_is_the_token(opened: Endpoint) -> None:
    for key, error in ((TOKEN, None), ("sk-wrong", openai.AuthenticationError)):
        with openai.OpenAI(base_url=f"{opened.address}/v1", api_key=key, max_retries=0) as client:
            if error is None:
                assert [one.id for one in client.models.list()] == ["Test"]
            else:
                with pytest.raises(error):
                    client.models.list()


def test_on_another_address_an_ip_is_a_host_but_a_name_is_not() -> None:
    policy = AccessPolicy.of(any_address=True, token=TOKEN)
    assert policy.allows_host("192.168.1.5:9880") and policy.allows_host("[fe80::1]:9880")
    assert not policy.allows_host("evil.example") and not policy.allows_host("1.2.3.4.example")
    assert TOKEN not in repr(policy)


@pytest.mark.parametrize(
    ("hosts", "origins"),
    [
        (["http://a"], []),
        (["a b"], []),
        (["*"], []),
        ([""], []),
        ([], ["*"]),
        ([], ["127.0.0.1:8000"]),
        ([], ["ftp://a"]),
        ([], ["http://a/path"]),
        ([], ["http://["]),
    ],
)
def test_what_is_no_host_and_no_page_is_said(hosts: list[str], origins: list[str]) -> None:
    with pytest.raises(Problem) as caught:
        AccessPolicy.of(hosts, origins)
    assert caught.value.key in ("engine.http.bad_host", "engine.http.bad_origin")
