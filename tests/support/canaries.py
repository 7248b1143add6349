"""Secrets that are noticed wherever they leak (statement 23).

A test plants a secret and gives it to the program. When the test ends, everything that the `cli` fixture captured and
that any logger wrote at DEBUG is searched for it. The secrets are random, so they cannot occur anywhere by chance.
"""

from __future__ import annotations

import logging
import re
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A text that somebody could have read, and the secrets that may be in it because that is its purpose."""

    where: str
    text: str = field(repr=False)
    allowed: frozenset[str] = field(repr=False)


class Canaries:
    """The secrets of one test, and every text in which they must not be."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self._heard: list[Heard] = []

    def plant(self, name: str, secret: str | None = None) -> str:
        """Watch for this secret, or for a fresh one of 40 hex characters; a failure calls it `name`."""
        secret = secrets.token_hex(20) if secret is None else secret
        self._secrets[secret] = name
        return secret

    def forget(self, secret: str) -> None:
        """Stop watching for it: it was shown on purpose."""
        del self._secrets[secret]

    def hear(self, where: str, text: str, *, allowed: Collection[str] = ()) -> None:
        """Keep a text, to be searched at the end of the test, when every canary is known."""
        self._heard.append(Heard(where=where, text=text, allowed=frozenset(allowed)))

    def escaped(self) -> list[str]:
        """One line for each canary and each place where it leaked, without the secret itself."""
        if not self._secrets:
            return []
        # There can be thousands of both: most texts hold no run of the secrets' characters that is as long as one.
        characters = re.escape("".join(set().union(*self._secrets)))
        long_enough = re.compile(f"[{characters}]{{{min(map(len, self._secrets))},}}")
        return [
            f"{name} is in {heard.where}"
            for heard in self._heard
            if long_enough.search(heard.text)
            for secret, name in self._secrets.items()
            if secret in heard.text and secret not in heard.allowed
        ]


class Listener(logging.Handler):
    """Hears what all loggers write, message and traceback."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record as text, and its arguments as a debugger or an error tracker shows them."""
        self._canaries.hear(f"the log of {record.name}", f"{self.format(record)}\n{record.args!r}")
