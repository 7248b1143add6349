"""The keys that seal records: how they are written down, and where a machine keeps its own.

A machine can hold several, oldest first: so a new key can be brought to every machine before it is used. They are in
the keyring, or in the file that `WITHINGS_AUTH_STORE_KEY_FILE` names, one a line; never where the records are.
"""

from __future__ import annotations

import os
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from withings_auth.errors import ConfigurationError, StoreNotDurable, StoreUnavailable
from withings_auth.store.base import HeldName, SecretStore
from withings_auth.store.files import read_plain, replace_file, unusable
from withings_auth.store.safety import SECRET, refuse_unsafe
from withings_auth.validation import printable

KEY_FILE_VARIABLE = "WITHINGS_AUTH_STORE_KEY_FILE"
KEY_BYTES = 32
PATIENCE_SECONDS = 20.0
_WRITTEN = re.compile(r"withings-auth-key-1:([A-Za-z0-9_-]{43})")
_COMMENT = "#"
# An administrator may provide them, as for a container.
_KEYS = SECRET._replace(safe_for="keys", root_may_own_it=True)
_PLAIN_FILE = f"name a plain file that only you can read in {KEY_FILE_VARIABLE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A key; its id is no secret, and tells it apart from every other one."""

    id: str
    secret: bytes = field(repr=False)

    @property
    def text(self) -> str:
        """The key as it is written down: a secret."""
        return f"withings-auth-key-1:{urlsafe_b64encode(self.secret).decode().rstrip('=')}"


def make_key() -> Key:
    """Returns a new key, from the system's generator."""
    return _key(secrets.token_bytes(KEY_BYTES))


def parse_key(text: str) -> Key:
    """Returns the key that is written down there. Raises `ConfigurationError`, which does not show the text."""
    found = _WRITTEN.fullmatch(text.strip())
    key = None if found is None else _key(urlsafe_b64decode(f"{found[1]}="))
    if key is None or key.text != text.strip():  # as when its last character says more than a key has bits
        raise ConfigurationError(
            "this is not a key of withings-auth",
            hint="a key is one line that begins with withings-auth-key-1: and is 63 characters long",
        )
    return key


def _key(secret: bytes) -> Key:
    return Key(id=sha256(secret).hexdigest()[:16], secret=secret)


class KeyPlace(Protocol):
    """Where a machine keeps its keys, oldest first."""

    @property
    def description(self) -> str:
        """What users call this place, worded to follow “kept in”."""

    def load(self) -> tuple[Key, ...]:
        """Returns the keys. Raises `StoreUnavailable` if the place cannot tell, or is not safe."""

    def add(self, key: Key) -> bool:
        """Keeps the key, durably, as the newest one; returns whether it is new here.

        Raises `StoreError` and `LockBusy`.
        """

    def remove(self, key_id: str) -> bool:
        """Forgets the key; returns whether it was there. Raises `StoreError` and `LockBusy`."""


def find_key_place(place: str, open_keyring: Callable[[], SecretStore]) -> KeyPlace:
    """Returns where this machine keeps the keys of the store at this place; nothing is touched yet.

    Raises `ConfigurationError` if the variable names no absolute path.
    """
    named = os.environ.get(KEY_FILE_VARIABLE)
    if not named:
        return KeyRecord(open_keyring(), f"key/{'/'.join(map(_quoted, place.split('/')))}")
    try:
        path = Path(named).expanduser()
    except RuntimeError:  # a `~` that belongs to nobody
        path = Path(named)
    if not path.is_absolute():
        raise ConfigurationError(
            f"{KEY_FILE_VARIABLE} is “{printable(named)}”, not an absolute path",
            hint="name the whole path of the file with the keys, or unset it to use the keyring",
        )
    return KeyFile(path)


