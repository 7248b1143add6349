"""A keyring that fails, lies or hangs, or is a plug-in: a clear error in time; nothing is lost or leaked."""

from __future__ import annotations

import subprocess
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest
from keyring.backend import KeyringBackend
from keyring.backends.fail import Keyring as FailKeyring
from keyring.backends.null import Keyring as NullKeyring
from keyring.errors import InitError, KeyringLocked, NoKeyringError

from tests.store.keyrings import (
    CuttingKeyring,
    FailingKeyring,
    ForgettingKeyring,
    Keyrings,
    MemoryKeyring,
    SlowKeyring,
    StubbornKeyring,
)
from tests.support.stores import clear_record, save_record
from withings_auth.errors import StoreError, StoreNotDurable, StoreUnavailable
from withings_auth.store.base import HeldName, SecretStore

TOKEN = "token/default"
SERVICE = "withings-auth/token/default"
SECRET = "0123456789abcdef0123456789abcdef01234567"
RECORD = f'{{"version":1,"access_token":"{SECRET}"}}'

# keyring leaves their constructors untyped
FAIL: Callable[[], KeyringBackend] = FailKeyring
NULL: Callable[[], KeyringBackend] = NullKeyring

USES: dict[str, Callable[[SecretStore, HeldName], object]] = {
    "load": lambda store, _: store.load(TOKEN),
    "save": lambda _, held: held.save(RECORD),
    "clear": lambda _, held: held.clear(),
}
DOING = {"load": "read", "save": "save", "clear": "remove"}
every_use = pytest.mark.parametrize("use", USES.values(), ids=USES)


class ItemNotFoundException(Exception):
    """What secretstorage raises if an item has just gone."""


class ForeignError(Exception):
    """Like an error of pywintypes: neither an OSError nor a KeyringError."""


FOREIGN: dict[str, Callable[[str], Exception]] = {
    "its own": lambda _: ForeignError(1312, "CredRead", "\x1b[31mno session\u202e"),
    "nothing to say": lambda _: RuntimeError(),
    "a refused connection": lambda _: ConnectionRefusedError(111, "Connection refused"),
    "a missing file": lambda _: FileNotFoundError(2, "No such file or directory", "/run/user/0/bus"),
    "a time-out of its own": lambda _: TimeoutError("the bus did not answer"),
    "an assertion": lambda _: AssertionError("unexpected"),
    "locked": lambda _: KeyringLocked("Failed to unlock the collection!"),
    "none": lambda _: NoKeyringError("No recommended backend was available."),
    "no collection": lambda _: InitError("Failed to create the collection: ."),
}


class TestFailing:
    @every_use
    @pytest.mark.parametrize("make", FOREIGN.values(), ids=FOREIGN)
    def test_every_foreign_error_becomes_ours(
        self, tmp_path: Path, make: Callable[[str], Exception], use: Callable[[SecretStore, HeldName], object]
    ) -> None:
        """Statements 23, 35: exit code 5, one escaped line, a remedy, and the cause kept for debugging."""
        store = Keyrings(tmp_path, FailingKeyring(make))()
        with pytest.raises(StoreUnavailable) as failed, store.lock(TOKEN, 1) as held:
            use(store, held)
        assert failed.value.exit_code == 5
        assert str(failed.value).isprintable()
        assert failed.value.hint
        assert type(failed.value.__cause__) is type(make(""))

    @pytest.mark.parametrize(("name", "doing"), DOING.items())
    def test_it_is_said_what_failed(self, tmp_path: Path, name: str, doing: str) -> None:
        store = Keyrings(tmp_path, FailingKeyring(lambda _: RuntimeError("odd")))()
        with pytest.raises(StoreUnavailable) as failed, store.lock(TOKEN, 1) as held:
            USES[name](store, held)
        assert str(failed.value) == f"the test's keyring failed to {doing} a record: odd"

    def test_a_keyrings_own_time_out_is_not_taken_for_a_call_that_still_runs(self, tmp_path: Path) -> None:
        """A call that raised a TimeoutError has ended: the next one is made."""
        keyring = FailingKeyring(lambda _: TimeoutError("the bus did not answer"))
        store = Keyrings(tmp_path, keyring)()
        with store.lock(TOKEN, 1):
            with pytest.raises(StoreUnavailable, match="the bus did not answer"):
                store.load(TOKEN)
            with pytest.raises(StoreUnavailable, match="the bus did not answer"):
                store.load(TOKEN)

    @pytest.mark.parametrize(
        "make",
        [
            lambda secret: subprocess.CalledProcessError(1, ["pass", "insert", "-e", secret]),
            lambda secret: ValueError(f"cannot keep {secret!r}"),
            lambda secret: ForeignError("token", SECRET) if secret else ForeignError(),
        ],
    )
    def test_a_foreign_error_cannot_let_the_record_out(self, tmp_path: Path, make: Callable[[str], Exception]) -> None:
        """Statement 23: if a plug-in's error repeats the secret, neither our message nor the traceback shows it."""

        class FailsToSave(FailingKeyring):
            def happens(self, secret: str = "") -> None:
                if secret:
                    super().happens(secret)

        store = Keyrings(tmp_path, FailsToSave(make))()
        with pytest.raises(StoreUnavailable, match="Error") as failed:
            save_record(store, TOKEN, RECORD)
        assert SECRET not in str(failed.value) + failed.value.hint + repr(failed.value)
        assert SECRET not in "".join(traceback.format_exception(failed.value))

    def test_a_state_directory_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        """If the index cannot be written, the error says so instead of blaming the keyring."""
        (tmp_path / "token").write_text("a file where a directory must be")
        with pytest.raises(StoreUnavailable, match=r"cannot use .*token") as failed:
            save_record(Keyrings(tmp_path)(), TOKEN, RECORD)
        assert "on a disk with free space" in failed.value.hint

    def test_a_state_directory_that_cannot_be_written_hides_no_record(self, tmp_path: Path) -> None:
        """A token is read although the index cannot be repaired."""
        keyrings = Keyrings(tmp_path / "state")
        save_record(keyrings(), TOKEN, RECORD)
        (tmp_path / "state").rename(tmp_path / "gone")
        (tmp_path / "state").touch()
        assert keyrings().load(TOKEN) == RECORD


