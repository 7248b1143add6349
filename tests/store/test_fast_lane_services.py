"""The fast lane and Secret Services other than GNOME's: it reads the plain answer, and gives way to every other one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from jeepney import (  # type: ignore[import-untyped]  # jeepney has no types
    DBusAddress,
    HeaderFields,
    MessageType,
    new_error,
    new_method_call,
    new_method_return,
)
from jeepney.bus_messages import message_bus  # type: ignore[import-untyped]  # as above

from withings_auth.config.places import state_place
from withings_auth.store import fast_lane
from withings_auth.store.fast_lane import SAVED_IN, read_fast

if TYPE_CHECKING:
    from tests.support.keyring_daemon import Bus

STAMP = Path(".local/state/withings-auth/token/default.stamp")
COLLECTION = "/org/freedesktop/secrets/collection/login"
ITEM = f"{COLLECTION}/1"
SESSION = "/org/freedesktop/secrets/session/1"
USUAL: dict[str, tuple[str, tuple[object, ...]] | None] = {
    "SearchItems": ("aoao", ([ITEM], [])),
    "ReadAlias": ("o", (COLLECTION,)),
    "OpenSession": ("vo", (("s", ""), SESSION)),
    "GetSecret": ("(oayays)", ((SESSION, b"", b"text", "text/plain"),)),
}


@contextmanager
def service_that_answers(bus: Bus, answers: dict[str, tuple[str, tuple[object, ...]] | None]) -> Iterator[None]:
    """A Secret Service of few words; it refuses the calls whose answer is None."""

    def serve() -> None:
        while True:
            call = connection.receive(timeout=60)
            method = call.header.fields[HeaderFields.member]
            if method == "Stop":
                return
            if call.header.message_type is not MessageType.method_call:  # the bus says who has come or gone
                continue
            answer = answers[method]
            if answer is None:
                connection.send(new_error(call, "org.freedesktop.DBus.Error.NotSupported"))
            else:
                connection.send(new_method_return(call, *answer))

    with bus.connection() as connection:
        reply = connection.send_and_get_reply(message_bus.RequestName("org.freedesktop.secrets"), timeout=60)
        assert reply.header.message_type is MessageType.method_return
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield
        with bus.connection() as other:
            other.send(new_method_call(DBusAddress("/", "org.freedesktop.secrets"), "Stop"))
            thread.join(60)


@pytest.mark.parametrize(
    ("call", "answer", "text"),
    [
        ("SearchItems", USUAL["SearchItems"], "text"),
        ("SearchItems", ("aoao", ([ITEM], [f"{COLLECTION}/2"])), None),
        ("SearchItems", ("aoao", ([], [ITEM])), None),
        ("SearchItems", ("aoao", ([ITEM, f"{COLLECTION}/2"], [])), None),
        ("SearchItems", None, None),
        ("ReadAlias", ("o", ("/",)), None),
        ("ReadAlias", ("o", ("/org/freedesktop/secrets/collection/other",)), None),
        ("OpenSession", None, None),
        ("GetSecret", None, None),
        ("GetSecret", ("(oayays)", ((SESSION, b"iv", b"text", "text/plain"),)), None),
        ("GetSecret", ("s", ("text",)), None),
    ],
)
def test_what_is_read(
    bus_without_secret_service: Bus,
    monkeypatch: pytest.MonkeyPatch,
    call: str,
    answer: tuple[str, tuple[object, ...]] | None,
    text: str | None,
) -> None:
    """None if it wants encryption, asks for anything, or has more than the one item."""
    monkeypatch.setattr(fast_lane, "_gave_way", False)
    bus_without_secret_service.enter(monkeypatch)
    stamp = Path.home() / STAMP
    for directory in reversed([stamp.parent, *stamp.parent.parents][:2]):
        directory.mkdir(mode=0o700, parents=True)
    stamp.write_text(SAVED_IN)
    stamp.chmod(0o600)
    with service_that_answers(bus_without_secret_service, USUAL | {call: answer}):
        assert read_fast(state_place(), "token/default") == text
