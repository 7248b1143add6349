"""Chooses the keyring: one that protects its records, or the one that the user named.

keyring itself would use whatever is installed, even a base64 file, and start every backend that it finds. Here only
the backends known to protect are tried; any other must be named in `PYTHON_KEYRING_BACKEND` or keyringrc.cfg.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from configparser import RawConfigParser
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from keyring import backend as keyring_backend
from keyring import core as keyring_core
from keyring.errors import KeyringLocked, NoKeyringError
from keyring.util.platform_ import config_root

from withings_auth.errors import StoreUnavailable
from withings_auth.logs import Logger
from withings_auth.store import CHOOSE_FILES
from withings_auth.store.fast_lane import DESCRIPTION as DESKTOP_KEYRING
from withings_auth.store.session_bus import session_bus_address
from withings_auth.validation import printable

if TYPE_CHECKING:
    from withings_auth.store.secret_service import SecretServiceConnection

logger = Logger(__name__)

_VARIABLE = "PYTHON_KEYRING_BACKEND"  # an empty one counts as unset, which keyring itself would try to load
_SECRET_SERVICE = "keyring.backends.SecretService"  # noqa: S105  a module
_SECRET_SERVICE_PRIORITY = 5.0  # keyring's own, which can be read only if the environment names the bus
_PROTECTING = {
    "linux": (
        (_SECRET_SERVICE, "Keyring", DESKTOP_KEYRING),
        ("keyring.backends.libsecret", "Keyring", DESKTOP_KEYRING),
        ("keyring.backends.kwallet", "DBusKeyring", "KWallet"),
    ),
    "darwin": (("keyring.backends.macOS", "Keyring", "the macOS Keychain"),),
    "win32": (("keyring.backends.Windows", "WinVaultKeyring", "the Windows Credential Manager"),),
}
# Of UTF-16 (learn.microsoft.com, "CREDENTIALW": CRED_MAX_CREDENTIAL_BLOB_SIZE).
_LARGEST_WINDOWS_CREDENTIAL_BYTES = 5 * 512
_LONG_WORD = re.compile(r"[\w~+/-]{16,}")  # any part of a record that could be a secret
_NO_CHOICES = {"keyring.backends.fail", "keyring.backends.null", "keyring.backends.chainer"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A keyring to use, what users call it, and what is special about it.

    `connect` opens a connection for several calls, if this kind of keyring has any.
    """

    keyring: keyring_backend.KeyringBackend
    description: str
    replaces_by_deleting: bool
    largest_record_bytes: int | None = None  # in UTF-16
    named: bool = False  # by the user, so no other one is tried
    protects: bool = True  # whether it is known to protect its records
    connect: Callable[[Callable[[bool], None]], SecretServiceConnection] | None = None


def find_backend() -> Backend:
    """Returns the keyring that the user named, else the best protecting one. Raises `StoreUnavailable`."""
    address = session_bus_address(os.environ)
    try:
        if address is not None and _read_name() == f"{_SECRET_SERVICE}.Keyring":
            return _log(_secret_service_at(address, named=True))
        named = (keyring_core.load_env() if os.environ.get(_VARIABLE) else None) or keyring_core.load_config()
    except Exception as error:  # the keyring's edge: a backend may raise anything
        raise StoreUnavailable(
            f"the keyring that PYTHON_KEYRING_BACKEND or keyringrc.cfg names cannot be used: {described(error)}",
            hint=f"name another one, or none; {remedies()}",
        ) from error
    if named is not None:
        chosen = _chosen(named, named=True)
        if _forgets(named):  # to find nothing in it would mean that nobody is logged in
            raise StoreUnavailable(
                f"{chosen.description} was named, but it keeps nothing",
                hint="name another one in PYTHON_KEYRING_BACKEND or keyringrc.cfg, or none; " + remedies(),
            )
        return _log(chosen)
    usable, reasons = _protecting(address)
    if not usable:
        raise StoreUnavailable(f"no usable keyring: {'; '.join([*reasons, *_refused()])}", hint=remedies())
    return _log(usable[0])


def reasons_against_others(chosen: Backend) -> list[str]:
    """Returns why each other keyring on this machine is not used; empty if the chosen one was named. Slow."""
    if chosen.named:
        return []
    usable, reasons = _protecting(session_bus_address(os.environ))
    modules = [type(backend.keyring).__module__ for backend in usable]
    ours = type(chosen.keyring).__module__
    second = [f"{module.rpartition('.')[2]}: lower priority" for module in modules if module != ours]
    return [*second, *reasons, *_refused()]


def remedies(platform: str = sys.platform) -> str:
    """Returns what to do about a keyring that cannot be used."""
    if platform in {"darwin", "win32"}:
        return "log in to the desktop, so that its keyring is unlocked, and try again"
    return (
        "start a keyring and unlock it (gnome-keyring or KWallet; a desktop session has one), or choose files that"
        f" only you can read: {CHOOSE_FILES}"
    )


def unlock_hint() -> str:
    """Returns what to do about a locked keyring."""
    return "unlock your keyring (log in to the desktop, or answer the window that asks for its password) and try again"


