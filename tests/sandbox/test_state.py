"""The sandbox records what happened without secrets, checks what a test orders, and answers to its own name only."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import pytest

from withings_auth.sandbox import Sandbox

if TYPE_CHECKING:
    from tests.sandbox.bench import Bench


def test_events_and_counters_hold_no_secret(bench: Bench) -> None:
    """Statement 23: neither holds a code, token or secret."""
    pair = bench.login()
    bench.refresh(pair["refresh_token"])
    bench.refresh("sandbox-none")

    shown = repr([asdict(event) for event in bench.state.events]) + repr(asdict(bench.state.counters))

    assert bench.state.counters.exchanges == 1
    assert bench.state.counters.refreshes == 1
    assert [event.what for event in bench.state.events] == ["allow", "exchange", "refresh", "refusal"]
    assert len(bench.state.secrets) > 5
    assert not [secret for secret in bench.state.secrets if secret in shown]


class TestOrders:
    @pytest.mark.parametrize(
        ("uri", "words"),
        [
            ("no address", "not a URL that can be registered"),
            ("http://localhost:8000/#part", "not a URL that can be registered"),
            ("http://localhost:port", "Port"),
        ],
    )
    def test_a_redirect_uri_that_cannot_be_registered(self, uri: str, words: str) -> None:
        sandbox = Sandbox()

        with pytest.raises(ValueError, match=words):
            sandbox.register_redirect_uri(uri)
        assert sandbox.redirect_uris == ("http://localhost:8000",)

    def test_a_redirect_uri_is_registered_once(self) -> None:
        sandbox = Sandbox()
        for _ in range(2):
            sandbox.register_redirect_uri("http://localhost:9999")

        assert sandbox.redirect_uris == ("http://localhost:8000", "http://localhost:9999")

    def test_a_scope_that_does_not_exist(self) -> None:
        with pytest.raises(ValueError, match=r"no such scope: user\.all"):
            Sandbox().grant_at_most("user.all")

    def test_a_clock_that_goes_back(self) -> None:
        with pytest.raises(ValueError, match="advanced"):
            Sandbox().advance(-5)


class TestForeignNames:
    @pytest.mark.parametrize(
        "host", ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "", "localhost:8765.evil.example"]
    )
    def test_no_foreign_name_leads_here(self, bench: Bench, host: str) -> None:
        """A name that points to the loopback address (DNS rebinding) gets nothing."""
        assert bench.request("/", method="GET", host=host).http_status == 421
        assert bench.request("/v2/oauth2", form={}, host=host).http_status == 421
        assert bench.authorize().http_status == 200

    def test_a_foreign_page_may_read_nothing(self, bench: Bench) -> None:
        """A browser's preflight is refused, without a header that would allow another site anything."""
        preflight = bench.request("/v2/oauth2", method="OPTIONS", origin="https://evil.example")

        assert preflight.http_status == 405
        assert not [name for name in preflight.headers if name.lower().startswith("access-control")]
