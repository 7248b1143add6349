"""Where the token goes and where it does not: other origins, and every kind of redirect."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest
import requests

from tests.adapters.clients import Aiohttp, Client, Requests
from tests.support.places import Place, Reply, Seen, always, envelope, sent_to
from tests.support.services import Api, Login
from withings_auth import TokenSource
from withings_auth.adapters.httpx import BearerAuth as HttpxBearerAuth
from withings_auth.adapters.requests import BearerAuth as RequestsBearerAuth
from withings_auth.errors import ConfigurationError
from withings_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from withings_auth.store.base import SecretStore


def tokens(seen: Iterable[Seen]) -> list[str | None]:
    """The Authorization header of each request, in order."""
    return [one.authorization for one in seen]


def nowhere_else(token: str, seen: Iterable[Seen]) -> bool:
    """Whether the token is in no other header, URL or body."""
    others = [(one.target, one.body, {**one.headers, "authorization": ""}) for one in seen]
    return token not in repr(others)


class TestStraight:
    """Without a redirect."""

    def test_the_api_gets_it_in_the_header(self, client: Client, login: Login, api: Api) -> None:
        """Statement 26: the access token is sent in the Authorization header and nowhere else."""
        api.good = login.at(api.url).access_token
        client.send("POST", f"{api.url}/measure?a=b", form={"action": "getmeas"})
        assert tokens(api.seen) == [f"Bearer {api.good}"]
        assert nowhere_else(api.good, api.seen)

    def test_another_origin_does_not(self, client: Client, login: Login, api: Api, elsewhere: Place) -> None:
        """Statement 26: another port or name of the same machine gets no token, and its 401 renews nothing."""
        api.good = login.at(api.url).access_token
        elsewhere.answer = lambda _: Reply(http_status=401)
        client.send("GET", f"{elsewhere.url}/v2/user")
        client.send("GET", f"http://localhost:{api.port}/v2/user")
        assert tokens([*elsewhere.seen, *api.seen]) == [None, None]
        assert api.refreshes == 0

    def test_the_host_is_compared_without_case(self, client: Client, login: Login, api: Api) -> None:
        api.good = login.at(f"http://localhost:{api.port}").access_token
        client.send("GET", f"http://LocalHost:{api.port}/v2/user")
        assert tokens(api.seen) == [f"Bearer {api.good}"]

    def test_another_credential_for_another_origin_stays(
        self, client: Client, login: Login, api: Api, elsewhere: Place
    ) -> None:
        login.at(api.url)
        client.send("GET", f"{elsewhere.url}/", headers={"Authorization": "Basic dGhlaXI6b3du"})
        assert tokens(elsewhere.seen) == ["Basic dGhlaXI6b3du"]

    def test_our_token_for_another_origin_does_not(
        self, client: Client, login: Login, api: Api, elsewhere: Place
    ) -> None:
        """Statement 26: a header that was copied from a request to the API is removed."""
        token = login.at(api.url).access_token
        client.send("GET", f"{elsewhere.url}/", headers={"Authorization": f"Bearer {token}"})
        assert tokens(elsewhere.seen) == [None]

    def test_a_login_that_moves_takes_its_token_along(
        self, client: Client, login: Login, api: Api, elsewhere: Place
    ) -> None:
        """Statement 26: a refused request is not repeated with the token of another service."""
        login.at(api.url)
        moved: list[str] = []

        def refuse(_: Seen) -> Reply:
            moved.append(login.at(elsewhere.url).access_token)
            return envelope(401)

        api.refuse = refuse
        assert json.loads(client.send("GET", f"{api.url}/v2/user").body)["status"] == 401
        assert len(api.seen) == 1
        client.send("GET", f"{elsewhere.url}/v2/user")
        assert tokens(elsewhere.seen) == [f"Bearer {moved[0]}"]


class TestRedirects:
    """With one redirect, or two."""

    def test_within_the_origin_it_stays(self, client: Client, login: Login, api: Api) -> None:
        api.good = login.at(api.url).access_token
        api.accept = lambda seen: sent_to("/new") if seen.target == "/old" else envelope(0)
        assert client.send("POST", f"{api.url}/old", form={"a": "b"}).http_status == 200
        assert [seen.body for seen in api.seen] == [b"a=b", b"a=b"]
        assert tokens(api.seen) == [f"Bearer {api.good}"] * 2

    def test_a_netrc_does_not_replace_it(
        self, client: Client, login: Login, api: Api, elsewhere: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Statement 26: on the API's own hops it is our header, also after a renewal; credentials of others stay away.

        requests looks into the file at each redirect, and sends what it has for another host there.
        """
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login theirs password own\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        old = login.at(api.url).access_token
        api.accept = lambda seen: envelope(0) if seen.target == "/new" else sent_to("/new")
        for _ in range(2):
            assert json.loads(client.send("POST", f"{api.url}/old", form={"a": "b"}).body)["status"] == 0
        assert {seen.authorization for seen in api.calls} == {f"Bearer {old}", f"Bearer {api.good}"}
        assert api.refreshes == 1
        api.accept = lambda _: sent_to(f"{elsewhere.url}/there")
        client.send("GET", f"{api.url}/old")
        theirs = "Basic dGhlaXJzOm93bg==" if isinstance(client, Requests) else None
        assert tokens(elsewhere.seen) == [theirs]

    def test_another_port_does_not_get_it(self, client: Client, login: Login, api: Api, elsewhere: Place) -> None:
        """Statement 26: no redirect takes the token elsewhere, and that origin's 401 renews nothing."""
        api.good = login.at(api.url).access_token
        elsewhere.answer = lambda _: envelope(401)
        for http_status in (301, 302, 303, 307, 308):
            api.seen.clear()
            elsewhere.seen.clear()
            api.accept = always(sent_to(f"{elsewhere.url}/there", http_status))
            assert json.loads(client.send("POST", f"{api.url}/v2/user", form={"a": "b"}).body)["status"] == 401
            assert tokens(elsewhere.seen) == [None]
            assert (len(api.seen), api.refreshes) == (1, 0)
            assert nowhere_else(api.good, elsewhere.seen)

    def test_the_sandbox_can_send_one_away_too(
        self, client: Client, login: Login, sandbox: Sandbox, elsewhere: Place
    ) -> None:
        login.at_sandbox(sandbox)
        sandbox.fail_next("redirect", where="user", location=f"{elsewhere.url}/there")
        client.send("POST", f"{sandbox.url}/v2/user", form={"action": "getdevice"})
        assert tokens(elsewhere.seen) == [None]

    def test_another_host_does_not_get_it(self, client: Client, login: Login, api: Api) -> None:
        """Statement 26: `localhost` is not `127.0.0.1`, even if it is the same server."""
        api.good = login.at(api.url).access_token
        api.accept = lambda _: sent_to(f"http://localhost:{api.port}/there")
        api.refuse = lambda _: envelope(0, here="localhost")
        assert json.loads(client.send("GET", f"{api.url}/v2/user").body)["body"] == {"here": "localhost"}
        assert tokens(api.seen) == [f"Bearer {api.good}", None]

    def test_another_scheme_does_not_get_it(self, client: Client, login: Login, api: Api, certificate: Path) -> None:
        """Statement 26: not even https instead of http keeps the token."""
        api.good = login.at(f"http://localhost:{api.port}").access_token
        with Place(host="localhost", certificate=certificate) as encrypted:
            api.accept = lambda _: sent_to(f"{encrypted.url}/there")
            assert client.send("GET", f"http://localhost:{api.port}/v2/user").http_status == 200
        assert tokens(encrypted.seen) == [None]

    def test_there_and_back(self, client: Client, login: Login, api: Api, elsewhere: Place) -> None:
        """Statement 26: the origin in between never sees the token.

        aiohttp gives each hop to the adapter, and so the last one has the token again; httpx and requests have dropped
        it for good, and the refusal of a request without a token says nothing about the token.
        """
        api.good = login.at(api.url).access_token
        api.accept = lambda seen: sent_to(f"{elsewhere.url}/there") if seen.target == "/first" else envelope(0)
        elsewhere.answer = lambda _: sent_to(f"{api.url}/last")
        got = client.send("GET", f"{api.url}/first")
        assert tokens(elsewhere.seen) == [None]
        again = f"Bearer {api.good}" if isinstance(client, Aiohttp) else None
        assert tokens(api.calls) == [f"Bearer {api.good}", again]
        assert json.loads(got.body)["status"] == (0 if again else 401)
        assert api.refreshes == 0

    def test_a_refusal_behind_one_repeats_that_hop(self, client: Client, login: Login, api: Api) -> None:
        """A request that succeeded before the redirect is not sent twice."""
        login.at(api.url)
        api.refuse = lambda seen: sent_to("/new") if seen.target == "/old" else envelope(401)
        assert json.loads(client.send("POST", f"{api.url}/old", form={"a": "b"}).body)["status"] == 0
        assert [(seen.target, seen.body) for seen in api.calls] == [
            ("/old", b"a=b"),
            ("/new", b"a=b"),
            ("/new", b"a=b"),
        ]
        assert api.refreshes == 1

    def test_one_behind_a_refusal(self, client: Client, login: Login, api: Api, elsewhere: Place) -> None:
        """Statement 26: the renewed token is not carried to another origin either."""
        login.at(api.url)
        api.accept = lambda seen: envelope(0) if seen.target == "/new" else sent_to("/new")
        assert json.loads(client.send("GET", f"{api.url}/old").body)["status"] == 0
        api.accept = lambda _: sent_to(f"{elsewhere.url}/there")
        login.at(api.url)
        client.send("GET", f"{api.url}/old")
        assert api.refreshes == 2
        assert tokens(elsewhere.seen) == [None]


def test_where_a_library_would_keep_it_nothing_is_sent(login: Login, store: SecretStore) -> None:
    """Statement 26: requests and httpx keep the header from http on port 80 to https on port 443."""
    login.at("http://localhost")
    source = TokenSource(store=store)
    upgrade = "would send the access token along if http://localhost redirected to https"
    with httpx.Client(auth=HttpxBearerAuth(source)) as client, pytest.raises(ConfigurationError, match=upgrade):
        client.get("http://localhost/v2/user")
    with requests.Session() as session, pytest.raises(ConfigurationError, match=upgrade):
        session.get("http://localhost/v2/user", auth=RequestsBearerAuth(source))
