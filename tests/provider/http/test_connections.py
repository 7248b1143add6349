"""The way to the server: TLS, proxies, IPv6 and name resolution."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.provider.http.server import LIMIT, PROXIES, Serve, Server, http
from tests.support.canaries import Canaries
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, NotSent


class TestTheWayThere:
    def test_no_proxy_stands_before_a_loopback_address(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
    ) -> None:
        """What is meant for this machine stays on it, over http and over https, whatever the variables say."""
        proxy = serve(http(b"proxied"))
        for name in PROXIES[:3]:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        server = serve(http(b"direct"))
        outcome = post(server.url, form)
        assert isinstance(outcome, Answer)
        assert outcome.body == b"direct"
        for host in ("127.0.0.1", "localhost", "[::1]"):
            assert isinstance(post(f"https://{host}:{server.port}/", form, time_limit_seconds=LIMIT), NotSent)
        assert proxy.requests == []

    @pytest.mark.parametrize("scheme", ["http://", ""])
    def test_a_proxy_is_used_for_https(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str], scheme: str
    ) -> None:
        """The proxy is asked for a tunnel and sees no more than the name; if it refuses, nothing was sent."""
        proxy = serve(http(b"no", "403 Forbidden"))
        monkeypatch.setenv("https_proxy", f"{scheme}127.0.0.1:{proxy.port}")
        outcome = post("https://wbsapi.withings.invalid/v2/oauth2", form)
        assert outcome == NotSent(why="the proxy refused the connection (HTTP 403)")
        (request,) = proxy.requests
        assert request.startswith(b"CONNECT wbsapi.withings.invalid:443 HTTP/1.1\r\n")
        assert b"oauth2" not in request

    def test_a_tunnel_is_not_yet_a_connection(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
    ) -> None:
        def tunnel(server: Server, connection: socket.socket) -> None:
            server.request(connection)
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            connection.close()

        proxy = serve(tunnel)
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        assert isinstance(post("https://wbsapi.withings.invalid/", form), NotSent)

    def test_a_password_for_the_proxy_is_for_the_proxy(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, canaries: Canaries
    ) -> None:
        proxy = serve(http(b"no", "407 Proxy Authentication Required"))
        password = canaries.plant("proxy password")
        monkeypatch.setenv("https_proxy", f"http://me:{password}@127.0.0.1:{proxy.port}")
        outcome = post("https://wbsapi.withings.invalid/", {})
        canaries.hear("the outcome", repr(outcome))
        assert outcome == NotSent(why="the proxy refused the connection (HTTP 407)")
        assert b"Proxy-Authorization: Basic" in proxy.requests[0]

    @pytest.mark.parametrize(
        ("proxy", "why"),
        [
            ("http://127.0.0.1:1", "the proxy cannot be reached"),
            ("not a url", None),
            ("http://[", None),
            ("http://127.0.0.1:99999", None),
        ],
    )
    def test_a_proxy_that_is_none(
        self, monkeypatch: pytest.MonkeyPatch, form: dict[str, str], proxy: str, why: str | None
    ) -> None:
        monkeypatch.setenv("https_proxy", proxy)
        outcome = post("https://wbsapi.withings.invalid/", form)
        assert isinstance(outcome, NotSent)
        assert why in {None, outcome.why}

    def test_no_proxy_names_hosts_that_are_reached_directly(
        self, serve: Serve, monkeypatch: pytest.MonkeyPatch, form: dict[str, str]
    ) -> None:
        proxy = serve(http(b"no", "403 Forbidden"))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{proxy.port}")
        monkeypatch.setenv("no_proxy", ".withings.invalid")
        assert isinstance(post("https://wbsapi.withings.invalid/", form), NotSent)
        assert proxy.requests == []

    def test_no_password_is_taken_from_netrc(
        self, serve: Serve, home: Path, monkeypatch: pytest.MonkeyPatch, canaries: Canaries
    ) -> None:
        netrc = home / ".netrc"
        netrc.write_text(f"machine 127.0.0.1 login me password {canaries.plant('netrc password')}\n")
        netrc.chmod(0o600)
        monkeypatch.setenv("NETRC", str(netrc))
        server = serve(http(b"{}"))
        post(server.url, {})
        assert b"authorization" not in server.requests[0].lower()

    def test_ipv6_is_reached(self, serve: Serve) -> None:
        try:
            server = serve(http(b"six"), family=socket.AF_INET6)
        except OSError:
            pytest.skip("this machine has no IPv6")
        assert post(f"http://[::1]:{server.port}/", {}) == Answer(http_status=200, body=b"six")
