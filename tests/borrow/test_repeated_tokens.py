"""Statement 52: an answer that repeats the access token, as redirects and error pages may, does not give it away."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.borrow.behind import Behind
from tests.support.places import Reply, envelope
from tests.support.services import Api
from withings_auth.borrow.placeholders import ACCESS_TOKEN

ADDRESS = f"https://wbsapi.withings.net/measure?access_token={ACCESS_TOKEN}"
LONG = b"x" * 40_000


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("http_status", [200, 302, 404])
def test_a_refusal_has_the_placeholder(
    behind: Behind, api: Api, http_status: int, pack: Callable[[bytes], bytes]
) -> None:
    """In headers and in the body, compressed or not."""

    def page(token: str | None) -> bytes:
        return envelope(293, error=f"no page {token}").body + LONG

    encoding = {"Content-Encoding": "gzip"} if pack is gzip.compress else {}
    api.refuse = lambda _: Reply(
        http_status=http_status, headers={"Location": f"/?token={api.good}", **encoding}, body=pack(page(api.good))
    )
    with behind.session() as program:
        answer = program.get(ADDRESS, allow_redirects=False)
    assert (answer.status_code, answer.content) == (http_status, page(ACCESS_TOKEN))
    assert answer.headers["Location"] == f"/?token={ACCESS_TOKEN}"


def test_a_refusal_that_is_too_large_to_be_one_is_passed_on(behind: Behind, api: Api) -> None:
    api.refuse = lambda _: Reply(http_status=500, body=LONG * 10)
    with behind.session() as program:
        assert program.get(ADDRESS).content == LONG * 10
