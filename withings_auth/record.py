"""How records are written down, and read: strictly.

Anything that is not exactly one of ours raises `StoreCorrupt` and is left in place. The values are plain ones here, so
that a valid token can be handed out without `model`: what its classes need takes longer to load than the record.
"""

from __future__ import annotations

from contextlib import suppress

from withings_auth.errors import StoreCorrupt
from withings_auth.validation import is_client_id, is_opaque_token, is_scope, is_service_url, is_userid

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

TOKEN_PATH = "/v2/oauth2"  # noqa: S105  a path, not a password
RECORD_VERSION = 1
_USUAL_TOKEN_URL = f"https://wbsapi.withings.net{TOKEN_PATH}"
REMEDIES = {  # of a damaged record, by its kind
    "app": "to replace it, without a new login: withings-auth configure",
    "token": "to replace it: withings-auth login --replace; to remove it: withings-auth logout",
}


def write_record(values: Mapping[str, Any]) -> str:
    """Returns the record with these values."""
    import json  # here and below, because a first login has no record when it starts the browser

    # Compact, because a Windows credential holds at most 2,560 bytes of UTF-16.
    return json.dumps({"version": RECORD_VERSION, **values}, separators=(",", ":"))


def read_grant(text: str) -> dict[str, Any]:
    """Returns the values of a grant's record. Raises `StoreCorrupt`."""
    grant = _read(
        text,
        "token",
        access_token=_text,
        refresh_token=_text,
        expires_at=_seconds,
        obtained_at=_seconds,
        scopes=_texts,
        userid=_text,
        client_id=_text,
        token_url=_text,
    )
    sound = (
        is_opaque_token(grant["access_token"])
        and is_opaque_token(grant["refresh_token"])
        and all(is_scope(scope) for scope in grant["scopes"])
        and is_userid(grant["userid"])
        and is_client_id(grant["client_id"])
        and (grant["token_url"] == _USUAL_TOKEN_URL or is_service_url(grant["token_url"]))
        and grant["token_url"].endswith(TOKEN_PATH)
    )
    if not sound:
        raise corrupt("token")
    return grant


def read_app(text: str) -> dict[str, Any]:
    """Returns the values of an app's record, each of its type. Raises `StoreCorrupt`."""
    return _read(text, "app", client_id=_text, client_secret=_text, redirect_uri=_text, scopes=_texts)


def corrupt(kind: str) -> StoreCorrupt:
    """Returns the error for a record that is not one of ours."""
    return StoreCorrupt(
        f"the stored {kind} record is not one that withings-auth wrote",
        hint=f"it was left in place; {REMEDIES[kind]}",
    )


def _read(text: str, kind: str, **readers: Callable[[Mapping[str, Any], str], object]) -> dict[str, Any]:
    record = _parse(text, kind)
    try:
        return {name: read(record, name) for name, read in readers.items()}
    except ValueError:
        raise corrupt(kind) from None


def _parse(text: str, kind: str) -> dict[str, Any]:
    import json

    record = None
    with suppress(ValueError, RecursionError):  # not chained: a JSONDecodeError contains the whole text
        record = json.loads(text)
    if not isinstance(record, dict):
        raise corrupt(kind)
    version = record.get("version")
    if type(version) is int and version > RECORD_VERSION:
        raise StoreCorrupt(
            f"the stored {kind} record was written by a newer withings-auth",
            hint="upgrade it in its checkout: git pull && pipx install --force .",
            newer=True,
        )
    if type(version) is not int or version != RECORD_VERSION:
        raise corrupt(kind)
    return record


def _text(record: Mapping[str, Any], name: str) -> str:
    value = record.get(name)
    if not isinstance(value, str):
        raise ValueError  # noqa: TRY004  one exception for every way a record can be wrong
    return value


def _texts(record: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = record.get(name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError
    return tuple(value)


def _seconds(record: Mapping[str, Any], name: str) -> int:
    value = record.get(name)
    if type(value) is not int or not 0 <= value < 1 << 40:
        raise ValueError
    return value
