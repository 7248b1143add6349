"""What makes a finding fit for a public bug report: whose machine this is, and whose account, is taken out of it.

Once, for every line, so that no check has to think of it: a path, an error's text or a hint can name anything.
"""

from __future__ import annotations

import getpass
import re
import socket
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from withings_auth.doctor.findings import Finding, Found
from withings_auth.validation import LOOPBACK_HOSTS, parsed_url

SHOWN_OF_AN_ID = 4  # characters: enough to tell two apart
_OF_WITHINGS = (".withings.com", ".withings.net", ".withingsmed.net")
_TOLD_BY = 12  # characters of a long id by which it is known, also where a text was cut short in its midst


class Disguise:
    """Replaces what it was told to hide, in every text; and the client id that is the name of a file."""

    def __init__(self) -> None:
        self._replacements: list[tuple[re.Pattern[str], str]] = []
        self._hide(rf"(?<=[/\\]app[/\\])([A-Za-z0-9_-]{{{SHOWN_OF_AN_ID}}})[A-Za-z0-9_-]+", r"\1…")

    def hide_home(self, home: Path) -> None:
        """Shows the home directory as `~`, wherever a path begins with it."""
        for path in {str(home), str(home.resolve())} - {home.anchor}:
            self._hide(rf"{re.escape(path)}(?![\w.-])", "~")

    def hide_user(self, name: str) -> None:
        """Shows the user's name as `USER` where it is a part of a path, and leaves the word alone elsewhere."""
        if name:
            self._hide(rf"(?<=[/\\]){re.escape(name)}(?![\w.-])", "USER")

    def hide_host(self, name: str) -> None:
        """Shows the name of a machine as `HOST`; localhost is everybody's."""
        if name not in {"", "localhost"}:
            self._hide(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "HOST", ignore_case="." in name)

    def hide_host_of(self, url: str) -> None:
        """Hides the host of a URL, unless it is this machine itself or Withings."""
        parts = parsed_url(url)
        host = parts.hostname if parts and parts.hostname else ""
        if host not in LOOPBACK_HOSTS and not host.endswith(_OF_WITHINGS):
            self.hide_host(host)

    def hide_id(self, text: str | None) -> None:
        """Shows the beginning of an id alone."""
        if text:
            known, rest = text[:_TOLD_BY], "[A-Za-z0-9_-]*" if len(text) > _TOLD_BY else "(?![A-Za-z0-9_-])"
            self._hide(rf"(?<![A-Za-z0-9_-]){re.escape(known)}{rest}", f"{text[:SHOWN_OF_AN_ID]}…")

    def finding(self, name: str, found: Found) -> Finding:
        """Returns the line for what was found."""
        return Finding(name=name, verdict=found.verdict, words=self(found.words), remedy=self(found.remedy))

    def __call__(self, text: str) -> str:
        """Returns the text without what is hidden."""
        for pattern, shown in self._replacements:
            text = pattern.sub(shown, text)
        return text

    def _hide(self, pattern: str, shown: str, *, ignore_case: bool = True) -> None:
        self._replacements.append((re.compile(pattern, re.IGNORECASE if ignore_case else 0), shown))


def disguise_of_this_machine() -> Disguise:
    """Returns one that hides home, user and machine."""
    made = Disguise()
    with suppress(RuntimeError):  # a user that is only a number has no home
        made.hide_home(Path.home())
    for name in _user_names():
        made.hide_user(name)
    made.hide_host(socket.gethostname())
    return made


def _user_names() -> Iterable[str]:
    with suppress(OSError, KeyError, ImportError):  # as above
        yield getpass.getuser()
    with suppress(RuntimeError):
        yield Path.home().name
