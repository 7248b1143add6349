"""What a call through the proxy costs."""

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
from tests.support.processes import RUN_MAY_OCCUPY_BYTES, cpu_seconds, resident_bytes
from withings_auth.borrow.placeholders import ACCESS_TOKEN

if TYPE_CHECKING:
    from tests.support.canaries import Canaries
    from tests.support.programs import Cli
    from tests.support.services import Api

pytestmark = pytest.mark.usefixtures("unmeasured")

CALLS = int(os.environ.get("CALLS", "200"))  # by hand: CALLS=20000, with -s
MAY_WORK_SECONDS = 0.005


def test_a_call_costs_little(cli: Cli, home: Path, canaries: Canaries, api: Api) -> None:
    """On a connection that is kept; and the run stays small, however many calls there are.

    The times of direct calls, one of each in turn, are only printed: on a busy machine they say little.
    """
    window = open_window(cli, home, canaries, api.url)
    api.good = window.access_token
    context = ssl.create_default_context(cafile=str(window.bundle))
    before = cpu_seconds(window.running.pid)
    with (
        closing(http.client.HTTPConnection("127.0.0.1", api.port)) as direct,
        closing(http.client.HTTPSConnection(*window.address, context=context)) as proxied,
    ):
        proxied.set_tunnel(HOST, headers={"Proxy-Authorization": window.credentials})
        times = [(_call(direct, window.access_token), _call(proxied, ACCESS_TOKEN)) for _ in range(CALLS)]
    without, by_proxy = zip(*times, strict=True)
    worked = (cpu_seconds(window.running.pid) - before) / CALLS
    occupied = resident_bytes(window.running.pid)
    for name, seconds in (("direct", without), ("by the proxy", by_proxy)):
        print(f"{name}: median {statistics.median(seconds) * 1000:.2f} ms")
    print(f"the proxy's work: {worked * 1000:.2f} ms a call, {occupied:,} bytes")
    assert 0 < worked < MAY_WORK_SECONDS
    assert occupied < RUN_MAY_OCCUPY_BYTES
    window.end()


def _call(connection: http.client.HTTPConnection, access_token: str) -> float:
    headers = {"Authorization": f"Bearer {access_token}", "Content-Type": "application/x-www-form-urlencoded"}
    began = time.perf_counter()
    connection.request("POST", "/measure", "action=getmeas", headers)
    body = connection.getresponse().read()
    took = time.perf_counter() - began
    assert b'"status": 0' in body
    return took
