"""The names of the settings; and config.toml if it has plain lines only, as `configure` writes them.

It is read sooner than `tomllib` is loaded.
"""

from __future__ import annotations

import re

# Each setting's name in config.toml and the environment variable that overrides it; some have no variable.
VARIABLES = {
    "client_id": "WITHINGS_CLIENT_ID",
    "redirect_uri": "WITHINGS_REDIRECT_URI",
    "scopes": "WITHINGS_SCOPES",
    "listen": "",
    "store": "WITHINGS_AUTH_STORE",
    "profile": "WITHINGS_AUTH_PROFILE",
    "on_renewed": "",
    "on_login_needed": "",
}
DEFAULT_PROFILE = "default"
COMMANDS = ("on_renewed", "on_login_needed")

# A name and a string without escapes, or a comment, or neither.
_LINE = r'(?:([A-Za-z0-9_-]+)[ \t]*=[ \t]*"([^"\\\x00-\x1f\x7f]*)"[ \t]*)?(?:#[^\x00-\x08\x0a-\x1f\x7f]*)?'


def read_plainly(text: str) -> dict[str, str] | None:
    """Returns what TOML means by the text if each line has a plain string or none; None if any needs more."""
    values: dict[str, str] = {}
    for line in text.replace("\r\n", "\n").split("\n"):
        found = re.fullmatch(_LINE, line.lstrip(" \t"))
        if found is None or found[1] in values:
            return None
        if found[1]:
            values[found[1]] = found[2]
    return values
