"""Text from outside: checked before it is used, and escaped before it is shown.

Text that fails a check here is never saved, never sent in a header and never part of a file name.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urllib.parse import SplitResult

# Sets of characters, not patterns, which every program on a login would have to compile.
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_DIGITS = "0123456789"
_WORD = frozenset(_LETTERS + _DIGITS + "_-")
_OF_PROFILE = _WORD | {"."}
# RFC 6750's b64token, without the padding. Withings' own tokens are 40 hexadecimal digits.
_OF_TOKEN = frozenset(_LETTERS + _DIGITS + "-._~+/")
_OF_SCOPE = frozenset(_LETTERS.lower() + _DIGITS + "._:-")
_VISIBLE = frozenset(map(chr, range(0x21, 0x7F)))
_OF_URL = _VISIBLE - frozenset("\"'<>\\^`{|}")
_LONGEST_TOKEN = 2048  # leaves room for change
_LONGEST_URL = 2000
_HOST_AND_PORT = r"(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::[0-9]*)?"

# Windows opens a device for these names, with any extension (learn.microsoft.com, "Naming Files").
_DEVICE_NAMES = {"con", "prn", "aux", "nul"} | {f"{port}{digit}" for port in ("com", "lpt") for digit in range(10)}

PLACEHOLDER_PREFIX = "withings-auth-placeholder"  # of what programs get in place of secrets; see `borrow.placeholders`
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
PORT_OF_SCHEME = {"http": 80, "https": 443}


def printable(text: str, *, limit: int = 200) -> str:
    """Returns the text without control characters, which are escaped, and at most `limit` characters long."""
    shown = "".join(char if char.isprintable() else _escaped(char) for char in text[:limit])
    return shown if len(text) <= limit and len(shown) <= limit else shown[: limit - 1] + "…"


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii")


def _consists_of(text: str, characters: frozenset[str], *, limit: int) -> bool:
    """Whether the text has nothing but these characters: one at least, and at most `limit`."""
    return 0 < len(text) <= limit and characters.issuperset(text)


def is_profile(text: str) -> bool:
    """Whether the text can be a profile's name, and so the name of a file on every platform."""
    lowered = text.lower()
    return (
        _consists_of(text, _OF_PROFILE, limit=64)
        and text[0] not in "._-"
        and lowered.split(".")[0] not in _DEVICE_NAMES
        and not lowered.endswith(".next")  # the keyring's name for a record while it is replaced
    )


def is_client_id(text: str) -> bool:
    """Whether the text can be an app's client id (Withings' are 64 hexadecimal digits)."""
    return _consists_of(text, _WORD, limit=128)


def is_client_secret(text: str) -> bool:
    """Whether the text can be an app's client secret: visible ASCII without spaces."""
    return _consists_of(text, _VISIBLE, limit=256)


def is_placeholder(value: object) -> bool:
    """Whether this is what a program has got from us in place of a secret, and not a secret of its own."""
    return isinstance(value, str) and value.startswith(PLACEHOLDER_PREFIX)


def is_opaque_token(text: str) -> bool:
    """Whether the text can be an authorization code, an access token or a refresh token."""
    return len(text) <= _LONGEST_TOKEN and _consists_of(text.rstrip("="), _OF_TOKEN, limit=_LONGEST_TOKEN - 1)


def is_userid(text: str) -> bool:
    """Whether the text can be a Withings userid (a number so far)."""
    return _consists_of(text, _WORD, limit=64)


def is_scope(text: str) -> bool:
    """Whether the text can be one scope, as in `user.metrics`."""
    return _consists_of(text, _OF_SCOPE, limit=64)


def parsed_url(text: str) -> SplitResult | None:
    """Returns the parts of an absolute http or https URL; None if the text is not a clean one.

    Clean means: printable ASCII without spaces, quotes or backslashes; a host that can be looked up; a numeric port, if
    any; no user name.
    """
    if not _consists_of(text, _OF_URL, limit=_LONGEST_URL):
        return None
    from urllib.parse import urlsplit  # here, because a valid token is returned without it

    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    clean = parts.scheme in {"http", "https"} and port != 0 and re.fullmatch(_HOST_AND_PORT, parts.netloc) is not None
    return parts if clean and all(map(_is_label, (parts.hostname or "").split("."))) else None


def _is_label(text: str) -> bool:
    """Whether the text can be a part of a host name; `xn--a` cannot, because it stands for no letters."""
    if not text.startswith("xn--"):
        return True
    try:
        letters = text.removeprefix("xn--").encode().decode("punycode")
    except UnicodeError:
        return False
    return letters.isprintable() and not letters.isascii()


def host_and_port(host: str, port: int) -> str:
    """Returns `host:port`, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def origin(url: str) -> str:
    """Returns scheme, host and port of a URL as they are written there; "" if it is not a clean one."""
    parts = parsed_url(url)
    return f"{parts.scheme}://{parts.netloc}" if parts else ""


def is_service_url(text: str) -> bool:
    """Whether secrets may be sent to this URL: https, or http on a loopback host."""
    parts = parsed_url(text)
    if parts is None or parts.query or parts.fragment:
        return False
    return parts.scheme == "https" or parts.hostname in LOOPBACK_HOSTS


def is_loopback_url(text: str) -> bool:
    """Whether the URL leads to this machine, as the sandbox's do."""
    parts = parsed_url(text)
    return parts is not None and parts.hostname in LOOPBACK_HOSTS


def scope_list(text: str) -> tuple[str, ...]:
    """Returns the scopes in a comma-separated list, in order, without spaces and repetitions.

    Raises `ValueError` if a name has characters that no scope has.
    """
    names = tuple(dict.fromkeys(filter(None, (name.strip() for name in text.split(",")))))
    for name in names:
        if not is_scope(name):
            raise ValueError(f"“{printable(name, limit=60)}” cannot be a scope")
    return names


def whole_number(value: object) -> int | None:
    """Returns the whole number in a JSON value, however it is spelled (7, 7.0, "7", "7.0"); None if it is not one."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(-?[0-9]{1,15})(?:\.0{1,15})?\s*", value, re.ASCII)
        return int(found[1]) if found else None
    if isinstance(value, float) and value.is_integer() and abs(value) < 1 << 53:
        return int(value)
    return value if type(value) is int else None


def readable_userid(value: object) -> str | None:
    """Returns the userid in a JSON value, which is text or a number (Withings sends both); None if it is not one."""
    if isinstance(value, str) and is_userid(value.strip()):
        return value.strip()
    number = whole_number(value)
    return str(number) if number is not None and is_userid(str(number)) else None


def usable_scopes(value: object) -> tuple[str, ...]:
    """Returns the scopes in a JSON value, which may be a list or text, without what cannot be one.

    Withings separates them by commas, in small letters; the standard separates them by blanks (RFC 6749, 3.3).
    """
    texts = value if isinstance(value, list) else [value]
    names = [name for text in texts if isinstance(text, str) for name in re.split(r"[\s,]+", text.lower())]
    return tuple(dict.fromkeys(filter(is_scope, names)))
