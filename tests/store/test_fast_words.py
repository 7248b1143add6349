"""What the fast lane asks the bus, word by word, and how long it waits, without any bus."""

from __future__ import annotations

import runpy
from collections.abc import Callable, Mapping
from types import SimpleNamespace, TracebackType
from typing import Any, Self

import jeepney.io.blocking  # type: ignore[import-untyped]  # it has no types
import pytest

from withings_auth.store import fast_lane, session_bus
from withings_auth.store.fast_lane import (
    _address,
    _ask,
    _connected,
    _find_none,
    _read,
    has_none,
    read_fast,
    wait_for_turn,
)

ATTRIBUTES = {"service": "withings-auth/token/default", "username": "withings-auth"}
ROOT = "/org/freedesktop/secrets"
LOGIN, SESSION = f"{ROOT}/collection/login", f"{ROOT}/session/1"
ITEM, OTHER = f"{LOGIN}/1", f"{LOGIN}/2"
SEARCH = (ROOT, "Secret.Service", "SearchItems", "a{ss}", ATTRIBUTES)
ALIAS = (ROOT, "Secret.Service", "ReadAlias", "s", "default")
OPEN = (ROOT, "Secret.Service", "OpenSession", "sv", "plain", ("s", ""))
GET = (ITEM, "Secret.Item", "GetSecret", "o", SESSION)
IS_LOCKED = (LOGIN, "DBus.Properties", "Get", "ss", "org.freedesktop.Secret.Collection", "Locked")


