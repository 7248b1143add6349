"""The tree of errors, for tests of what must hold for each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from withings_auth.errors import WithingsAuthError

if TYPE_CHECKING:
    from collections.abc import Iterator


def all_errors(base: type[WithingsAuthError] = WithingsAuthError) -> Iterator[type[WithingsAuthError]]:
    """Yield every error of the package, a base class before its children."""
    yield base
    for child in base.__subclasses__():
        yield from all_errors(child)
