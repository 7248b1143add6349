"""Renewals in a sealed store: what could not be saved is not asked for."""

from __future__ import annotations

import pytest

from tests.support.sealing import Machine, SealableMemory
from withings_auth.errors import StoreCorrupt
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import latest_note
from withings_auth.store.rekeying import add_new_key, prepare_key, rekey
from withings_auth.testing import SandboxTokenSource, log_in

TOKEN = "token/default"


def test_machines_that_have_the_key_share_each_renewal(withings_sandbox: Sandbox) -> None:
    first, second = Machine(inner := SealableMemory()), Machine(inner)
    prepare_key(first)
    second.follow(first)
    log_in(withings_sandbox, first)
    sources = [SandboxTokenSource(withings_sandbox, store) for store in (first, second)]
    for _ in range(3):
        withings_sandbox.advance(hours=3)
        assert len({source.access_token() for source in sources}) == 1
        rekey(first, add_new_key(first).id)
        second.follow(first)
    assert withings_sandbox.counters.refreshes == 3


def test_a_machine_that_could_not_save_sends_nothing(withings_sandbox: Sandbox) -> None:
    """Statement 53: it can read the login, which is sealed with the earlier key, but not seal a new one."""
    first, second = Machine(inner := SealableMemory()), Machine(inner)
    prepare_key(first)
    second.follow(first)
    log_in(withings_sandbox, first)
    inner.set_sealing_key(add_new_key(first).id)  # and then the rekeying was killed
    source = SandboxTokenSource(withings_sandbox, second)
    assert source.access_token() == SandboxTokenSource(withings_sandbox, first).access_token()
    withings_sandbox.advance(hours=3)
    with pytest.raises(StoreCorrupt, match="is needed"):
        source.access_token()
    assert withings_sandbox.counters.refreshes == 0
    assert latest_note(second, TOKEN) is None
    renewed = SandboxTokenSource(withings_sandbox, first).access_token()
    with pytest.raises(StoreCorrupt, match="is needed"):
        source.access_token()
    second.follow(first)
    assert source.access_token() == renewed
    assert withings_sandbox.counters.refreshes == 1
