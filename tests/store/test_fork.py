"""Stores in a forked child: it waits for no thread of its parent, and holds none of its parent's locks."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.waiting import wait_until
from withings_auth.testing.elsewhere import Elsewhere, RefusedElsewhere

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

TOKEN = "token/default"
OTHER = "token/other"

IN_MEMORY = "from withings_auth.store.memory_store import MemoryStore; store = MemoryStore()"

# Only the process that opened the keyring hangs in it, when it saves “hang”, and touches a file when it does.
HANGING = """
import os, sys, threading
from pathlib import Path
sys.path.insert(0, {here!r})
from keyrings import Keyrings, MemoryKeyring

class HangingKeyring(MemoryKeyring):
    def happens(self, secret=""):
        if secret == "hang" and os.getpid() == opener:
            (state / "hangs").touch()
            threading.Event().wait(60)

opener = os.getpid()
store = Keyrings(state, HangingKeyring(), patience_seconds={patience})()
"""


def hanging(state: Path, *, patience: float) -> str:
    code = HANGING.format(here=str(Path(__file__).parent), patience=patience)
    return f"from pathlib import Path; state = Path({str(state)!r}){code}"


@pytest.fixture
def parent() -> Iterator[Elsewhere]:
    with Elsewhere(IN_MEMORY) as process:
        yield process


class TestMemory:
    def test_a_child_has_a_copy_with_free_locks(self, parent: Elsewhere) -> None:
        """The child does not wait for a lock that a thread of its parent holds; the parent's stays held."""
        parent("save", TOKEN, "text")
        parent("hold_in_a_thread", TOKEN)
        child = parent.fork()
        assert child("lock", TOKEN, 1) is None
        assert child("load", TOKEN) == "text"
        with pytest.raises(RefusedElsewhere, match="LockBusy"):
            parent("lock", TOKEN, 0.2)

    def test_a_child_that_leaves_its_parents_block_frees_nothing(self, parent: Elsewhere) -> None:
        """The block in which it was forked ends in the child too; the parent is still inside."""
        parent("lock", TOKEN, 1)
        child = parent.fork()
        child("unlock")
        assert child("lock", TOKEN, 1) is None
        with pytest.raises(RefusedElsewhere, match="LockBusy"):
            parent("lock", TOKEN, 0.2)

    def test_what_a_child_saves_is_its_own(self, parent: Elsewhere) -> None:
        """A copy is a copy: parent and child do not see each other's saves."""
        parent("save", TOKEN, "before")
        child = parent.fork()
        child("save", TOKEN, "of the child")
        assert parent("load", TOKEN) == "before"
        parent("save", TOKEN, "of the parent")
        assert child("load", TOKEN) == "of the child"


class TestKeyring:
    def test_a_fork_in_the_middle_of_a_call(self, tmp_path: Path) -> None:
        """While a thread of the parent waits for the keyring under the lock, the child can use the keyring."""
        with Elsewhere(hanging(tmp_path, patience=100)) as parent:
            parent("save_in_a_thread", TOKEN, "first", "hang")
            wait_until((tmp_path / "hangs").exists)
            child = parent.fork()
            began = time.monotonic()
            assert child("load", TOKEN) == "first"
            with pytest.raises(RefusedElsewhere, match="LockBusy"):
                child("lock", TOKEN, 0.2)
            assert child("lock", OTHER, 1) is None
            assert child("save", OTHER, "text") is None
            assert time.monotonic() - began < 60  # the parent would wait for 100

    def test_a_fork_behind_a_call_that_was_given_up(self, tmp_path: Path) -> None:
        """A call that hangs in the parent does not hang in the child; its lock stays held when the child ends."""
        with Elsewhere(hanging(tmp_path, patience=3)) as parent:
            parent("save", TOKEN, "first")
            parent("lock", TOKEN, 1)
            for _ in range(2):
                with pytest.raises(RefusedElsewhere, match="did not save a record within"):
                    parent("save", TOKEN, "hang")
            child = parent.fork()
            assert child("load", TOKEN) == "first"
            child("unlock")
            with pytest.raises(RefusedElsewhere, match="LockBusy"):
                child("lock", TOKEN, 0.2)
            child.end()
            with (
                Elsewhere(hanging(tmp_path, patience=3)) as other,
                pytest.raises(RefusedElsewhere, match="LockBusy"),
            ):
                other("lock", TOKEN, 0.2)
