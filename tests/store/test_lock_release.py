"""Giving a lock back: whatever the system answers, the result stays and the lock is free."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

import pytest

from tests.store.keyrings import Keyrings, SlowKeyring
from tests.support.logins import Desk
from tests.support.stores import save_record
from tests.support.waiting import wait_until
from withings_auth.errors import LockBusy, StoreUnavailable
from withings_auth.store.base import SecretStore
from withings_auth.store.file_store import FileStore
from withings_auth.testing.elsewhere import Elsewhere
from withings_auth.tokens.source import TokenSource

TOKEN = "token/default"
OPEN = "from pathlib import Path; from withings_auth.store import open_named_store; store = open_named_store"


@pytest.fixture
def share_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A plain file can be locked but not unlocked any more; the list has the descriptors for which that was tried."""
    flock = fcntl.flock
    refused: list[int] = []

    def refuse_to_unlock(descriptor: int, operation: int) -> None:
        if operation == fcntl.LOCK_UN and stat.S_ISREG(os.fstat(descriptor).st_mode):
            refused.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")
        flock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", refuse_to_unlock)
    return refused


@pytest.fixture(params=["file", "keyring"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    return FileStore(tmp_path / "store") if request.param == "file" else Keyrings(tmp_path / "state")()


def test_a_lock_that_cannot_be_unlocked_hides_no_result(shared: SecretStore, share_that_goes_away: list[int]) -> None:
    """Statement 46: the save counts, nothing is raised, and the next holder need not wait for a garbage collection."""
    for text in ("first", "second"):
        save_record(shared, TOKEN, text)
        with shared.lock(TOKEN, 0):
            assert shared.load(TOKEN) == text
    assert len(share_that_goes_away) == 4


def test_an_error_under_it_is_the_one_that_is_raised(shared: SecretStore, share_that_goes_away: list[int]) -> None:
    """Statement 46: a failure to unlock never stands in for what happened under the lock."""
    with pytest.raises(StoreUnavailable, match="what happened"), shared.lock(TOKEN, 1):
        raise StoreUnavailable("what happened")
    assert share_that_goes_away


def test_other_programs_get_in_at_once(tmp_path: Path, share_that_goes_away: list[int]) -> None:
    """Statement 46: the lock is free for another process while this one lives on."""
    save_record(FileStore(tmp_path / "store"), TOKEN, "text")
    with Elsewhere(f"{OPEN}('file:{tmp_path / 'store'}', Path('{tmp_path}'))") as process:
        assert process("lock", TOKEN, 0) is None
    assert share_that_goes_away


def test_a_late_save_gives_its_lock_back_too(
    tmp_path: Path, share_that_goes_away: list[int], capfd: pytest.CaptureFixture[str]
) -> None:
    """Statement 46: the thread that waits for a keyring that hangs frees the lock, and prints nothing."""
    keyring = SlowKeyring()
    keyrings = Keyrings(tmp_path, keyring, patience_seconds=0.2)
    keyring.hangs = True
    with pytest.raises(StoreUnavailable, match="within"):
        save_record(keyrings(), TOKEN, "late")
    with pytest.raises(LockBusy), keyrings().lock(TOKEN, 0):
        pass
    keyring.go.set()
    wait_until(lambda: bool(share_that_goes_away))
    with keyrings().lock(TOKEN, 20):
        assert keyring.held == {f"withings-auth/{TOKEN}": "late"}
    assert capfd.readouterr() == ("", "")


def test_a_renewed_token_is_handed_out(desk: Desk, share_that_goes_away: list[int]) -> None:
    """Statement 46: the caller gets the token that was saved, and so does the next one."""
    expired = desk.put_login(age=10_800).access_token
    store = FileStore(desk.directory)
    token = TokenSource(store=store).access_token()
    assert share_that_goes_away
    assert TokenSource(store=store).access_token() == token != expired
