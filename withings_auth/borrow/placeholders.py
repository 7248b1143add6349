"""What a program gets in place of secrets. The same texts in every run: they are no secrets, and they are recognised.

They have no character that a URL or a form would escape, so a request carries them as they are.
"""

from __future__ import annotations

PREFIX = "withings-auth-placeholder"
ACCESS_TOKEN = f"{PREFIX}-access-token"
REFRESH_TOKEN = f"{PREFIX}-refresh-token"
CLIENT_SECRET = f"{PREFIX}-client-secret"


def is_placeholder(value: object) -> bool:
    """Whether this is one of ours, and not a secret that a program got by itself."""
    return isinstance(value, str) and value.startswith(PREFIX)
