"""A program's calls on the shared login: what Withings gets of them, and what the program gets back."""

from __future__ import annotations

import gzip
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.borrow.behind import Behind, proxy_for_login, read_head
from tests.support.places import Place, Reply, envelope
from tests.support.services import LIFE, Api, Login
from tests.support.waiting import wait_until
from withings_auth.borrow.placeholders import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN
from withings_auth.errors import ConfigurationError, LoginRequired
from withings_auth.store.records import token_name
from withings_auth.tokens.source import AsyncTokenSource

WITHINGS = "https://wbsapi.withings.net"
BEARER = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
RENEWAL = {
    "action": "requesttoken",
    "grant_type": "refresh_token",
    "client_id": "an-app",
    "client_secret": CLIENT_SECRET,
    "refresh_token": REFRESH_TOKEN,
}


@pytest.fixture
def program(behind: Behind) -> Iterator[requests.Session]:
    """An HTTP client behind the proxy."""
    with behind.session() as session:
        yield session


@pytest.mark.parametrize(
    "sent",
    [{"params": RENEWAL}, {"data": RENEWAL}, {"files": {name: (None, value) for name, value in RENEWAL.items()}}],
)
def test_a_renewal_is_answered_here(program: requests.Session, api: Api, sent: dict[str, Any]) -> None:
    """In the query or in a form of either kind; Withings hears nothing of it."""
    body = program.request("POST", f"{WITHINGS}/v2/oauth2", **sent).json()["body"]
    assert (body["access_token"], body["refresh_token"]) == (ACCESS_TOKEN, REFRESH_TOKEN)
    assert LIFE - 200 < body["expires_in"] <= LIFE - 120
    assert api.seen == []


def test_a_renewal_that_is_due_is_made_once(api: Api, login: Login, tmp_path: Path) -> None:
    """And the program hears of the new life."""
    login.at(api.url, age=LIFE - 30)
    with proxy_for_login(AsyncTokenSource(store=login.store), api.url, tmp_path) as behind, behind.session() as program:
        lives = [program.post(f"{WITHINGS}/v2/oauth2", data=RENEWAL).json()["body"]["expires_in"] for _ in range(3)]
    assert min(lives) > LIFE - 200
    assert api.refreshes == 1


@pytest.mark.parametrize(
    "form", [{"action": "revoke"}, RENEWAL | {"refresh_token": "own"}, {"action": "getdemoaccess"}]
)
def test_what_would_change_the_login_reaches_nobody(
    program: requests.Session, behind: Behind, api: Api, form: dict[str, str]
) -> None:
    """The user hears of it once, however often the program tries."""
    answers = [program.post(f"{WITHINGS}/v2/oauth2", data=form).json() for _ in range(3)]
    assert all(answer["status"] in {601, 2554} for answer in answers)
    assert [type(error) for error in behind.told] == [ConfigurationError]
    assert api.seen == []


def test_a_program_that_signs_gets_a_nonce(program: requests.Session, api: Api) -> None:
    assert program.post(f"{WITHINGS}/v2/signature", data={"action": "getnonce"}).json()["body"]["nonce"]
    assert api.seen == []


def test_a_call_has_the_real_token_and_nothing_else_is_changed(program: requests.Session, api: Api) -> None:
    answer = program.post(
        f"{WITHINGS}/v2/user?x=%2F+1",
        data={"action": "getdevice"},
        headers=BEARER | {"X-Own": "1", "User-Agent": "own"},
    )
    assert answer.json() == {"status": 0, "body": {"here": "api"}}
    (seen,) = api.seen
    assert (seen.method, seen.target, seen.body) == ("POST", "/v2/user?x=%2F+1", b"action=getdevice")
    assert seen.authorization == f"Bearer {api.good}"
    assert (seen.headers["x-own"], seen.headers["user-agent"]) == ("1", "own")
    assert {"proxy-authorization", "proxy-connection"}.isdisjoint(seen.headers)


@pytest.mark.parametrize("place", ["params", "data"])
def test_the_token_is_put_into_query_and_form(program: requests.Session, api: Api, place: str) -> None:
    api.answer = lambda _: envelope(0)
    sent: dict[str, Any] = {place: {"action": "getmeas", "access_token": ACCESS_TOKEN}}
    program.request("POST", f"{WITHINGS}/measure", **sent)
    (seen,) = api.seen
    assert f"access_token={api.good}" in seen.target + seen.body.decode()
    assert ACCESS_TOKEN not in seen.target + seen.body.decode()