class TestLying:
    @pytest.mark.parametrize("keyring", [ForgettingKeyring, NULL, CuttingKeyring])
    def test_a_save_counts_only_when_it_reads_back(self, tmp_path: Path, keyring: Callable[[], KeyringBackend]) -> None:
        """Statement 29: a keyring that forgets or truncates a record is noticed at once; exit code 5."""
        with pytest.raises(StoreNotDurable) as failed:
            save_record(Keyrings(tmp_path, keyring())(), TOKEN, RECORD)
        assert failed.value.exit_code == 5

    @pytest.mark.parametrize("spare", [None, RECORD])
    def test_half_a_record_does_not_stay_where_there_was_none(self, tmp_path: Path, spare: str | None) -> None:
        """Statement 30: it would hide the spare record, which is the only copy after a crash."""
        keyring = CuttingKeyring()
        keyring.held = {} if spare is None else {f"{SERVICE}.next": spare}
        keyrings = Keyrings(tmp_path, keyring, replaces_by_deleting=True)
        with pytest.raises(StoreNotDurable):
            save_record(keyrings(), TOKEN, RECORD.upper())
        assert keyrings().load(TOKEN) == spare

    def test_a_removal_counts_only_when_it_is_gone(self, tmp_path: Path) -> None:
        """Statement 34: a logout is an error if the keyring still has the record."""
        keyrings = Keyrings(tmp_path, StubbornKeyring())
        save_record(keyrings(), TOKEN, RECORD)
        with pytest.raises(StoreUnavailable, match="still holds"):
            clear_record(keyrings(), TOKEN)
        assert keyrings().names() == [TOKEN]

    def test_the_backend_that_refuses_all_is_no_usable_keyring(self, tmp_path: Path) -> None:
        """keyring's fail backend counts as no keyring."""
        with pytest.raises(StoreUnavailable, match="no usable keyring"):
            Keyrings(tmp_path, FAIL())().load(TOKEN)

    @pytest.mark.parametrize(
        "error", [InitError("Failed to create the collection: Prompt dismissed.."), ItemNotFoundException("no item")]
    )
    @every_use
    def test_a_call_is_repeated_if_something_was_missing(
        self, tmp_path: Path, use: Callable[[SecretStore, HeldName], object], error: Exception
    ) -> None:
        """A keyring may have no collection, or not the item, for a moment; no save may be lost to that."""

        class Lapsing(MemoryKeyring):
            missing = False

            def happens(self, secret: str = "") -> None:  # noqa: ARG002  as the base class has it
                if self.missing:
                    self.missing = False
                    raise error

        keyring = Lapsing()
        store = Keyrings(tmp_path, keyring)()
        save_record(store, TOKEN, RECORD)
        keyring.missing = True
        with store.lock(TOKEN, 1) as held:
            use(store, held)
        assert not keyring.missing
        assert store.load(TOKEN) == (None if use is USES["clear"] else RECORD)

    def test_each_save_asks_the_keyring_once(self, tmp_path: Path) -> None:
        """One set_password per save, so that the user is asked at most once."""
        keyring = MemoryKeyring()
        store = Keyrings(tmp_path, keyring)()
        for number in range(3):
            save_record(store, TOKEN, f"{RECORD}{number}")
        assert keyring.asked == [("set", SERVICE)] * 3


class TestHanging:
    @every_use
    def test_no_wait_is_longer_than_its_limit(
        self, tmp_path: Path, use: Callable[[SecretStore, HeldName], object]
    ) -> None:
        """Statement 32: a keyring that hangs is an error within the time limit, with and without the lock."""
        keyring = SlowKeyring()
        keyring.hangs = True
        store = Keyrings(tmp_path, keyring, patience_seconds=0.2)()
        began = time.monotonic()
        for name in (TOKEN, "token/other"):
            with pytest.raises(StoreError, match="within 0 seconds"), store.lock(name, 1) as held:
                use(store, held)
        assert 0.35 < time.monotonic() - began < 60
        keyring.go.set()

    def test_after_one_call_that_hangs_no_other_is_tried_under_that_lock(self, tmp_path: Path) -> None:
        """Statement 32: the waits of one transaction do not add up."""
        keyring = SlowKeyring()
        keyring.hangs = True
        store = Keyrings(tmp_path, keyring, patience_seconds=3)()
        began = time.monotonic()
        with store.lock(TOKEN, 1) as held:
            for name, use in USES.items():
                with pytest.raises(StoreUnavailable, match=f"the test's keyring did not {DOING[name]} a record within"):
                    use(store, held)
        assert time.monotonic() - began < 8.5
        keyring.go.set()


def test_without_threads_a_keyring_is_used_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the limit of `ulimit -u`, or in Python 3.12 once the main thread has ended; no lock is kept."""
    keyrings = Keyrings(tmp_path)

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with keyrings().lock(TOKEN, 1) as held, monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        held.save(RECORD)
        assert keyrings().load(TOKEN) == RECORD
        assert held.clear() is True
        with keyrings().lock("token/other", 1) as other:
            other.save(RECORD)
            assert other.clear() is True
    with keyrings().lock("token/other", 0.2):
        pass