def silence_hint(*, locked: bool) -> str:
    """Returns what to do about a keyring that does not answer; `locked` says whether it said that it is locked."""
    if locked:
        return f"{unlock_hint()}; if no window asks for it, restart the keyring"
    return "try again: the keyring may be busy, or waiting in a window of its own; if this persists, restart it"


def failure(description: str, doing: str, error: Exception, shown: Exception | None) -> StoreUnavailable:
    """Returns our error for a foreign one; `shown` is None if only its type may be shown."""
    match error:
        case KeyringLocked():
            return StoreUnavailable(f"{description} is locked and cannot be unlocked from here", hint=unlock_hint())
        case NoKeyringError():
            return StoreUnavailable("no usable keyring: the named keyring refuses every call", hint=remedies())
    why = described(shown) if shown else type(error).__name__
    return StoreUnavailable(f"{description} failed to {doing} a record: {why}", hint=remedies())


def tells(error: Exception, record: str) -> bool:
    """Whether a foreign error contains part of the record, as when a plug-in shows a program's arguments."""
    return any(word in f"{error} {error!r}" for word in _LONG_WORD.findall(record))


def described(error: Exception) -> str:
    """Returns the text of a foreign error, made printable."""
    return printable(str(error) or type(error).__name__)


def _log(chosen: Backend) -> Backend:
    logger.debug("chosen: %s%s", chosen.description, ", which was named" if chosen.named else "")
    return chosen


def _read_name() -> str:
    """Returns the backend that the user named, as `load_env` and `load_config` find it, without loading it."""
    config = RawConfigParser()
    config.read(config_root() / "keyringrc.cfg", encoding="utf-8")
    in_file = config.get("backend", "default-keyring", fallback="").strip()
    return os.environ.get(_VARIABLE) or in_file


def protecting_keyrings(platform: str) -> tuple[tuple[str, str, str], ...]:
    """Returns the keyrings known to protect on this `sys.platform`: module, class and what users call it."""
    return _PROTECTING.get(platform, _PROTECTING["linux"])


def _protecting(address: str | None) -> tuple[list[Backend], list[str]]:
    """Returns the usable keyrings among those known to protect, best first, and why the others are not usable."""
    usable: list[tuple[float, Backend]] = []
    reasons: list[str] = []
    for module, name, _ in protecting_keyrings(sys.platform):
        try:
            if address is not None and module == _SECRET_SERVICE:
                usable.append((_SECRET_SERVICE_PRIORITY, _secret_service_at(address)))
                continue
            found = getattr(import_module(module), name)
            usable.append((float(found.priority), _chosen(found())))
        except Exception as error:  # noqa: BLE001  the keyring's edge: a backend may raise anything
            reasons.append(f"{module.rpartition('.')[2]}: {described(error)}")
    best_first = sorted(usable, key=lambda candidate: candidate[0], reverse=True)
    return [backend for _, backend in best_first], reasons


def _secret_service_at(address: str, *, named: bool = False) -> Backend:
    from withings_auth.store.secret_service import require_secret_service  # here, because not every system has it

    require_secret_service(address)
    return _chosen(import_module(_SECRET_SERVICE).Keyring(), address=address, named=named)


def _chosen(keyring: keyring_backend.KeyringBackend, *, named: bool = False, address: str | None = None) -> Backend:
    module, name = type(keyring).__module__, type(keyring).__name__
    known = {(m, n): text for choices in _PROTECTING.values() for m, n, text in choices}
    return Backend(
        keyring=keyring,
        description=known.get((module, name), f"the keyring {module}.{name}"),
        replaces_by_deleting=module == "keyring.backends.macOS",
        largest_record_bytes=_LARGEST_WINDOWS_CREDENTIAL_BYTES if module == "keyring.backends.Windows" else None,
        named=named,
        protects=(module, name) in known,
        connect=_connector(address) if module == _SECRET_SERVICE else None,
    )


def _forgets(keyring: keyring_backend.KeyringBackend) -> bool:
    """Whether it accepts every record and keeps none, as keyring's null does, and its chainer if it has no other."""
    match type(keyring).__module__:
        case "keyring.backends.null":
            return True
        case "keyring.backends.chainer":
            return not keyring.backends  # type: ignore[attr-defined]  # of this class only
    return False


def _connector(address: str | None) -> Callable[[Callable[[bool], None]], SecretServiceConnection]:
    from withings_auth.store.secret_service import SecretServiceConnection

    return partial(SecretServiceConnection, address)


def _refused() -> list[str]:
    # Why the backends that keyring itself would choose from are not good enough. Slow, so only on failure.
    others = keyring_backend.get_all_keyring()
    known = {module for choices in _PROTECTING.values() for module, _, _ in choices} | _NO_CHOICES
    return [
        f"{type(other).__module__}.{type(other).__name__}: not known to protect its records;"
        " used only if PYTHON_KEYRING_BACKEND names it"
        for other in others
        if type(other).__module__ not in known
    ]
