"""What a program gets in place of secrets. The same texts in every run: they are no secrets, and they are recognised.

They have no character that a URL or a form would escape, so a request carries them as they are.
"""

from __future__ import annotations

from withings_auth.validation import PLACEHOLDER_PREFIX

ACCESS_TOKEN = f"{PLACEHOLDER_PREFIX}-access-token"
REFRESH_TOKEN = f"{PLACEHOLDER_PREFIX}-refresh-token"
CLIENT_SECRET = f"{PLACEHOLDER_PREFIX}-client-secret"
