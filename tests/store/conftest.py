"""Our own places for secrets take no promise that they are declared to be without: nothing is skipped here."""

from __future__ import annotations

import pytest

from withings_auth.testing import SecretStorePromises

# What a store can be without, by the fixture that cannot do without it.
NEEDS = {"unavailable": "unavailable", "forgetful": "forgetful", "start": "opening", "start_to_fork": "fork"}


def declared_without(item: pytest.Item) -> bool:
    """Whether the published suite would skip this promise, since its class is without what it needs."""
    if not isinstance(item, pytest.Function) or not isinstance(item.instance, SecretStorePromises):
        return False
    return any(NEEDS.get(name) in item.instance.without for name in item.fixturenames)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leaves out what our stores are declared to be without, so that a skipped test is always one to look after."""
    left_out = [item for item in items if declared_without(item)]
    items[:] = [item for item in items if item not in left_out]
    config.hook.pytest_deselected(items=left_out)
