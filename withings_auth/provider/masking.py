"""What was sent is not shown if it comes back: secrets are masked in an answer, however they are written there.

A service that repeats its request in an error is common, and errors end in bug reports.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

MASK = "***"
_SECRET_FIELDS = ("client_secret", "code", "refresh_token", "signature")
_SHORTEST_SECRET = 4  # a shorter text hides nothing, and occurs in ordinary words
_TELLING_PART = 8  # of a secret; by chance it occurs in no sentence
# A character as a URL (where its percent sign may be escaped again), HTML or JSON writes it.
_ESCAPE = re.compile(
    r"%(?:25)*(?P<hex>[0-7][0-9a-f])|&\#x0*(?P<html>[0-7]?[0-9a-f]);|&\#0*(?P<decimal>[0-9]{1,3});"
    r"|&(?P<name>amp|lt|gt|quot|apos);|\\u00(?P<json>[0-7][0-9a-f])|\\(?P<quoted>[/\"\\'])",
    re.IGNORECASE,
)
_ANYTHING = re.compile("(?P<plain>.)", re.DOTALL)
_CHARACTER = re.compile(f"{_ESCAPE.pattern}|(?P<plain>.)", re.IGNORECASE | re.DOTALL)
_NAMED = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def secrets_in(form: Mapping[str, str]) -> tuple[str, ...]:
    """Returns the secrets in the form of a request."""
    return tuple(filter(None, map(form.get, _SECRET_FIELDS)))


def mask(text: str, secrets: Collection[str], *, whole: bool = False) -> str:
    """Returns the text with the secrets in it masked, and unless only `whole` ones count, each telling part of one.

    Upper and lower case count as equal, and so do a character and its escape sequence.
    """
    parts = _parts(secrets, whole=whole)
    if not _occurs(text, parts):
        return text
    # Twice, because a secret may itself contain what looks like an escape sequence, or complete one.
    for pattern in (_CHARACTER, _ANYTHING):
        text = _mask(text, parts, pattern)
    return text


def _mask(text: str, parts: Collection[str], pattern: re.Pattern[str]) -> str:
    found = [(match.start(), match.end(), _character(match)) for match in pattern.finditer(text)]
    plain = "".join(character for _, _, character in found)
    shown, end = [], 0
    for first, last in _spans(plain, parts):
        shown += [text[end : found[first][0]], MASK]
        end = found[last - 1][1]
    return "".join([*shown, text[end:]])


def masked_value(value: Any, secrets: Collection[str]) -> Any:
    """Returns a JSON value whose texts, names included, do not contain a whole secret."""
    match value:
        case str():
            return mask(value, secrets, whole=True)
        case list():
            return [masked_value(item, secrets) for item in value]
        case dict():
            return {mask(name, secrets, whole=True): masked_value(item, secrets) for name, item in value.items()}
    return value


def repeats(text: str, secrets: Collection[str]) -> bool:
    """Whether a whole secret is in the text."""
    return _occurs(text, _parts(secrets, whole=True))


def _parts(secrets: Collection[str], *, whole: bool) -> set[str]:
    """Returns the texts that give secrets away, in small letters."""
    return {
        written[start : start + length].lower()
        for secret in secrets
        for written in (secret, _ESCAPE.sub(_character, secret))
        if len(written) >= _SHORTEST_SECRET
        for length in [len(written) if whole else min(len(written), _TELLING_PART)]
        for start in range(len(written) - length + 1)
    }


def _occurs(text: str, parts: Collection[str]) -> bool:
    raw, decoded = text.lower(), _ESCAPE.sub(_character, text).lower()
    return any(part in raw or part in decoded for part in parts)


def _character(match: re.Match[str]) -> str:
    """Returns the character that is meant, a letter as a small one."""
    kind, text = match.lastgroup or "", match[match.lastgroup or 0]
    match kind:
        case "hex" | "html" | "json":
            text = chr(int(text, 16))
        case "decimal":
            text = chr(int(text))
        case "name":
            text = _NAMED[text.lower()]
    return text.lower() if text.isascii() else text


def _spans(plain: str, parts: Collection[str]) -> Iterator[tuple[int, int]]:
    """Yields where parts are, from the first character to behind the last; those that touch are one."""
    places = sorted(
        (match.start(), match.start() + len(part))
        for part in parts
        for match in re.finditer(f"(?={re.escape(part)})", plain)
    )
    first = last = 0
    for start, end in places:
        if start > last:
            if last:
                yield first, last
            first = start
        last = max(last, end)
    if last:
        yield first, last
