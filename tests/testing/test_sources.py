"""The sources of the published fixtures live by the sandbox's clock, and know nothing of the machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from withings_auth import AsyncTokenSource, TokenSource, errors
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.testing import SandboxTokenSource, log_in


@pytest.fixture(autouse=True)
def _secrets(withings_sandbox: Sandbox, canaries: Canaries) -> None:
    for secret in withings_sandbox.secrets:
        canaries.plant("a secret of the sandbox", secret)


def test_a_token_expires_with_the_sandboxs_clock(withings_sandbox: Sandbox, withings_token_source: TokenSource) -> None:
    """And is renewed once, at once."""
    first = withings_token_source.access_token()
    withings_sandbox.advance(hours=2)
    assert withings_token_source.access_token() == first
    withings_sandbox.advance(hours=1)
    second = withings_token_source.access_token()
    assert second == withings_token_source.access_token() != first
    assert withings_sandbox.live_access_tokens == (second,)
    assert withings_sandbox.counters.refreshes == 1


def test_the_async_source_does_too(
    withings_sandbox: Sandbox, withings_async_token_source: AsyncTokenSource, withings_token_source: TokenSource
) -> None:
    """Both share the login."""

    async def ask() -> set[str]:
        return set(await asyncio.gather(*(withings_async_token_source.access_token() for _ in range(5))))

    first = asyncio.run(ask())
    assert first == {withings_token_source.access_token()}
    withings_sandbox.advance(hours=3)
    second = asyncio.run(ask())
    assert second == {withings_token_source.access_token()} != first
    assert withings_sandbox.counters.refreshes == 1


def test_what_takes_long_takes_the_sandboxs_time(withings_sandbox: Sandbox, withings_token_source: TokenSource) -> None:
    """A lost answer is asked for again after the eleven seconds that Withings wants, without any of them here."""
    before = withings_sandbox.now() - time.time()
    withings_sandbox.advance(hours=3)
    withings_sandbox.fail_next("lost")
    assert withings_token_source.access_token() == withings_sandbox.live_access_tokens[0]
    assert withings_sandbox.now() - time.time() - before == pytest.approx(3 * 3600 + 11, abs=0.5)


def test_a_login_can_end(withings_sandbox: Sandbox, withings_token_source: TokenSource) -> None:
    """So a program's way of telling its user can be tested."""
    withings_sandbox.revoke_person()
    withings_sandbox.advance(hours=3)
    with pytest.raises(errors.LoginRequired, match="invalid refresh_token"):
        withings_token_source.access_token()


def test_further_people_log_in(withings_sandbox: Sandbox, withings_store: SecretStore) -> None:
    """Each to a profile of their own."""
    log_in(withings_sandbox, withings_store, "jonas", person=withings_sandbox.people[1], scopes=["user.info"])
    token = SandboxTokenSource(withings_sandbox, withings_store, "jonas").token()
    assert (token.userid, token.scopes) == (str(withings_sandbox.people[1].userid), ("user.info",))
    assert token.api_origin == "https://wbsapi.withings.net"


def test_nothing_of_the_machine_counts(
    withings_sandbox: Sandbox, withings_store: SecretStore, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the developer's own settings nor their proxy."""
    configuration = home / ".config" / "withings-auth" / "config.toml"
    configuration.parent.mkdir(parents=True)
    configuration.write_text("profile = 7")
    for name in ("WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "WITHINGS_AUTH_PROFILE"):
        monkeypatch.setenv(name, "mine")
    for name, url in (("WITHINGS_AUTH_API_URL", "https://api.example"), ("HTTPS_PROXY", "http://127.0.0.1:9")):
        monkeypatch.setenv(name, url)
    source = SandboxTokenSource(withings_sandbox, withings_store)
    withings_sandbox.advance(hours=3)
    assert source.access_token() == withings_sandbox.live_access_tokens[0]
