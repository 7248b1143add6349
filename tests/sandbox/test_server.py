"""The sandbox's web server: many callers, safe pages, junk, and no trace of a secret in a log."""

from __future__ import annotations

import json
import logging
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tests.sandbox.servers import Caller

PAGES = ("/", "/nowhere", "/logout", "/oauth2_user/authorize2?client_id=wrong")


def test_many_callers_at_once(served: Caller) -> None:
    pairs = [served.sandbox.issue_pair() for _ in range(40)]
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda pair: json.loads(served.refresh(pair.refresh_token)[1]), pairs))

    assert [answer["status"] for answer in answers] == [0] * 40
    assert served.sandbox.counters.refreshes == 40


def test_the_query_carries_a_token(served: Caller) -> None:
    token = served.sandbox.issue_pair().access_token

    _, body = served.request(f"/measure?action=getmeas&meastype=1&access_token={token}", method="GET")

    assert json.loads(body)["body"]["measuregrps"]


@pytest.mark.parametrize("page", PAGES)
def test_every_page_has_security_headers(served: Caller, page: str) -> None:
    response, body = served.request(page, method="GET")
    policy = response.headers["Content-Security-Policy"]

    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert b"Sandbox" in body
    assert b"http://" not in body
    assert b"https://" not in body


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PUT", "DELETE", "GET"])
def test_other_methods_are_refused(served: Caller, method: str) -> None:
    response, _ = served.request("/v2/oauth2", method=method)

    assert (response.status, response.headers["Allow"]) == (405, "POST")


def test_a_large_body_is_refused(served: Caller) -> None:
    assert served.request("/v2/oauth2", form={"a": "x" * 2_000_000})[0].status == 413


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /?code=canary-code" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        b"\x16\x03\x01\x02\x00canary-code",
        b"canary-code\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: canary-code\r\n\r\n",
    ],
)
def test_junk_leaves_no_trace_in_a_log(
    served: Caller, sent: bytes, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Statement 23: no code in any log record, aiohttp's own loggers included."""
    caplog.set_level(logging.DEBUG)
    with socket.create_connection(("127.0.0.1", urlsplit(served.sandbox.url).port or 0), timeout=60) as junk:
        junk.sendall(sent)
        junk.recv(65536)
    served.request("/?code=canary-code", method="GET")

    assert [record for record in caplog.records if record.name.startswith("aiohttp")] == []
    assert "canary-code" not in caplog.text
    captured = capfd.readouterr()
    assert "canary-code" not in captured.out + captured.err
    assert served.request("/", method="GET")[0].status == 200