@pytest.mark.parametrize("refusal", [envelope(401), Reply(http_status=401)], ids=["envelope", "http"])
def test_a_refused_token_is_renewed_once_and_the_call_repeated(
    program: requests.Session, api: Api, refusal: Reply
) -> None:
    api.good = None
    api.refuse = lambda _: refusal
    assert program.post(f"{WITHINGS}/measure", data={"action": "getmeas"}, headers=BEARER).json()["status"] == 0
    assert (api.refreshes, len(api.calls)) == (1, 2)
    assert api.calls[0].body == api.calls[1].body


def test_a_token_that_is_refused_again_is_the_programs_answer(program: requests.Session, api: Api) -> None:
    api.accept = lambda _: envelope(401)
    assert program.post(f"{WITHINGS}/measure", data={"action": "getmeas"}, headers=BEARER).json()["status"] == 401
    assert (api.refreshes, len(api.calls)) == (1, 2)


def test_a_refused_token_of_its_own_is_the_programs_affair(program: requests.Session, api: Api) -> None:
    answer = program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers={"Authorization": "Bearer own"})
    assert answer.json()["status"] == 401
    assert (api.refreshes, [seen.authorization for seen in api.calls]) == (0, ["Bearer own"])


def test_too_many_requests_are_passed_on(program: requests.Session, api: Api) -> None:
    api.accept = lambda _: envelope(601, wait_seconds=7)
    assert program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER).json() == {
        "status": 601,
        "body": {"wait_seconds": 7},
    }
    assert len(api.calls) == 1


def test_an_ended_login_is_said_to_both(program: requests.Session, behind: Behind, api: Api) -> None:
    """To the program in Withings' words, to the user with a way out, once."""
    renew = api.answer
    api.good = None
    api.answer = lambda seen: (
        Reply(body=json.dumps({"status": 503, "error": "Invalid Params: invalid refresh_token"}).encode())
        if seen.target == "/v2/oauth2"
        else renew(seen)
    )
    calls = [program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER).json() for _ in range(2)]
    assert [call["status"] for call in calls] == [401, 401]
    (error,) = behind.told
    assert isinstance(error, LoginRequired)
    assert "withings-auth login" in error.hint


def test_a_login_that_ends_again_is_said_again(
    program: requests.Session, behind: Behind, api: Api, login: Login
) -> None:
    for _ in range(2):
        api.good = login.at(api.url).access_token
        assert program.post(f"{WITHINGS}/measure", headers=BEARER).json()["status"] == 0
        with login.store.lock(token_name("default"), 10) as held:
            held.clear()
        assert program.post(f"{WITHINGS}/measure", headers=BEARER).json()["status"] == 401
    assert [type(error) for error in behind.told] == [LoginRequired, LoginRequired]


def test_gzip_comes_as_it_is(program: requests.Session, api: Api) -> None:
    packed = gzip.compress(envelope(0, weights=[75] * 1000).body)
    api.accept = lambda _: Reply(headers={"Content-Encoding": "gzip"}, body=packed)
    answer = program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER, stream=True)
    assert answer.raw.read(decode_content=False) == packed
    assert api.calls[0].headers["accept-encoding"] == "gzip"


def test_an_answer_is_passed_on_while_it_comes(program: requests.Session, api: Api) -> None:
    hold = threading.Event()
    api.accept = lambda _: Reply(media_type="application/octet-stream", body=b"first half, second half", hold=hold)
    answer = program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER, stream=True)
    assert answer.raw.read(11) == b"first half,"
    hold.set()
    assert answer.raw.read() == b" second half"


@pytest.mark.parametrize("length", ["known", "unknown"])
def test_an_upload_is_passed_on_as_it_is(program: requests.Session, api: Api, length: str) -> None:
    data = bytes(range(256)) * 10_000
    program.put(
        f"{WITHINGS}/upload",
        data=data if length == "known" else iter([data]),
        headers=BEARER | {"Content-Type": "image/png"},
    )
    (seen,) = api.calls
    assert seen.body == data
    assert seen.headers.get("content-length") == (str(len(data)) if length == "known" else None)


