"""Removes from a report what identifies the machine, its user and the account.

This happens in one place, for every line: a path, an error or a hint can name anything, and no check has to care.
"""

from __future__ import annotations

import getpass
import re
import socket
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from withings_auth.doctor.results import Result
from withings_auth.provider.masking import mask
from withings_auth.validation import LOOPBACK_HOSTS, parsed_url

SHOWN_ID_CHARACTERS = 4  # enough to tell two ids apart
_MATCHED_ID_CHARACTERS = 12  # so that a long id is found even if the text was cut off within it
_WITHINGS_DOMAINS = (".withings.com", ".withings.net", ".withingsmed.net")


class Redactor:
    """Replaces in any text what it has to hide, and every client id that is a file name."""

    def __init__(self) -> None:
        self._replacements: list[tuple[re.Pattern[str], str]] = []
        self._secrets: list[str] = []
        self._hide(rf"(?<=[/\\]app[/\\])([A-Za-z0-9_-]{{{SHOWN_ID_CHARACTERS}}})[A-Za-z0-9_-]+", r"\1…")
        self._hide(r'(?<=\b(?:user|role) ")[^"]+(?=")', "USER")  # as a database names it

    def __call__(self, text: str) -> str:
        text = mask(text, self._secrets, whole=True)
        for pattern, shown in self._replacements:
            text = pattern.sub(shown, text)
        return text

    def apply(self, name: str, result: Result) -> Result:
        """Returns the result as it may be shown, with the name of its check."""
        return replace(result, name=name, words=self(result.words), remedy=self(result.remedy))

    def hide_home(self, home: Path) -> None:
        """Shows the home directory as `~` at the beginning of a path."""
        for path in {str(home), str(home.resolve())} - {home.anchor}:
            self._hide(rf"{re.escape(path)}(?![\w.-])", "~")

    def hide_user(self, name: str) -> None:
        """Shows the user's name as `USER` in a path; elsewhere it may be an ordinary word."""
        if name:
            self._hide(rf"(?<=[/\\]){re.escape(name)}(?![\w.-])", "USER")

    def hide_host(self, name: str) -> None:
        """Shows a machine's name as `HOST`, unless it is localhost."""
        if name not in {"", "localhost"}:
            self._hide(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "HOST", ignore_case="." in name)

    def hide_host_of(self, url: str) -> None:
        """Hides the host of a URL, unless it is this machine or Withings."""
        parts = parsed_url(url)
        host = parts.hostname if parts and parts.hostname else ""
        if host not in LOOPBACK_HOSTS and not host.endswith(_WITHINGS_DOMAINS):
            self.hide_host(host)

    def hide_id(self, text: str | None) -> None:
        """Shows only the beginning of an id."""
        if text:
            rest = "[A-Za-z0-9_-]*" if len(text) > _MATCHED_ID_CHARACTERS else "(?![A-Za-z0-9_-])"
            pattern = rf"(?<![A-Za-z0-9_-]){re.escape(text[:_MATCHED_ID_CHARACTERS])}{rest}"
            self._hide(pattern, f"{text[:SHOWN_ID_CHARACTERS]}…")

    def hide_secrets(self, *secrets: str | None) -> None:
        """Masks what must not be in a report at all, however it got there."""
        self._secrets += filter(None, secrets)

    def _hide(self, pattern: str, shown: str, *, ignore_case: bool = True) -> None:
        self._replacements.append((re.compile(pattern, re.IGNORECASE if ignore_case else 0), shown))


def make_redactor() -> Redactor:
    """Returns a redactor that hides this machine's home directory, user and name."""
    redactor = Redactor()
    with suppress(RuntimeError):  # a user that is only a number has no home
        redactor.hide_home(Path.home())
        redactor.hide_user(Path.home().name)
    with suppress(OSError, KeyError, ImportError):  # nor a name
        redactor.hide_user(getpass.getuser())
    redactor.hide_host(socket.gethostname())
    return redactor
