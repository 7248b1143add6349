"""The fixtures that a store's author writes, and what the promises share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NoReturn, TypeVar

import pytest

from withings_auth.store.base import SecretStore
from withings_auth.threads import StillRunning, Worker

T = TypeVar("T")
Open = Callable[[], SecretStore]

TOKEN = "token/default"  # noqa: S105  a name
OTHER = "token/of.some-body_2"
APP = "app/0123456789abcdef"


class Fixtures:
    """The fixtures that a subclass overrides, and `without`: what it cannot provide, each with the reason."""

    without: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def store(self) -> SecretStore:
        """A store that is empty at first."""
        pytest.fail(f"{type(self).__name__} needs a fixture `store` that opens the store", pytrace=False)

    @pytest.fixture
    def opening(self) -> str | None:
        """Python code that opens the same place in another process, as `store`."""
        return None if "opening" in self.without else self.missing("opening")

    @pytest.fixture
    def unavailable(self) -> SecretStore:
        """A store that cannot be reached."""
        self.missing("unavailable")

    @pytest.fixture
    def forgetful(self) -> SecretStore:
        """A store that accepts what is saved and does not keep it."""
        self.missing("forgetful")

    @pytest.fixture
    def another(self, store: SecretStore, opening: str | None) -> Open:
        """A function that opens the same place again; it returns the same object if that object is the place."""

        def open_again() -> SecretStore:
            names: dict[str, SecretStore] = {"store": store}
            exec(opening or "", names)  # noqa: S102  the code comes from the test itself
            return names["store"]

        return open_again

    def missing(self, name: str) -> NoReturn:
        """Skips with the subclass's reason, or fails if it gave none."""
        if name in self.without:
            pytest.skip(f"{type(self).__name__} is without `{name}`: {self.without[name]}")
        pytest.fail(
            f"{type(self).__name__} needs a fixture `{name}`, or a reason: without = {{{name!r}: '…'}}", pytrace=False
        )


def in_thread(function: Callable[[], T], *, seconds: float = 20) -> T:
    """Calls the function in another thread and returns its result; fails the test if there is none in time."""
    worker = Worker("a store under test")
    try:
        return worker.do(function, seconds=seconds)
    except StillRunning:
        pytest.fail(f"the store did not return within {seconds:g} seconds", pytrace=False)
    finally:
        worker.close()


def save(store: SecretStore, name: str, *texts: str) -> None:
    """Saves the texts, one after another, under the name's lock."""
    with store.lock(name, 20) as held:
        for text in texts:
            held.save(text)


def clear(store: SecretStore, name: str) -> bool:
    """Clears the name under its lock."""
    with store.lock(name, 20) as held:
        return held.clear()


def hold(store: SecretStore, name: str, timeout: float) -> None:
    """Locks the name and releases it."""
    with store.lock(name, timeout):
        pass
