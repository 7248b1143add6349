"""The fixtures that a store's author writes, and what the promises share."""

from __future__ import annotations

import os
from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import ExitStack
from typing import ClassVar, NoReturn, TypeVar

import pytest

from withings_auth.errors import LockBusy
from withings_auth.store.base import SecretStore, load_with_stamp
from withings_auth.testing.elsewhere import Elsewhere
from withings_auth.threads import StillRunning, Worker

T = TypeVar("T")
Open = Callable[[], SecretStore]
Start = Callable[[], Elsewhere]

TOKEN, OTHER, APP = "token/default", "token/of.some-body_2", "app/0123456789abcdef"
OLD, NEW = "old " * 200, "new " * 250
PATIENCE_SECONDS = 20.0


class Fixtures:
    """The fixtures that a subclass overrides, and `without`: what it cannot provide, each with the reason."""

    without: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def store(self) -> SecretStore:
        pytest.fail(f"{type(self).__name__} needs a fixture `store` that opens the store", pytrace=False)

    @pytest.fixture
    def opening(self) -> str | None:
        return None if "opening" in self.without else self.missing("opening")

    @pytest.fixture
    def unavailable(self) -> SecretStore:
        self.missing("unavailable")

    @pytest.fixture
    def forgetful(self) -> SecretStore:
        self.missing("forgetful")

    @pytest.fixture
    def another(self, store: SecretStore, opening: str | None) -> Open:
        """A function that opens the same place again; it returns the same object if that object is the place."""

        def open_again() -> SecretStore:
            names: dict[str, SecretStore] = {"store": store}
            exec(opening or "", names)  # noqa: S102  the code comes from the test itself
            return names["store"]

        return open_again

    @pytest.fixture
    def start(self, opening: str | None, store: SecretStore) -> Iterator[Start]:  # noqa: ARG002  `store` sets it up
        """A function that starts another process, with a store over the same place."""
        code = opening or self.missing("opening")
        with ExitStack() as running:
            yield lambda: running.enter_context(Elsewhere(code))

    @pytest.fixture
    def start_to_fork(self, start: Start) -> Start:
        """The same for a process that forks."""
        if not hasattr(os, "fork"):
            pytest.skip("this system has no fork")
        return self.missing("fork") if "fork" in self.without else start

    def missing(self, name: str) -> NoReturn:
        """Skips with the subclass's reason, or fails if it gave none."""
        own = type(self).__name__
        if name in self.without:
            pytest.skip(f"{own} is without `{name}`: {self.without[name]}")
        pytest.fail(f"{own} needs a fixture `{name}`, or a reason: without = {{{name!r}: '…'}}", pytrace=False)


def in_thread(function: Callable[[], T]) -> T:
    """Calls the function in another thread and returns its result; fails the test if there is none in time."""
    worker = Worker("a store under test")
    try:
        return worker.do(function, seconds=PATIENCE_SECONDS)
    except StillRunning:
        pytest.fail(f"the store did not return within {PATIENCE_SECONDS:g} seconds", pytrace=False)
    finally:
        worker.close()


def save(store: SecretStore, name: str, *texts: str) -> None:
    """Saves the texts, one after another, under the name's lock."""
    with store.lock(name, PATIENCE_SECONDS) as held:
        for text in texts:
            held.save(text)


def latest_stamp(store: SecretStore, name: str) -> Hashable:
    """Returns the stamp of what the name holds now; a store that must ask another machine for that asks it."""
    return load_with_stamp(store, name)[1]


def clear(store: SecretStore, name: str) -> bool:
    """Clears the name under its lock."""
    with store.lock(name, PATIENCE_SECONDS) as held:
        return held.clear()


def is_free(store: SecretStore, name: str, timeout: float = 1) -> bool:
    """Returns whether another thread gets the name's lock in time."""

    def lock() -> bool:
        try:
            with store.lock(name, timeout):
                return True
        except LockBusy:
            return False

    return in_thread(lock)
