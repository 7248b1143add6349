"""The published aiowithings, on a shared login."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from aiowithings import WithingsAuthenticationFailedError, WithingsClient
from yarl import URL

from tests.clients.stories import (
    Story,
    across_a_refusal,
    across_a_renewal_by_another_process,
    across_an_expiry,
    run,
    secrets_in,
)
from tests.support.logins import Desk
from withings_auth import AsyncTokenSource, Endpoints

pytestmark = pytest.mark.usefixtures("unmeasured")

RECIPE = "aiowithings_client.py"
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@pytest.fixture
def logged_in(logged_in: Desk, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """The client talks to the sandbox: it has no setting for a scheme or port, so its URL builder is replaced."""

    def build(*, scheme: str, host: str, port: int) -> URL:
        assert (f"{scheme}://{host}", port) == (Endpoints().api_url, 443)
        return URL(logged_in.sandbox.url)

    monkeypatch.setattr("aiowithings.withings.URL", SimpleNamespace(build=build))
    return logged_in


async def _go_through(story: Story, desk: Desk, withings: WithingsClient) -> None:
    for _ in story(desk):
        assert len(await withings.get_measurement_since(LONG_AGO)) == 100


@pytest.mark.usefixtures("logged_in")
def test_the_recipe_runs(capsys: pytest.CaptureFixture[str]) -> None:
    """The example prints the user's devices."""
    run(RECIPE)
    assert capsys.readouterr().out.split("\n") == ["Body+", "Steel HR", ""]


@pytest.mark.parametrize("story", [across_an_expiry, across_a_renewal_by_another_process, across_a_refusal])
def test_the_recipes_client_goes_on(logged_in: Desk, story: Story) -> None:
    """One client survives an expiry, a renewal by another process and the early end of a token."""
    recipe = run(RECIPE)

    async def show(withings: WithingsClient) -> None:
        await _go_through(story, logged_in, withings)

    recipe["show"] = show
    asyncio.run(recipe["main"]())


@pytest.mark.parametrize("story", [across_an_expiry, across_a_renewal_by_another_process])
def test_the_function_alone_is_enough(logged_in: Desk, story: Story) -> None:
    """With `refresh_token_function` alone, the client survives an expiry and renewals by other processes."""

    async def main() -> None:
        async with WithingsClient(refresh_token_function=AsyncTokenSource().access_token) as withings:
            await _go_through(story, logged_in, withings)

    asyncio.run(main())


def test_without_the_middleware_a_refusal_is_the_clients_error(logged_in: Desk) -> None:
    """Why the recipe has the middleware."""

    async def main() -> None:
        async with WithingsClient(refresh_token_function=AsyncTokenSource().access_token) as withings:
            await _go_through(across_a_refusal, logged_in, withings)

    with pytest.raises(WithingsAuthenticationFailedError):
        asyncio.run(main())


def test_it_never_holds_the_refresh_token(logged_in: Desk) -> None:
    """Statement 27: the client has the access token, but no refresh token and no client secret."""
    recipe = run(RECIPE)

    async def show(withings: WithingsClient) -> None:
        await _go_through(across_an_expiry, logged_in, withings)
        assert secrets_in(withings, logged_in) == {logged_in.sandbox.live_access_tokens[-1]}

    recipe["show"] = show
    asyncio.run(recipe["main"]())
