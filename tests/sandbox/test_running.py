"""A sandbox runs for as long as its `with` block, on this machine only, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import http.client
import json
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from withings_auth.model import Endpoints
from withings_auth.sandbox import PEOPLE, Sandbox, Switches

if TYPE_CHECKING:
    from tests.sandbox.servers import Caller


class TestStartingAndStopping:
    def test_it_serves_inside_the_with_block_and_not_after_it(self) -> None:
        with Sandbox() as sandbox:
            address = ("127.0.0.1", urlsplit(sandbox.url).port or 0)
            socket.create_connection(address, timeout=60).close()

        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address, timeout=60)
        assert not [one for one in threading.enumerate() if one.name.startswith("withings-sandbox")]

    def test_it_serves_in_a_running_event_loop_too(self) -> None:
        async def ask() -> bytes:
            async with Sandbox() as sandbox:
                reader, writer = await asyncio.open_connection("127.0.0.1", urlsplit(sandbox.url).port)
                writer.write(f"GET / HTTP/1.1\r\nHost: {urlsplit(sandbox.url).netloc}\r\n\r\n".encode())
                line = await reader.readline()
                writer.close()
                await writer.wait_closed()
                return line

        assert asyncio.run(ask()).startswith(b"HTTP/1.1 200")

    def test_the_port_can_be_chosen_and_used_again_at_once(self) -> None:
        with Sandbox() as first:
            port = urlsplit(first.url).port or 0
        with Sandbox(port=port) as second:
            assert second.url == f"http://127.0.0.1:{port}"

    def test_it_listens_on_the_loopback_address_only(self, served: Caller) -> None:
        port = urlsplit(served.sandbox.url).port or 0
        with socket.socket() as other:
            other.bind(("127.0.0.2", port))  # would fail if every address of the machine were taken

    def test_a_taken_port_is_an_error_either_way(self, served: Caller) -> None:
        port = urlsplit(served.sandbox.url).port or 0

        async def enter() -> None:
            async with Sandbox(port=port):
                pass

        with pytest.raises(OSError, match="in use"):
            Sandbox(port=port).__enter__()
        with pytest.raises(OSError, match="in use"):
            asyncio.run(enter())

    def test_it_has_no_url_before_it_is_entered(self) -> None:
        with pytest.raises(RuntimeError, match="before it is entered"):
            _ = Sandbox().endpoints

    def test_it_can_only_be_entered_once(self, served: Caller) -> None:
        with pytest.raises(RuntimeError, match="once"):
            served.sandbox.__enter__()
        assert served.request("/", method="GET")[0].status == 200

    def test_a_slow_answer_does_not_delay_the_end(self) -> None:
        with ThreadPoolExecutor(1) as pool:
            with Sandbox() as sandbox:
                sandbox.fail_next("slow", seconds=600, where="notify")
                connection = http.client.HTTPConnection(urlsplit(sandbox.url).netloc, timeout=60)
                connection.request("GET", "/notify")
                answer = pool.submit(connection.getresponse)
                while sandbox.counters.faults == 0:  # until the request has arrived
                    time.sleep(0.01)
            with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
                answer.result(timeout=60)
            connection.close()

    def test_a_connection_at_the_last_moment_is_closed_too(self) -> None:
        """Warnings are errors: a socket that the sandbox left open would be reported when it is collected."""
        for count in range(40):
            with Sandbox() as sandbox:
                address = ("127.0.0.1", urlsplit(sandbox.url).port or 0)
                late = [socket.create_connection(address, timeout=60) for _ in range(count % 4 + 1)]
            for one in late:
                one.close()
            del sandbox
            gc.collect()

    def test_a_bug_of_the_sandbox_is_not_silent(self) -> None:
        def broken() -> float:
            raise ZeroDivisionError

        sandbox = Sandbox(now=broken)
        sandbox.__enter__()
        assert _index_status(sandbox) == 500

        with pytest.raises(RuntimeError, match="the sandbox itself failed") as caught:
            sandbox.__exit__()
        assert isinstance(caught.value.__cause__, ZeroDivisionError)

    def test_methods_wait_for_the_answer_in_progress(self) -> None:
        """What a test does from its own thread never happens in the middle of a service's work."""
        entered, release = threading.Event(), threading.Event()

        def now() -> float:
            entered.set()
            release.wait(60)
            return 1000.0

        with Sandbox(now=now) as sandbox, ThreadPoolExecutor(2) as pool:
            answer = pool.submit(_index_status, sandbox)
            entered.wait(60)
            order = pool.submit(sandbox.advance, 5)
            with pytest.raises(TimeoutError):
                order.result(timeout=0.1)
            release.set()
            order.result(timeout=60)
            assert answer.result(timeout=60) == 200