def _quoted(part: str) -> str:
    """Returns a part of a place, fit to be the name of a file on every system."""
    return part.replace(".", "%2E") if set(part) == {"."} else quote(part)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """A `KeyPlace` in a record of a store on this machine, such as the keyring."""

    store: SecretStore
    name: str

    @property
    def description(self) -> str:
        return self.store.description

    def load(self) -> tuple[Key, ...]:
        return _parse(self._read(), self.description)

    def add(self, key: Key) -> bool:
        with self._lock() as held:
            text = self._read()
            if key in _parse(text, self.description):
                return False
            held.save(_with(text, key))
        return True

    def remove(self, key_id: str) -> bool:
        with self._lock() as held:
            text = self._read()
            left = _without(text, key_id, self.description)
            if left == text:
                return False
            if left:
                held.save(left)
            else:
                held.clear()
        return True

    def _read(self) -> str:
        with _or_a_file():
            return self.store.load(self.name) or ""

    @contextmanager
    def _lock(self) -> Iterator[HeldName]:
        with ExitStack() as stack:
            with _or_a_file():
                held = stack.enter_context(self.store.lock(self.name, PATIENCE_SECONDS))
            yield held


@contextmanager
def _or_a_file() -> Iterator[None]:
    """Makes an error of the keyring's say what else can keep the keys: a server has no keyring."""
    try:
        yield
    except StoreUnavailable as error:
        hint = f"start or unlock the keyring; or keep the keys in a file: let {KEY_FILE_VARIABLE} name one"
        raise error.with_message(f"no keys for the sealed store: {error}", hint=hint) from error


@dataclass(frozen=True, slots=True)
class KeyFile:
    """A `KeyPlace` in a file; what else is in it, as comments, stays."""

    path: Path

    @property
    def description(self) -> str:
        return printable(str(self.path))

    def load(self) -> tuple[Key, ...]:
        return _parse(self._read(), self.description)

    def add(self, key: Key) -> bool:
        with self._change() as text:
            if key in _parse(text, self.description):
                return False
            self._write(_with(text, key))
        return True

    def remove(self, key_id: str) -> bool:
        with self._change() as text:
            left = _without(text, key_id, self.description)
            if left == text:
                return False
            self._write(left)
        return True

    @contextmanager
    def _change(self) -> Iterator[str]:
        """Yields what is in the file, and keeps other programs of ours from changing it."""
        from withings_auth.store.lock import file_lock  # here, because to read keys needs no lock

        with file_lock(self.path.with_name(f"{self.path.name}.lock"), PATIENCE_SECONDS):
            yield self._read()

    def _read(self) -> str:
        accept = partial(refuse_unsafe, self.path, rule=_KEYS, hint=_PLAIN_FILE)
        try:
            accept(self.path.lstat())
            return read_plain(self.path, accept=accept).decode("utf-8")
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise unusable(self.path, error) from error
        except UnicodeDecodeError:  # not chained: it holds the whole content
            raise _no_keys(self.description) from None

    def _write(self, text: str) -> None:
        try:
            replace_file(self.path, text)
        except OSError as error:
            raise unusable(self.path, error) from error
        if self._read() != text:
            raise StoreNotDurable(
                f"{self.description} does not hold the keys that were just written to it",
                hint="check the disk; another program may be writing there",
            )


def _parse(text: str, place: str) -> tuple[Key, ...]:
    """Returns the keys in the lines of a text. Raises `StoreUnavailable`, which does not show what else is there."""
    lines = [line.strip() for line in text.splitlines()]
    try:
        return tuple(parse_key(line) for line in lines if line and not line.startswith(_COMMENT))
    except ConfigurationError:
        raise _no_keys(place) from None


def _no_keys(place: str) -> StoreUnavailable:
    return StoreUnavailable(
        f"what is kept in {place} is not a list of keys",
        hint="it must have one key a line, each beginning with withings-auth-key-1:",
    )


def _with(text: str, key: Key) -> str:
    return f"{text}{'' if text.endswith(chr(10)) or not text else chr(10)}{key.text}\n"


def _without(text: str, key_id: str, place: str) -> str:
    return "".join(
        line for line in text.splitlines(keepends=True) if key_id not in {key.id for key in _parse(line, place)}
    )
