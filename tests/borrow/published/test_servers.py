"""Programs that run for days: one process, on one login, across everything that happens to its token."""

from __future__ import annotations

import itertools
import json
import sys
from typing import Any

import pytest

from tests.borrow.published.borrower import HOUR, LIFE, Borrower, Happened
from tests.borrow.published.programs import MCP_SERVER
from tests.support.processes import RUN_MAY_OCCUPY_BYTES, resident_bytes
from tests.support.programs import Program

pytestmark = pytest.mark.usefixtures("unmeasured")


class McpClient:
    """What a chat program does with a server: it writes and reads lines of JSON."""

    def __init__(self, running: Program) -> None:
        self._running = running
        self._numbers = itertools.count(1)
        who = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        self._ask("initialize", who)
        self._send({"method": "notifications/initialized"})

    def devices(self) -> list[str]:
        """Calls the tool that asks Withings each time; returns the models of the devices."""
        result = self._ask("tools/call", {"name": "withings_get_devices", "arguments": {}})
        assert not result.get("isError"), result
        return [each["model"] for each in json.loads(result["content"][0]["text"])["devices"]]

    def _ask(self, method: str, parameters: object) -> dict[str, Any]:
        number = next(self._numbers)
        self._send({"id": number, "method": method, "params": parameters})
        answer: dict[str, Any] = json.loads(self._running.stdout.line(rf'"id":\s*{number}\b'))
        result: dict[str, Any] = answer["result"]
        return result

    def _send(self, message: dict[str, object]) -> None:
        self._running.type(json.dumps({"jsonrpc": "2.0", **message}) + "\n")


def test_an_mcp_server_goes_on(borrower: Borrower) -> None:
    """Statement 52: a call, one three hours later, and one with a token that Withings has ended early."""
    # A fork would occupy what it shares with the process that it comes from, too.
    borrower.desk.cli = borrower.desk.cli.using(sys.executable, "-m", "withings_auth")
    running = borrower.start(MCP_SERVER, stdin=True)
    client = McpClient(running)
    assert client.devices() == ["Body+", "Steel HR"]
    assert borrower.happened() == Happened(calls=1)
    borrower.let_time_pass(LIFE)
    assert client.devices() == ["Body+", "Steel HR"]
    assert borrower.happened() == Happened(calls=1, refreshes=1, token_requests=1)
    borrower.let_time_pass(HOUR)
    borrower.desk.sandbox.expire_access_token()
    assert client.devices() == ["Body+", "Steel HR"]
    assert borrower.happened() == Happened(calls=2, refusals=1, refreshes=1, token_requests=1)
    assert resident_bytes(running.pid) < RUN_MAY_OCCUPY_BYTES
    running.end_input()
    assert running.wait().returncode == 0
    assert borrower.secrets_left() == []
    assert borrower.has_login()
