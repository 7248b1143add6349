"""What a call through the proxy costs, beside the same call without it."""

from __future__ import annotations

import http.client
import os
import ssl
import statistics
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.borrow.window import HOST, open_window
from tests.support.processes import RUN_MAY_OCCUPY_BYTES, resident_bytes
from withings_auth.borrow.placeholders import ACCESS_TOKEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.canaries import Canaries
    from tests.support.programs import Cli
    from tests.support.services import Api

pytestmark = pytest.mark.usefixtures("unmeasured")

CALLS = int(os.environ.get("CALLS", "200"))  # by hand: CALLS=20000, with -s
MAY_ADD_SECONDS = 0.005


def test_a_call_costs_little_more_than_a_direct_one(cli: Cli, home: Path, canaries: Canaries, api: Api) -> None:
    """On connections that are kept, one of each in turn; and the run stays small, however many there are."""
    window = open_window(cli, home, canaries, api.url)
    api.good = window.access_token
    context = ssl.create_default_context(cafile=str(window.bundle))
    with (
        closing(http.client.HTTPConnection("127.0.0.1", api.port)) as direct,
        closing(http.client.HTTPSConnection(*window.address, context=context)) as proxied,
    ):
        proxied.set_tunnel(HOST, headers={"Proxy-Authorization": window.credentials})
        times = [(_call(direct, window.access_token), _call(proxied, ACCESS_TOKEN)) for _ in range(CALLS)]
    without, by_proxy = zip(*times, strict=True)
    occupied = resident_bytes(window.running.pid)
    for name, seconds in (("direct", without), ("by the proxy", by_proxy)):
        print(f"{name}: median {statistics.median(seconds) * 1000:.2f} ms, quick {quick(seconds) * 1000:.2f} ms")
    print(f"{occupied:,} bytes")
    assert quick(by_proxy) - quick(without) < MAY_ADD_SECONDS
    assert occupied < RUN_MAY_OCCUPY_BYTES
    window.end()


def quick(seconds: Sequence[float]) -> float:
    """The time that a tenth of the calls stays below: what else the machine does only makes calls longer."""
    return sorted(seconds)[len(seconds) // 10]


def _call(connection: http.client.HTTPConnection, access_token: str) -> float:
    headers = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/x-www-form-urlencoded"}
    began = time.perf_counter()
    connection.request("POST", "/measure", "action=getmeas", headers)
    body = connection.getresponse().read()
    took = time.perf_counter() - began
    assert b'"status": 0' in body
    return took
