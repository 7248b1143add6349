"""Seals texts and opens them again: AES-GCM with 256-bit keys, and a fresh nonce for every seal.

The record's name is associated data, so that a text opens under its own name only. What cannot be noticed here is an
older text of the same name that somebody has put back.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64decode, b64encode

from withings_auth.errors import ConfigurationError, StoreCorrupt
from withings_auth.record import REMEDIES
from withings_auth.store import installation
from withings_auth.store.keys import Key
from withings_auth.validation import printable

try:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError as error:
    raise ConfigurationError(
        "a sealed store needs the package cryptography, which is not installed",
        hint=f"install it: {installation()}",
    ) from error

NONCE_BYTES = 12
_SEALED = re.compile(r"withings-auth-sealed-1:([0-9a-f]{16}):([A-Za-z0-9+/]+={0,2})")
_NEWER = re.compile(r"withings-auth-sealed-\d+:")


def seal(key: Key, name: str, text: str) -> str:
    """Returns the text as nobody can read or change it without the key, nor use it under another name."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    sealed = AESGCM(key.secret).encrypt(nonce, text.encode(), name.encode())
    return f"withings-auth-sealed-1:{key.id}:{b64encode(nonce + sealed).decode()}"


def key_id(name: str, sealed: str) -> str:
    """Returns the id of the key that opens this record. Raises `StoreCorrupt` if it is not sealed."""
    found = _SEALED.fullmatch(sealed)
    if found is not None:
        return found[1]
    if _NEWER.match(sealed) and not sealed.startswith("withings-auth-sealed-1:"):
        raise StoreCorrupt(
            f"the record {printable(name)} was sealed by a newer withings-auth",
            hint="upgrade it in its checkout: git pull && pipx install --force .",
            newer=True,
        )
    if sealed.startswith("withings-auth-sealed-1:"):
        raise _damaged(name)
    raise StoreCorrupt(
        f"the record {printable(name)} is not sealed, but its store is: somebody else may have put it there",
        hint=_left_in_place(name),
    )


def open_sealed(key: Key, name: str, sealed: str) -> str:
    """Returns the text that was sealed with this key under this name. Raises `StoreCorrupt` for any other."""
    found = _SEALED.fullmatch(sealed)
    if found is None or found[1] != key.id:
        raise _damaged(name)
    try:
        content = b64decode(found[2])
        if b64encode(content).decode() == found[2]:
            return AESGCM(key.secret).decrypt(content[:NONCE_BYTES], content[NONCE_BYTES:], name.encode()).decode()
    except (ValueError, InvalidTag):
        pass
    raise _damaged(name)


def _damaged(name: str) -> StoreCorrupt:
    return StoreCorrupt(
        f"the sealed record {printable(name)} was changed or cut, or belongs under another name",
        hint=_left_in_place(name),
    )


def _left_in_place(name: str) -> str:
    return f"it was left in place; {REMEDIES.get(name.partition('/')[0], 'remove it')}"
