"""Requests of a program that nobody can make sense of."""

from __future__ import annotations

import ssl

import pytest

from tests.borrow.behind import Behind, read_head
from tests.support.services import Api


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("application/x-www-form-urlencoded; charset=none", b"action=requesttoken"),
        ("application/x-www-form-urlencoded", b"action=\xff"),
        ("multipart/form-data", b"action=requesttoken"),
    ],
)
def test_a_form_that_cannot_be_read_is_a_bad_request(behind: Behind, api: Api, media_type: str, body: bytes) -> None:
    with behind.session() as program:
        answer = program.post("https://wbsapi.withings.net/v2/oauth2", data=body, headers={"Content-Type": media_type})
    assert (answer.status_code, api.seen) == (400, [])


@pytest.mark.parametrize("request_line", ["OPTIONS *", "CONNECT wbsapi.withings.net:443"])
def test_a_target_that_is_no_path_is_a_bad_request(behind: Behind, api: Api, request_line: str) -> None:
    connection, _ = behind.ask("wbsapi.withings.net:443")
    context = ssl.create_default_context(cafile=str(behind.bundle))
    with context.wrap_socket(connection, server_hostname="wbsapi.withings.net") as program:
        program.sendall(f"{request_line} HTTP/1.1\r\nHost: wbsapi.withings.net\r\n\r\n".encode())
        assert read_head(program).startswith(b"HTTP/1.1 400 ")
    assert api.seen == []
