"""What a program gets in place of secrets. The same texts in every run: they are no secrets, and they are recognised.

They have no character that a URL or a form would escape, so a request carries them as they are.
"""

from __future__ import annotations

from withings_auth.validation import PLACEHOLDER_PREFIX as PREFIX
from withings_auth.validation import is_placeholder

__all__ = ["ACCESS_TOKEN", "CLIENT_SECRET", "PREFIX", "REFRESH_TOKEN", "is_placeholder"]

ACCESS_TOKEN = f"{PREFIX}-access-token"
REFRESH_TOKEN = f"{PREFIX}-refresh-token"
CLIENT_SECRET = f"{PREFIX}-client-secret"