class TestWhatAClientNeeds:
    def test_the_endpoints(self, served: Caller) -> None:
        assert served.sandbox.endpoints == Endpoints(
            authorize_url=f"{served.sandbox.url}/oauth2_user/authorize2", api_url=served.sandbox.url
        )

    def test_the_environment(self, served: Caller) -> None:
        sandbox = served.sandbox

        assert sandbox.environment() == {
            "WITHINGS_CLIENT_ID": sandbox.client_id,
            "WITHINGS_CLIENT_SECRET": sandbox.client_secret,
            "WITHINGS_REDIRECT_URI": "http://localhost:8000",
            "WITHINGS_AUTH_AUTHORIZE_URL": f"{sandbox.url}/oauth2_user/authorize2",
            "WITHINGS_AUTH_API_URL": sandbox.url,
            "WITHINGS_AUTH_PROFILE": "sandbox",
        }
        other = sandbox.environment(profile="trial", redirect_uri="http://127.0.0.1:1234")
        assert other["WITHINGS_AUTH_PROFILE"] == "trial"
        assert other["WITHINGS_REDIRECT_URI"] == "http://127.0.0.1:1234"

    def test_every_secret_begins_with_sandbox(self, served: Caller) -> None:
        pair = served.sandbox.issue_pair()

        for text in (served.sandbox.client_id, served.sandbox.client_secret, pair.access_token, pair.refresh_token):
            assert text.startswith("sandbox-")
            assert text.replace("-", "").replace("_", "").isalnum()

    def test_two_sandboxes_share_nothing(self) -> None:
        one, other = Sandbox(), Sandbox()

        assert one.client_id != other.client_id
        assert one.client_secret != other.client_secret

    def test_every_argument_takes_effect(self) -> None:
        sandbox = Sandbox(
            redirect_uris=["https://app.example"],
            switches=Switches(denial="with_state"),
            now=lambda: 1000.0,
            people=PEOPLE[:1],
        )
        sandbox.register_redirect_uri("https://app.example/2")
        sandbox.advance(5)

        assert sandbox.now() == 1005.0
        assert sandbox.people == PEOPLE[:1]
        assert sandbox.redirect_uris == ("https://app.example", "https://app.example/2")
        with pytest.raises(ValueError, match="not a URL that can be registered"):
            sandbox.register_redirect_uri("app.example")

    def test_secrets_have_no_repr(self, served: Caller) -> None:
        """Statement 23: no token or secret in any repr."""
        pair = served.sandbox.issue_pair()
        shown = f"{pair!r} {served.sandbox!r} {served.sandbox.counters!r} {served.sandbox.events!r}"

        assert not [secret for secret in served.sandbox.secrets if secret in shown]
        assert {pair.access_token, pair.refresh_token, served.sandbox.client_secret} <= served.sandbox.secrets

    def test_an_issued_pair_works(self, served: Caller) -> None:
        pair = served.sandbox.issue_pair(PEOPLE[1], scopes=["user.info"])

        header = f"Bearer {pair.access_token}"
        _, body = served.request("/v2/user", form={"action": "getdevice"}, Authorization=header)

        assert json.loads(body)["status"] == 0
        assert pair.userid == PEOPLE[1].userid
        assert served.sandbox.live_access_tokens == (pair.access_token,)
        assert served.sandbox.live_refresh_tokens == (pair.refresh_token,)
        served.sandbox.switch(second_consent="kills_nothing")
        served.sandbox.grant_at_most("user.info")
        assert served.sandbox.revoke_person(pair.userid) == 1
        assert served.sandbox.expire_access_token() == served.sandbox.kill_refresh_token() == 0
        assert len(served.sandbox.live_access_tokens) == 0

    def test_faults_can_be_withdrawn(self, served: Caller) -> None:
        served.sandbox.fail_next("bad_gateway", times=5)
        served.sandbox.clear_faults()

        assert served.refresh("sandbox-none")[0].status == 200

    def test_a_pair_has_known_scopes(self, served: Caller) -> None:
        with pytest.raises(ValueError, match=r"no such scope: user\.all"):
            served.sandbox.issue_pair(scopes=["user.all"])

    def test_expires_in_is_rounded_up(self, served: Caller) -> None:
        answer = json.loads(served.refresh(served.sandbox.issue_pair().refresh_token)[1])

        assert answer["body"]["expires_in"] == 10800


def _index_status(sandbox: Sandbox) -> int:
    """Opens the index page; returns the HTTP status."""
    address = urlsplit(sandbox.url).netloc
    with contextlib.closing(http.client.HTTPConnection(address, timeout=60)) as connection:
        connection.request("GET", "/")
        return connection.getresponse().status
