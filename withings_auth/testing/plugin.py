"""The pytest plug-in: fixtures for the tests of a program that uses Withings. Loads only what a test asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from withings_auth import AsyncTokenSource, TokenSource
    from withings_auth.sandbox import Sandbox
    from withings_auth.store.base import SecretStore


@pytest.fixture
def withings_sandbox() -> Iterator[Sandbox]:
    """A Withings of the test's own. Unlike the real one, it answers the same call twice within ten seconds.

    `withings_sandbox.switch(same_arguments_refused="everywhere")` makes it refuse that, too. To have other people or
    scopes, override this fixture; the others use yours.
    """
    from withings_auth.sandbox import Sandbox, Switches

    with Sandbox(switches=Switches(same_arguments_refused="token_service")) as sandbox:
        yield sandbox


@pytest.fixture
def withings_store(withings_sandbox: Sandbox) -> SecretStore:
    """A store in memory, in which the first person of `withings_sandbox` is logged in to the profile `default`."""
    from withings_auth.store.memory_store import MemoryStore
    from withings_auth.testing.sources import log_in

    store = MemoryStore()
    log_in(withings_sandbox, store)
    return store


@pytest.fixture
def withings_token_source(withings_sandbox: Sandbox, withings_store: SecretStore) -> TokenSource:
    """A `TokenSource` for the profile `default` of `withings_store`, on the clock of `withings_sandbox`."""
    from withings_auth.testing.sources import SandboxTokenSource

    return SandboxTokenSource(withings_sandbox, withings_store)


@pytest.fixture
def withings_async_token_source(withings_sandbox: Sandbox, withings_store: SecretStore) -> AsyncTokenSource:
    """An `AsyncTokenSource` for the profile `default` of `withings_store`, on the clock of `withings_sandbox`."""
    from withings_auth.testing.sources import AsyncSandboxTokenSource

    return AsyncSandboxTokenSource(withings_sandbox, withings_store)
