"""What the author of a store gives to its tests, and what they say when something was not given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar, NoReturn, TypeVar

import pytest

from withings_auth.store.base import SecretStore
from withings_auth.threads import StillRunning, Worker

T = TypeVar("T")

TOKEN = "token/default"  # noqa: S105  a name
OTHER = "token/of.some-body_2"
APP = "app/0123456789abcdef"


class Given:
    """The fixtures that a subclass overrides, and `without`: what it cannot give, each with the reason."""

    without: ClassVar[Mapping[str, str]] = {}

    @pytest.fixture
    def store(self) -> SecretStore:
        """A store over a place that is empty at first."""
        pytest.fail(f"{type(self).__name__} has no fixture `store`, which opens the store", pytrace=False)

    @pytest.fixture
    def opening(self) -> str | None:
        """Python that opens the same place in another process, as `store`; None where no other process can."""
        if "opening" not in self.without:
            self.missing("opening")
        return None

    @pytest.fixture
    def unavailable(self) -> SecretStore:
        """A store whose place cannot be asked."""
        self.missing("unavailable")

    @pytest.fixture
    def forgetful(self) -> SecretStore:
        """A store whose place accepts what is saved and does not keep it."""
        self.missing("forgetful")

    @pytest.fixture
    def another(self, store: SecretStore, opening: str | None) -> Callable[[], SecretStore]:
        """A function that opens the same place with another object, or the same where the object is the place."""
        if opening is None:
            return lambda: store
        return lambda: opened(opening)

    def missing(self, name: str) -> NoReturn:
        """Skips with the reason that the subclass gave, or fails where it gave none."""
        if name in self.without:
            pytest.skip(f"{type(self).__name__} is without `{name}`: {self.without[name]}")
        pytest.fail(
            f"{type(self).__name__} has no fixture `{name}`; give it, or the reason: without = {{{name!r}: '…'}}",
            pytrace=False,
        )


def opened(opening: str) -> SecretStore:
    """Opens the store in this process, by the code that opens it in others."""
    names: dict[str, SecretStore] = {}
    exec(opening, names)  # noqa: S102  the code comes from the test itself
    return names["store"]


def in_time(function: Callable[[], T], *, seconds: float = 20) -> T:
    """Calls the function in another thread and returns its answer; fails the test where none comes."""
    worker = Worker("a store under test")
    try:
        return worker.do(function, seconds=seconds)
    except StillRunning:
        pytest.fail(f"the store did not come back within {seconds:g} seconds", pytrace=False)
    finally:
        worker.close()


def save(store: SecretStore, name: str, text: str) -> None:
    """Saves the text under the lock of the name."""
    with store.lock(name, 20) as held:
        held.save(text)


def clear(store: SecretStore, name: str) -> bool:
    """Clears the name under its lock."""
    with store.lock(name, 20) as held:
        return held.clear()


def hold(store: SecretStore, name: str, timeout: float) -> None:
    """Takes the lock of the name and gives it back."""
    with store.lock(name, timeout):
        pass
