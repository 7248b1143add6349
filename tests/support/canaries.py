"""Secrets that sing when they get out (statement 23).

A test plants a secret, hands it to the program, and need not look for it again: whatever the `cli` fixture captured and
whatever any logger said during that test, at DEBUG, is searched for it when the test ends. A canary lives as long as
its test; it is random, so it cannot occur anywhere by chance.
"""

from __future__ import annotations

import logging
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """A text that somebody could have read, and the secrets that may stand in it because that is its purpose."""

    where: str
    text: str = field(repr=False)
    allowed: frozenset[str] = field(repr=False)


class Canaries:
    """The secrets of one test, and everything that was heard while they were about."""

    def __init__(self) -> None:
        self._secrets: dict[str, str] = {}
        self._heard: list[Heard] = []

    def plant(self, name: str, secret: str | None = None) -> str:
        """Watch this secret from now on, or a fresh one of 40 hex characters; `name` is what a failure calls it."""
        secret = secrets.token_hex(20) if secret is None else secret
        self._secrets[secret] = name
        return secret

    def forget(self, secret: str) -> None:
        """No longer watch it: it was shown on purpose."""
        del self._secrets[secret]

    def hear(self, where: str, text: str, *, allowed: Collection[str] = ()) -> None:
        """Keep a text to be searched when the test ends, by which time every canary is known."""
        self._heard.append(Heard(where=where, text=text, allowed=frozenset(allowed)))

    def escaped(self) -> list[str]:
        """One line for each canary and place where it was heard and must not have been; the secret is not in it."""
        return [
            f"{name} is in {heard.where}"
            for heard in self._heard
            for secret, name in self._secrets.items()
            if secret in heard.text and secret not in heard.allowed
        ]


class Listener(logging.Handler):
    """Hears what the loggers say, message and traceback."""

    def __init__(self, canaries: Canaries) -> None:
        super().__init__(logging.DEBUG)
        self._canaries = canaries

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record as text, and its arguments as they are shown in a debugger or by an error tracker."""
        self._canaries.hear(f"the log of {record.name}", f"{self.format(record)}\n{record.args!r}")
