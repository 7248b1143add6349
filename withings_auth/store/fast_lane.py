"""Looks for a record in the Secret Service over D-Bus, with jeepney alone.

Loading keyring, what it is made of and its cryptography takes several times as long as this. It is only for a record
that was saved in the Secret Service, or for one that was never saved, if keyring would choose that service (again). It
gives way to keyring at the slightest surprise: the keyring is locked or does not answer, there is another collection or
item with the record, or an error. The record passes the user's own bus as it is, in a session without encryption: only
a program that could read it anyway can listen there.
"""

from __future__ import annotations

import os
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Call = Callable[..., tuple[Any, ...]]

DESCRIPTION = "the keyring of this desktop (Secret Service)"
SAVED_IN = "Secret Service"  # what a stamp says of a record that was saved there
SERVICE_PREFIX = "withings-auth/"
USERNAME = "withings-auth"
PATIENCE_SECONDS = 3.0
LOOK_AGAIN_SECONDS = 0.01
_SERVICE = "org.freedesktop.secrets"
_ROOT = "/org/freedesktop/secrets"
_OURS = ("", "keyring.backends.SecretService.Keyring")

_gave_way = False


def read_fast(state: str, name: str) -> str | None:
    """Returns the record under this name; None if keyring has to look for it.

    `state` is the directory with the stamps. Once this has given way, it is out of the way for good: what keyring has
    loaded by then, it need not load again.
    """
    return _ask(_read, name) if not _gave_way and _is_usable(state, name, os.environ) else None


def has_none(state: str, name: str) -> bool:
    """Whether there is certainly no record under this name, and the keyring is open; if not, keyring has to look.

    Only if none was ever saved here: one without a stamp is for keyring, which makes the stamp.
    """
    return not _gave_way and _is_usable(state, name, os.environ, None) and _ask(_find_none, name) is not None


def _is_usable(state: str, name: str, environ: Mapping[str, str], saved_in: str | None = SAVED_IN) -> bool:
    """Whether the stamp says that (None: there is none), and keyring would look in the Secret Service."""
    if not _is_chosen(environ):
        return False
    from withings_auth.store.own_files import Unusual, read_own

    try:
        return read_own(f"{state}/{name}.stamp") == saved_in
    except (OSError, Unusual):
        return False


def _is_chosen(environ: Mapping[str, str]) -> bool:
    """Whether keyring would choose the Secret Service, if that answers."""
    if sys.platform != "linux" or environ.get("PYTHON_KEYRING_BACKEND", "") not in _OURS:
        return False
    # There, keyring prefers KWallet.
    if "KDE" in environ.get("XDG_CURRENT_DESKTOP", "").split(":"):
        return False
    if any(variable.startswith("KEYRING_PROPERTY_") for variable in environ):
        return False
    settings = environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111  as keyring looks
    return not os.path.lexists(f"{settings}/python_keyring/keyringrc.cfg")


def _ask(question: Callable[[Call, Mapping[str, str]], str | None], name: str) -> str | None:
    """Returns the answer to a question about the records with this name; gives way if it is None."""
    global _gave_way  # noqa: PLW0603  about what this process has loaded
    try:
        answer = _connected(
            _address(os.environ), question, {"service": f"{SERVICE_PREFIX}{name}", "username": USERNAME}
        )
    except Exception:  # noqa: BLE001  whatever it is, keyring will meet it too, and knows what to say
        answer = None
    _gave_way = answer is None
    return answer


def _address(environ: Mapping[str, str]) -> str:
    """Returns the address of the bus. Raises LookupError if there is none."""
    if named := environ.get("DBUS_SESSION_BUS_ADDRESS"):
        return named
    from withings_auth.store.session_bus import session_bus_address

    address = session_bus_address(environ)
    if address is None:
        raise LookupError
    return address


def wait_for_turn(connect: Callable[[], Any]) -> Any:
    """Connects to the bus; waits while its queue is full, as it is when hundreds of programs start at once."""
    give_up_at = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return connect()
        except BlockingIOError:
            if time.monotonic() > give_up_at:
                raise
            time.sleep(LOOK_AGAIN_SECONDS)


def _connected(
    address: str, question: Callable[[Call, Mapping[str, str]], str | None], attributes: Mapping[str, str]
) -> str | None:
    """Asks the question over a connection of its own. Raises what jeepney raises."""
    from jeepney import DBusAddress, new_method_call  # type: ignore[import-untyped]  # it has no types
    from jeepney.bus import get_bus  # type: ignore[import-untyped]  # as above
    from jeepney.io.blocking import DBusConnection, prep_socket  # type: ignore[import-untyped]  # as above
    from jeepney.wrappers import unwrap_msg  # type: ignore[import-untyped]  # as above

    give_up_at = time.monotonic() + PATIENCE_SECONDS

    class Impatient(DBusConnection):  # type: ignore[misc]  # it has no types
        """Waits until then and no longer, for an answer to its greeting too."""

        def receive(self, *, timeout: float | None = None) -> object:  # noqa: ARG002  all have the same
            return super().receive(timeout=give_up_at - time.monotonic())

    def connect() -> Any:
        return prep_socket(get_bus(address), timeout=PATIENCE_SECONDS)

    with wait_for_turn(connect) as socket, Impatient(socket) as bus:

        def call(path: str, interface: str, method: str, signature: str, *body: object) -> tuple[Any, ...]:
            to = DBusAddress(path, _SERVICE, f"org.freedesktop.{interface}")
            answer: tuple[Any, ...] = unwrap_msg(bus.send_and_get_reply(new_method_call(to, method, signature, body)))
            return answer

        return question(call, attributes)


def _read(call: Call, attributes: Mapping[str, str]) -> str | None:
    """Returns the only record with these attributes; None if there are none or several."""
    unlocked, locked = call(_ROOT, "Secret.Service", "SearchItems", "a{ss}", attributes)
    if locked or [item.rpartition("/")[0] for item in unlocked] != [_default_collection(call)]:
        return None
    _, session = call(_ROOT, "Secret.Service", "OpenSession", "sv", "plain", ("s", ""))
    ((_, encryption, secret, _),) = call(unlocked[0], "Secret.Item", "GetSecret", "o", session)
    return None if encryption else secret.decode("utf-8")


def _find_none(call: Call, attributes: Mapping[str, str]) -> str | None:
    """Returns nothing, in an empty text, if no record has these attributes and the default collection is open."""
    if call(_ROOT, "Secret.Service", "SearchItems", "a{ss}", attributes) != ([], []):
        return None
    collection = _default_collection(call)  # "/" if there is none, which has no such property
    ((_, locked),) = call(collection, "DBus.Properties", "Get", "ss", "org.freedesktop.Secret.Collection", "Locked")
    return None if locked else ""


def _default_collection(call: Call) -> str:
    (path,) = call(_ROOT, "Secret.Service", "ReadAlias", "s", "default")
    return str(path)
