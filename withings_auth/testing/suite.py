"""The promises of a `SecretStore`, put together."""

from __future__ import annotations

from withings_auth.testing.processes import ProcessPromises
from withings_auth.testing.promises import LockPromises, TextPromises


class SecretStorePromises(TextPromises, LockPromises, ProcessPromises):
    """Everything that a `SecretStore` promises; the docstring of `withings_auth.testing` says what to provide."""