def test_a_compressed_upload_stays_compressed(program: requests.Session, api: Api) -> None:
    packed = gzip.compress(b"weights" * 1000)
    headers = BEARER | {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert program.post(f"{WITHINGS}/upload", data=packed, headers=headers).json()["status"] == 0
    assert (api.calls[0].body, api.calls[0].headers["content-encoding"]) == (packed, "gzip")


def test_an_upload_is_not_repeated(program: requests.Session, api: Api) -> None:
    """It was not kept; the next call has the new token."""
    api.good = None
    headers = BEARER | {"Content-Type": "image/png"}
    assert program.put(f"{WITHINGS}/upload", data=b"png", headers=headers).json()["status"] == 401
    assert (api.refreshes, len(api.calls)) == (0, 1)


def test_a_form_too_large_to_keep_is_passed_on(program: requests.Session, api: Api) -> None:
    form = b"a=" + b"x" * 3_000_000
    headers = BEARER | {"Content-Type": "application/x-www-form-urlencoded"}
    assert program.post(f"{WITHINGS}/measure", data=form, headers=headers).json()["status"] == 0
    assert api.calls[0].body == form


def test_a_program_that_waits_to_be_asked_for_its_body_is_asked(behind: Behind, api: Api) -> None:
    """As curl does with a larger one."""
    connection, head = behind.ask("wbsapi.withings.net:443")
    assert b" 200 " in head
    context = ssl.create_default_context(cafile=str(behind.bundle))
    with context.wrap_socket(connection, server_hostname="wbsapi.withings.net") as program:
        program.sendall(
            f"POST /measure HTTP/1.1\r\nHost: wbsapi.withings.net\r\nAuthorization: Bearer {ACCESS_TOKEN}\r\n"
            "Content-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: 3\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        assert read_head(program).startswith(b"HTTP/1.1 100 ")
        program.sendall(b"a=b")
        assert read_head(program).startswith(b"HTTP/1.1 200 ")
    assert api.calls[0].body == b"a=b"


def test_connections_are_kept(program: requests.Session, api: Api) -> None:
    for number in range(5):
        program.post(f"{WITHINGS}/measure", data={"n": number}, headers=BEARER)
    assert len({seen.connection for seen in api.calls}) == 1


def test_the_authorize_page_and_old_addresses_are_reached(program: requests.Session, api: Api) -> None:
    program.get("https://account.withings.com/oauth2_user/authorize2?client_id=x")
    program.post("https://scalews.withings.com/measure", data={"a": "b"}, headers=BEARER)
    assert [seen.target for seen in api.calls] == ["/oauth2_user/authorize2?client_id=x", "/measure"]
    assert api.calls[1].authorization == f"Bearer {api.good}"


def test_a_redirect_is_the_programs_affair(program: requests.Session, api: Api) -> None:
    api.accept = lambda _: Reply(http_status=302, headers={"Location": "https://example.com/"})
    answer = program.get(f"{WITHINGS}/measure", headers=BEARER, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "https://example.com/")


def test_a_redirect_does_not_tell_the_token(program: requests.Session, api: Api) -> None:
    """Statement 52: nor would the program take it to the host that it is sent to."""
    api.accept = lambda seen: Reply(http_status=302, headers={"Location": f"https://example.com{seen.target}"})
    url = f"{WITHINGS}/measure?access_token={ACCESS_TOKEN}"
    answer = program.get(url, headers=BEARER, allow_redirects=False)
    assert answer.headers["Location"] == f"https://example.com/measure?access_token={ACCESS_TOKEN}"


def test_no_answer_is_no_answer(login: Login, tmp_path: Path) -> None:
    """The program meets what it would meet without us: a connection that ends."""
    with Place() as gone:
        login.at(gone.url)
    with (
        proxy_for_login(AsyncTokenSource(store=login.store), gone.url, tmp_path) as behind,
        behind.session() as program,
        pytest.raises(requests.ConnectionError),
    ):
        program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER)


def test_an_answer_that_breaks_off_breaks_off(program: requests.Session, api: Api) -> None:
    api.accept = lambda _: Reply(headers={"Content-Length": "1000", "Connection": "close"}, body=b'{"status": 0, "b')
    with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
        program.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER)


def test_a_program_that_leaves_early_disturbs_nobody(behind: Behind, program: requests.Session, api: Api) -> None:
    hold = threading.Event()
    api.accept = lambda _: Reply(media_type="text/plain", body=b"x" * 2_000_000, hold=hold)
    with behind.session() as other:
        other.post(f"{WITHINGS}/measure", data={"a": "b"}, headers=BEARER, stream=True).close()
    hold.set()
    api.accept = lambda _: envelope(0)
    assert program.post(f"{WITHINGS}/measure", data={"c": "d"}, headers=BEARER).json()["status"] == 0


def test_each_call_is_logged_without_secrets(program: requests.Session, caplog: pytest.LogCaptureFixture) -> None:
    """`--verbose` shows it; the query is left out, since a token may be in it."""
    program.post(f"{WITHINGS}/measure?access_token={ACCESS_TOKEN}", data={"a": "b"}, headers=BEARER)
    program.post(f"{WITHINGS}/v2/oauth2", data=RENEWAL)

    def lines() -> list[str]:
        return [record.getMessage() for record in caplog.records if record.name == "withings_auth.borrow.proxy"]

    wait_until(lambda: len(lines()) == 2)
    assert lines()[0].startswith("POST https://wbsapi.withings.net/measure: HTTP 200")
    assert lines()[1].startswith("POST https://wbsapi.withings.net/v2/oauth2: answered here, status 0")
