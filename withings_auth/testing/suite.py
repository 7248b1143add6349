"""The promises of a `SecretStore`, put together."""

from __future__ import annotations

try:
    import pytest  # noqa: F401  here, so that an error says who needs it
except ImportError as missing:
    raise ImportError("withings_auth.testing.SecretStorePromises needs pytest: pip install pytest") from missing

from withings_auth.testing.processes import ProcessPromises
from withings_auth.testing.promises import LockPromises, TextPromises


class SecretStorePromises(TextPromises, LockPromises, ProcessPromises):
    """Everything that a `SecretStore` promises; the docstring of `withings_auth.testing` says what to provide."""
