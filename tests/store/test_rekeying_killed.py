"""A rekeying can be killed at any step and run again; machines that have both keys read and save all the while."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from tests.support.programs import Cli
from tests.support.sealing import WrappedSealable, fill, is_whole, sealed_files, sealed_memory, sealing
from tests.support.stores import save_record
from withings_auth.store.base import HeldName, Notes
from withings_auth.store.keys import Key, KeyPlace
from withings_auth.store.rekeying import look_at_keys, rekey
from withings_auth.store.sealed_store import SealedStore
from withings_auth.testing.elsewhere import Elsewhere


class Killed(BaseException):
    """As if the process had ended here."""


@dataclass
class Steps:
    """Ends the process before its step of this number."""

    last: int
    taken: Iterator[int] = field(default_factory=count)

    def take(self) -> None:
        if next(self.taken) == self.last:
            raise Killed


class Killable(WrappedSealable):
    """Counts everything that changes the store, or looks at it."""

    steps: Steps

    def load(self, name: str) -> str | None:
        self.steps.take()
        return super().load(name)

    def names(self) -> list[str]:
        self.steps.take()
        return super().names()

    def save(self, held: HeldName, name: str, text: str) -> None:
        self.steps.take()
        super().save(held, name, text)
        self.steps.take()

    def set_sealing_key(self, key_id: str) -> None:
        self.steps.take()
        super().set_sealing_key(key_id)

    def lock(self, name: str, timeout: float) -> AbstractContextManager[HeldName]:
        self.steps.take()
        return super().lock(name, timeout)

    def notes(self, held: HeldName) -> Notes:
        self.steps.take()
        return super().notes(held)


@dataclass
class KillableKeys:
    """The same for the keys."""

    inner: KeyPlace
    steps: Steps
    description: str = "the keys"

    def load(self) -> tuple[Key, ...]:
        self.steps.take()
        return self.inner.load()

    def add(self, key: Key) -> bool:
        self.steps.take()
        added = self.inner.add(key)
        self.steps.take()
        return added

    def remove(self, key_id: str) -> bool:
        return self.inner.remove(key_id)


@contextmanager
def killed() -> Iterator[list[bool]]:
    was_killed: list[bool] = []
    try:
        yield was_killed
    except Killed:
        was_killed.append(True)


def test_a_rekeying_that_was_killed_at_any_step_is_finished_by_the_next() -> None:
    """Meanwhile the machine, and another one that has what it had, read everything; in the end there are two keys."""
    for last in count():
        store = fill(sealed_memory())
        old = sealing(store)
        inner, steps = Killable(store.inner), Steps(last)
        inner.steps = steps
        with killed() as was_killed:
            rekey(SealedStore(inner, KillableKeys(store.keys, steps)))
        store.look_for_keys()
        assert is_whole(store), f"after step {last}"
        save_record(store, "token/b", "of token/b")
        done = rekey(store) if was_killed else None
        ids = [key.id for key in store.keys.load()]
        assert len(ids) == 2, f"after step {last}"
        assert ids[0] == old
        assert done is None or done.left == {}
        assert look_at_keys(store).in_use == {ids[1]: 3}, f"after step {last}"
        assert is_whole(store)
        if not was_killed:
            break
    assert last > 20


def test_a_killed_process_is_followed_by_another(tmp_path: Path, python: Cli) -> None:
    """kill -9 between two records, in real files; a second process saves all the while."""
    store = sealed_files(tmp_path)
    for number in range(20):
        save_record(store, f"token/{number}", f"text {number}")
    opening = (
        "from pathlib import Path; from tests.support.sealing import sealed_files;"
        f" store = sealed_files(Path({str(tmp_path)!r}))"
    )
    halfway = (
        f"{opening}; import os, signal; from withings_auth.store.rekeying import rekey\n"
        "rekey(store, tell=lambda name: name == 'token/17' and os.kill(os.getpid(), signal.SIGKILL))"
    )
    with Elsewhere(opening) as other:
        other("save_in_a_thread", "token/x", "one text", "another")
        assert python(halfway).returncode == -signal.SIGKILL
        assert len(look_at_keys(store).in_use) == 2
        done = rekey(store)
        assert 0 < len(done.resealed) < 20
        other("end_threads")
    assert look_at_keys(store).in_use == {done.key_id: 21}
    assert [store.load(f"token/{number}") for number in range(20)] == [f"text {number}" for number in range(20)]
    assert store.load("token/x") in {"one text", "another"}