class Clock:
    """A clock that only sleep moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.wakes_at: float | None = None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now = self.now + seconds if self.wakes_at is None else self.wakes_at
        self.wakes_at = None


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(fast_lane, "time", clock)
    return clock


def answering(*dialogue: tuple[tuple[object, ...], tuple[object, ...]]) -> Callable[..., tuple[Any, ...]]:
    """Makes calls that must be these, in this order."""
    left = list(dialogue)

    def call(*asked: object) -> tuple[Any, ...]:
        expected, answer = left.pop(0)
        assert asked == expected
        return answer

    return call


@pytest.mark.parametrize(
    ("found", "collection", "secret", "text"),
    [
        (([ITEM], []), LOGIN, (SESSION, b"", "ä".encode(), "text/plain"), "ä"),
        (([ITEM], []), LOGIN, (SESSION, b"iv", b"text", "text/plain"), None),
        (([ITEM], [OTHER]), LOGIN, None, None),
        (([ITEM, OTHER], []), LOGIN, None, None),
        (([], []), LOGIN, None, None),
        (([ITEM], []), f"{ROOT}/collection/other", None, None),
    ],
)
def test_only_a_record_alone_is_read(
    found: tuple[object, ...], collection: str, secret: tuple[object, ...] | None, text: str | None
) -> None:
    rest = () if secret is None else ((OPEN, (("s", ""), SESSION)), (GET, (secret,)))
    assert _read(answering((SEARCH, found), (ALIAS, (collection,)), *rest), ATTRIBUTES) == text


@pytest.mark.parametrize(
    ("found", "locked", "answer"),
    [(([], []), False, ""), (([], []), True, None), (([ITEM], []), False, None), (([], [ITEM]), False, None)],
)
def test_none_is_none_only_in_an_open_keyring(found: tuple[object, ...], locked: bool, answer: str | None) -> None:
    dialogue = (SEARCH, found), (ALIAS, (LOGIN,)), (IS_LOCKED, (("b", locked),))
    assert _find_none(answering(*dialogue), ATTRIBUTES) == answer


def test_it_has_not_given_way_at_first_and_loads_nothing_that_only_the_type_checker_needs() -> None:
    loaded = runpy.run_path(fast_lane.__file__)
    assert (loaded["_gave_way"], "Callable" in loaded) == (False, False)


def test_a_full_queue_is_waited_for(clock: Clock) -> None:
    """For three seconds."""
    tries: list[float] = []

    def connect() -> str:
        tries.append(clock.now)
        if clock.now < until:
            raise BlockingIOError
        return "connected"

    until = 100.015
    assert wait_for_turn(connect) == "connected"
    assert tries == pytest.approx([100, 100.01, 100.02])
    clock.now, until = 100.0, 1000.0
    with pytest.raises(BlockingIOError):
        wait_for_turn(connect)
    assert 103 < clock.now < 103.03
    clock.now, until = 100.0, 103.005
    clock.wakes_at = 103.0  # which is not too late
    assert wait_for_turn(connect) == "connected"


@pytest.mark.usefixtures("home")
class TestAsking:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
        """What was asked over a connection; `answers` has what comes back, or is raised."""
        asked: list[tuple[object, ...]] = []

        def connected(address: str, question: object, attributes: Mapping[str, str]) -> str | None:
            asked.append((address, question, attributes))
            answer = self.answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        self.answers: list[str | Exception | None] = []
        monkeypatch.setattr(fast_lane, "_connected", connected)
        monkeypatch.setattr(fast_lane, "_gave_way", False)
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/x")
        return asked

    def test_the_question_is_about_the_record(self, asked: list[tuple[object, ...]]) -> None:
        self.answers = ["text"]
        assert _ask(_read, "token/default") == "text"
        assert asked == [("unix:path=/x", _read, ATTRIBUTES)]
        assert fast_lane._gave_way is False

    @pytest.mark.parametrize("surprise", [None, OSError("gone"), LookupError(), ValueError()])
    def test_it_gives_way_for_good(
        self, asked: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch, surprise: Exception | None
    ) -> None:
        """Even an empty record is one."""
        usable: list[tuple[object, ...]] = []

        def is_usable(*given: object) -> bool:
            usable.append(given[:2] + given[3:])
            return True

        monkeypatch.setattr(fast_lane, "_is_usable", is_usable)
        self.answers = ["", "", "", surprise]
        assert read_fast("state", "token/default") == ""
        assert has_none("state", "token/default") is True
        assert usable == [("state", "token/default"), ("state", "token/default", None)]
        assert [question for _, question, _ in asked] == [_read, _find_none]
        assert has_none("state", "token/default") is True
        assert has_none("state", "token/default") is False
        assert (read_fast("state", "token/default"), has_none("state", "token/default")) == (None, False)
        assert len(asked) == 4

    def test_nobody_is_asked_if_keyring_would_look_elsewhere(
        self, asked: list[tuple[object, ...]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(fast_lane, "_is_usable", lambda *_: False)
        assert (read_fast("state", "token/default"), has_none("state", "token/default")) == (None, False)
        assert asked == []
        assert fast_lane._gave_way is False

    def test_the_bus_is_the_one_that_is_named_or_the_users(self, monkeypatch: pytest.MonkeyPatch) -> None:
        environ = {"A": "b"}

        def find(given: Mapping[str, str]) -> str | None:
            assert given is environ
            return found

        monkeypatch.setattr(session_bus, "session_bus_address", find)
        found: str | None = "unix:path=/user"
        assert _address({"DBUS_SESSION_BUS_ADDRESS": "unix:path=/x"}) == "unix:path=/x"
        assert _address(environ) == "unix:path=/user"
        found = None
        with pytest.raises(LookupError):
            _address(environ)


def test_all_answers_together_take_three_seconds(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each wait ends when the first one would, and the connection is closed."""
    waits: list[float] = []
    closed: list[str] = []
    sent: list[Any] = []

    class Closing:
        def __enter__(self) -> Self:
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            closed.append(type(self).__name__)

    class Socket(Closing):
        pass

    class Connection(Closing):
        def __init__(self, socket: Socket) -> None:
            assert socket is made[0]
            self.receive()

        def receive(self, *, timeout: float | None = None) -> object:
            assert timeout is not None
            waits.append(timeout)
            return None

        def send_and_get_reply(self, message: Any) -> object:
            sent.append(message)
            clock.sleep(1)
            self.receive()
            return SimpleNamespace(header=SimpleNamespace(message_type=None), body=("answer",))

    made: list[Socket] = []

    def prepare(address: object, *, timeout: float) -> Socket:
        assert (address, timeout) == ("/of/a/socket", 3)
        made.append(Socket())
        return made[0]

    monkeypatch.setattr(jeepney.io.blocking, "prep_socket", prepare)
    monkeypatch.setattr(jeepney.io.blocking, "DBusConnection", Connection)

    def ask(call: Callable[..., tuple[Any, ...]], attributes: Mapping[str, str]) -> str:
        assert attributes is ATTRIBUTES
        return "".join(call("/path", "Secret.Item", "Method", "ss", "a", "b") + call("/path", "X", "Y", "s", "c"))

    assert _connected("unix:path=/of/a/socket", ask, ATTRIBUTES) == "answeranswer"
    assert waits == [3, 2, 1]
    assert closed == ["Impatient", "Socket"]
    fields = [{name.name: value for name, value in message.header.fields.items()} for message in sent]
    to = {"path": "/path", "destination": "org.freedesktop.secrets"}
    assert fields == [
        {**to, "interface": "org.freedesktop.Secret.Item", "member": "Method", "signature": "ss"},
        {**to, "interface": "org.freedesktop.X", "member": "Y", "signature": "s"},
    ]
    assert [message.body for message in sent] == [("a", "b"), ("c",)]
