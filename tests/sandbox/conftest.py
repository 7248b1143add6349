"""The fixtures of the sandbox's tests: Withings on a bench, a running sandbox, and servers around it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import pytest

from tests.sandbox.bench import REDIRECT_URI, Bench
from tests.sandbox.servers import Callback, Caller, Elsewhere
from withings_auth.sandbox import Sandbox, Switches

if TYPE_CHECKING:
    from collections.abc import Iterator


class MakeBench(Protocol):
    """The type of `make_bench`."""

    def __call__(self, *, redirect_uri: str = REDIRECT_URI, **switches: object) -> Bench: ...


@pytest.fixture
def make_bench() -> MakeBench:
    """`make_bench(denial="with_state", redirect_uri="http://localhost:8000/cb")`: with switches or another app."""

    def make(*, redirect_uri: str = REDIRECT_URI, **switches: object) -> Bench:
        return Bench(Switches().turn(**switches), (redirect_uri,))

    return make


@pytest.fixture
def bench(make_bench: MakeBench) -> Bench:
    """Withings with every switch at its default."""
    return make_bench()


@pytest.fixture
def served() -> Iterator[Caller]:
    """A running sandbox, and a program that calls it."""
    with Sandbox() as sandbox:
        yield Caller(sandbox)


@pytest.fixture
def callback() -> Iterator[Callback]:
    """The app that a browser is sent back to."""
    with Callback() as server:
        yield server


@pytest.fixture
def elsewhere() -> Iterator[Elsewhere]:
    """A server that redirects, or keeps its visitors waiting."""
    with Elsewhere() as server:
        yield server
