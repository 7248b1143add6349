"""The published legnoh-withings, on a shared login."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest

from tests.clients.stories import (
    Story,
    across_a_refusal,
    across_a_renewal_by_another_process,
    across_an_expiry,
    run,
    secrets_in,
)
from tests.support.logins import Desk
from withings_auth import Endpoints

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def logged_in(logged_in: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The client talks to the sandbox: the base of its URLs is an attribute of the class."""
    published = import_module("withings").WithingsClient
    assert Endpoints().api_url == published.API_BASE_URL
    monkeypatch.setattr(published, "API_BASE_URL", logged_in.sandbox.url)
    return logged_in


@pytest.fixture
def withings(logged_in: Desk, capsys: pytest.CaptureFixture[str]) -> Any:
    """The client of the example, which ran unchanged and printed the user's devices."""
    client = run("legnoh_withings_client.py")["withings"]
    assert capsys.readouterr().out.split("\n") == ["Body+", "Steel HR", ""]
    assert logged_in.sandbox.counters.refusals == 0
    return client


def _go_through(story: Story, desk: Desk, withings: Any) -> None:
    for _ in story(desk):
        assert len(withings.get_measures()["measuregrps"]) == 100


@pytest.mark.parametrize("story", [across_an_expiry, across_a_renewal_by_another_process])
def test_the_recipes_client_goes_on(logged_in: Desk, withings: Any, story: Story) -> None:
    """One client survives an expiry and a renewal by another process."""
    _go_through(story, logged_in, withings)


def test_a_refusal_is_the_clients_error_until_it_is_reported(logged_in: Desk, withings: Any) -> None:
    """The example's advice is enough to survive the early end of a token."""
    error = import_module("withings").WithingsApiError
    with pytest.raises(error) as caught:
        _go_through(across_a_refusal, logged_in, withings)
    assert caught.value.status == 401
    withings.source.token(rejected=withings.token.access_token)
    assert withings.get_measures()["measuregrps"]


def test_it_never_holds_the_refresh_token(logged_in: Desk, withings: Any) -> None:
    """Statement 27: the client has the access token, but no refresh token and no client secret."""
    _go_through(across_an_expiry, logged_in, withings)
    assert secrets_in(withings, logged_in) == {logged_in.sandbox.live_access_tokens[-1]}
    with pytest.raises(ValueError, match="refresh_token is required"):
        withings.refresh_access_token()
