"""A session with the adapter works, goes on working when a token dies, and says why if it cannot."""

from __future__ import annotations

import json
import threading

import pytest

from tests.adapters.clients import Client
from tests.support.places import Reply, Seen, always, envelope
from tests.support.services import LIFE, Api, Login
from withings_auth.errors import LoginRequired, ProviderUnavailable
from withings_auth.sandbox import Sandbox

DEVICES = {"action": "getdevice"}


def status(body: bytes) -> int:
    """The status in the envelope."""
    found = json.loads(body)["status"]
    assert isinstance(found, int)
    return found


class TestAtTheSandbox:
    """A provider that answers as Withings does at its worst."""

    def test_a_call_carries_the_token(self, client: Client, login: Login, sandbox: Sandbox) -> None:
        login.at_sandbox(sandbox)
        assert status(client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES).body) == 0
        assert (sandbox.counters.data_requests, sandbox.counters.refreshes) == (1, 0)

    def test_a_token_that_has_expired_by_the_clock_is_renewed_first(
        self, client: Client, login: Login, sandbox: Sandbox
    ) -> None:
        login.at_sandbox(sandbox, age=LIFE + 5)
        assert status(client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES).body) == 0
        assert (sandbox.counters.data_requests, sandbox.counters.refreshes) == (1, 1)

    def test_a_token_that_died_early_is_renewed_and_the_call_repeated(
        self, client: Client, login: Login, sandbox: Sandbox
    ) -> None:
        """The first answer is a 401 inside HTTP 200; the caller sees only the second.

        The sandbox refuses the same arguments for ten seconds: a call refused for its token is not among them.
        """
        dead = login.at_sandbox(sandbox).access_token
        sandbox.expire_access_token(dead)
        assert status(client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES).body) == 0
        assert (sandbox.counters.data_requests, sandbox.counters.refreshes) == (2, 1)
        assert login.access_token != dead

    def test_the_next_call_needs_no_second_try(self, client: Client, login: Login, sandbox: Sandbox) -> None:
        sandbox.expire_access_token(login.at_sandbox(sandbox).access_token)
        client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES)
        assert status(client.send("POST", f"{sandbox.url}/measure", form={"action": "getmeas"}).body) == 0
        assert (sandbox.counters.data_requests, sandbox.counters.refreshes) == (3, 1)

    def test_another_refusal_is_the_callers_own(self, client: Client, login: Login, sandbox: Sandbox) -> None:
        login.at_sandbox(sandbox)
        for count, number in enumerate((100, 102, 200, 214, 503, 2554), start=1):
            sandbox.fail_next("status", where="user", status=number, error="no")
            assert status(client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES).body) == number
            assert (sandbox.counters.faults, sandbox.counters.refreshes) == (count, 0)

    def test_a_login_that_is_over_says_so(self, client: Client, login: Login, sandbox: Sandbox) -> None:
        login.at_sandbox(sandbox)
        sandbox.revoke_person()
        with pytest.raises(LoginRequired, match="has ended the login"):
            client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES)

    def test_a_renewal_that_fails_for_now_says_so(self, client: Client, login: Login, sandbox: Sandbox) -> None:
        """The error is not the refusal, which would look like a dead login, and the session is still usable."""
        sandbox.expire_access_token(login.at_sandbox(sandbox).access_token)
        sandbox.fail_next("bad_gateway", where="token")
        with pytest.raises(ProviderUnavailable, match="HTTP 502"):
            client.send("POST", f"{sandbox.url}/v2/user", form=DEVICES)


def test_without_a_login_nothing_is_sent(client: Client, api: Api) -> None:
    with pytest.raises(LoginRequired):
        client.send("POST", f"{api.url}/v2/user", form=DEVICES)
    assert api.seen == []


class TestRefusals:
    """What counts as a refusal and what follows, with an API that the test controls."""

    def test_a_true_http_401_is_one_too(self, client: Client, login: Login, api: Api) -> None:
        login.at(api.url)
        api.refuse = lambda _: Reply(http_status=401, media_type="text/html", body=b"<p>no</p>")
        assert status(client.send("GET", f"{api.url}/v2/user").body) == 0
        assert (len(api.calls), api.refreshes) == (2, 1)

    def test_many_at_once_renew_once(self, client: Client, login: Login, api: Api) -> None:
        """Twenty requests are sent with the dead token before the first is refused."""
        login.at(api.url)
        all_there = threading.Barrier(20)

        def refuse(_: Seen) -> Reply:
            all_there.wait(60)
            return envelope(401)

        api.refuse = refuse
        many = client.send_together(20, "GET", f"{api.url}/v2/user")
        assert [status(got.body) for got in many] == [0] * 20
        assert (len(api.calls), api.refreshes) == (40, 1)

    def test_a_second_refusal_is_the_answer(self, client: Client, login: Login, api: Api) -> None:
        """A third try would be refused too, so the caller sees Withings' answer."""
        login.at(api.url)
        api.accept = lambda _: envelope(401, which="second")
        assert json.loads(client.send("GET", f"{api.url}/v2/user").body)["body"] == {"which": "second"}
        assert (len(api.calls), api.refreshes) == (2, 1)

    def test_a_token_that_just_replaced_another_is_not_renewed_for_it(
        self, client: Client, login: Login, api: Api
    ) -> None:
        login.at(api.url, age=5)
        assert client.send("GET", f"{api.url}/v2/user").http_status == 200
        api.good = None
        api.seen.clear()
        with pytest.raises(ProviderUnavailable, match=r"that it issued \d+ seconds ago"):
            client.send("GET", f"{api.url}/v2/user")
        assert (len(api.calls), api.refreshes) == (1, 1)

    def test_what_is_none_is_handed_on(self, client: Client, login: Login, api: Api) -> None:
        login.at(api.url)
        for reply in (
            Reply(media_type="text/plain", body=b'{"status": 401}'),
            Reply(http_status=403, body=b'{"status": 401}'),
            Reply(body=b'{"status": "401"}'),
            Reply(body=b'[{"status": 401}]'),
            Reply(body=b'{"body": {"status": 401}}'),
            Reply(body=b"not json"),
            Reply(body=b'{"status": 401, "body": "' + b"x" * 65_536 + b'"}'),
        ):
            api.seen.clear()
            api.refuse = always(reply)
            got = client.send("GET", f"{api.url}/v2/user")
            assert (got.http_status, got.body) == (reply.http_status, reply.body)
            assert (len(api.calls), api.refreshes) == (1, 0)
