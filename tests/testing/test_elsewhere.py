"""The other process of the published suite: if it dies, the failed test says which one, how, and in what."""

from __future__ import annotations

import os

import pytest

from withings_auth.testing.elsewhere import Elsewhere

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

OPENING = """
import os
from withings_auth.store.memory_store import MemoryStore

class Mortal(MemoryStore):
    def load(self, name):
        os._exit(7)

store = Mortal()
"""


def test_a_process_that_dies_is_named() -> None:
    """The process or its forked child, what it was asked, and its exit code, also when it is asked again."""
    with Elsewhere(OPENING) as process:
        child = process.fork()
        with pytest.raises(AssertionError, match=r"forked child \d+ ended during load\('a'\), with exit code 7"):
            child("load", "a")
        process.fork()
        for name in ("b", "c"):
            with pytest.raises(AssertionError, match=rf"process \d+ ended during load\('{name}'\), with exit code 7"):
                process("load", name)


def test_the_exit_code_of_a_child_is_its_own() -> None:
    """A child that was let go ends by itself, with 0; what a killed parent knew about it is gone."""
    with Elsewhere(OPENING) as process:
        child = process.fork()
        child.end()
        assert child.exit_code() == 0
        child = process.fork()
        process.kill()
        with pytest.raises(AssertionError, match=r"process \d+ ended during .*, with exit code -9"):
            child("load", "a")
