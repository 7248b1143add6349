"""An app's credentials in a file of shell variables, as scripts keep them; read without a shell and without I/O.

Nothing is run and nothing is expanded: what a shell would take for more than text is refused, so that the value read
is the value that the script had. Other variables are none of our business.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from withings_auth.errors import ConfigurationError

# The names that scripts and client libraries use, each also with WITHINGS_ before it. Withings' own pages called the
# two halves consumer key and consumer secret first, client id and client secret later.
_MEANINGS = {
    "client_id": ("CLIENT_ID", "CONSUMER_KEY"),
    "client_secret": ("CLIENT_SECRET", "CONSUMER_SECRET"),
    "redirect_uri": ("REDIRECT_URI", "REDIRECT_URL", "CALLBACK_URI", "CALLBACK_URL"),
    "scopes": ("SCOPES", "SCOPE"),
    "state": ("STATE",),
}
_MEANING_OF = {name: meaning for meaning, names in _MEANINGS.items() for name in names}
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?(?:WITHINGS_)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTED = re.compile(r"""(['"])((?:(?!\1).)*)\1\s*(?:[#;].*)?""")
_BARE = re.compile(r"""()([^\s'"#;][^\s'";]*)?\s*(?:;.*|(?<!\S)#.*)?""")
_FOR_A_SHELL = re.compile(r"[$`\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvFile:
    """What a file says of an app; None where it says nothing. `has_state` is for a word of explanation."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    scopes: str | None = None
    has_state: bool = False


def read_env_file(text: str) -> EnvFile:
    """Reads assignments, one a line, with or without `export` and quotes.

    Raises `ConfigurationError`, naming lines and never a value, where a line means more than text to a shell, and
    where two lines contradict each other.
    """
    found: dict[str, tuple[str, int]] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), start=1):
        assignment = _ASSIGNMENT.fullmatch(line)
        meaning = _MEANING_OF.get(assignment[1]) if assignment else None
        if assignment is None or meaning is None:
            continue
        value = _plain(assignment[2], number)
        if not value:
            continue  # an empty variable counts as one that is not set
        earlier, earlier_number = found.setdefault(meaning, (value, number))
        if earlier != value and meaning != "state":
            raise ConfigurationError(
                f"lines {earlier_number} and {number} of the file give two values for the {meaning.replace('_', ' ')}",
                hint="keep the right one of the two lines",
            )
    values = {meaning: value for meaning, (value, _) in found.items()}
    return EnvFile(
        client_id=values.get("client_id"),
        client_secret=values.get("client_secret"),
        redirect_uri=values.get("redirect_uri"),
        scopes=values.get("scopes"),
        has_state="state" in values,
    )


def _plain(written: str, number: int) -> str:
    """Returns the value as it is meant, without quotes and the comment behind it."""
    match = _QUOTED.fullmatch(written.strip()) or _BARE.fullmatch(written.strip())
    if match is not None and match[1] == "'":
        return match[2]
    value = written if match is None else match[2] or ""
    if _FOR_A_SHELL.search(value):
        raise ConfigurationError(
            f"line {number} of the file needs a shell ($, ` or \\ in the value), and none is run here",
            hint="write the value itself, in single quotes: NAME='value'",
        )
    if match is None:
        raise ConfigurationError(
            f"line {number} of the file cannot be read: its quotes are not in order",
            hint="write it as NAME='value'",
        )
    return value
