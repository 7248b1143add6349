"""The counterparts that an import needs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.profiles.imports import Import
from tests.support.canaries import Canaries
from tests.tokens.scene import Clock
from withings_auth.profiles.foreign import ForeignLogin
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore


@pytest.fixture
def foreign(store: SecretStore, canaries: Canaries) -> Iterator[Import]:
    """A login of the sandbox's first person in another tool's file; waiting takes no time."""
    clock = Clock()
    with Sandbox(now=clock) as sandbox:
        pair = sandbox.issue_pair()
        login = ForeignLogin(
            tool="a tool", access_token=pair.access_token, refresh_token=pair.refresh_token, userid=str(pair.userid)
        )
        yield Import(store=store, sandbox=sandbox, clock=clock, login=login)
        for number, secret in enumerate(sorted(sandbox.secrets)):
            canaries.plant(f"the sandbox's secret {number}", secret)
