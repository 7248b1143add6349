"""The promises among processes: they see each other's changes, locks keep them apart, forks and kills do no harm."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from typing import Self

import pytest

from withings_auth.errors import LockBusy, StoreError
from withings_auth.store.base import SecretStore
from withings_auth.testing.fixtures import OTHER, TOKEN, Fixtures, hold, in_thread, save

# ruff: noqa: S101  pytest rewrites these asserts, as `__init__` asks it to

TEXTS = ("old " * 200, "new " * 250)

# Comes between the author's code, which opens the `store`, and that of the test.
PREAMBLE = f"""
import os, signal, sys, threading
from withings_auth.errors import LockBusy
TOKEN, OTHER, TEXTS = {TOKEN!r}, {OTHER!r}, {TEXTS!r}

def end_in_time():
    if hasattr(signal, "alarm"):
        signal.alarm(60)

def pause():
    print("paused", flush=True)
    sys.stdin.readline()

def save(name, text):
    with store.lock(name, 20) as held:
        held.save(text)

def is_busy(name):
    try:
        with store.lock(name, 0.2):
            return False
    except LockBusy:
        return True

end_in_time()
"""

SAVE_AGAIN_AND_AGAIN = """
save(TOKEN, TEXTS[0])
pause()
while True:
    for text in TEXTS:
        save(TOKEN, text)
"""

FORK_UNDER_A_LOCK = """
save(TOKEN, "text")
with store.lock(TOKEN, 1):
    child = os.fork()
    if child == 0:
        end_in_time()
        assert store.load(TOKEN) == "text"
        assert is_busy(TOKEN)
    else:
        assert os.waitpid(child, 0)[1] == 0, "the child failed"
        pause()
"""

FORK_AND_LEAVE_THE_CHILD = """
with store.lock(TOKEN, 1):
    if os.fork() == 0:
        end_in_time()
        sys.stdin.readline()
    else:
        pause()
with store.lock(TOKEN, 1) as held:
    pause()
    held.save("of the child")
"""

FORK_BESIDE_THREADS = """
holding, saving, asked, end = (threading.Event() for _ in range(4))

def hold():
    with store.lock(TOKEN, 5):
        holding.set()
        end.wait()

def save_again_and_again():
    while not end.is_set():
        save(OTHER, "one")
        save(OTHER, "two")
        saving.set()

save(TOKEN, "text")
for work in (hold, save_again_and_again):
    threading.Thread(target=work, daemon=True).start()
holding.wait()
saving.wait()
answer, answered = os.pipe()
child = os.fork()
if child == 0:
    end_in_time()
    assert store.load(TOKEN) == "text"
    assert store.load(OTHER) in {"one", "two"}
    assert is_busy(TOKEN)
    os.write(answered, b"!")
    save(TOKEN, "of the child")
    save(OTHER, "of the child")
else:
    os.close(answered)
    os.read(answer, 1)
    end.set()
    assert os.waitpid(child, 0)[1] == 0, "the child failed"
"""


class Program:
    """Another process, which stops at each `pause()` of its code."""

    def __init__(self, code: str) -> None:
        command = [sys.executable, "-Wignore::DeprecationWarning", "-c", code]  # Python 3.12 warns of forks and threads
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")  # noqa: S603

    def paused(self) -> Self:
        """Waits until it pauses."""
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "paused\n", "the store failed in another process: stderr shows why"
        return self

    def go_on(self) -> None:
        """Lets it go on to its next pause."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()

    def finish(self) -> str:
        """Lets it go on to its end; returns what it printed after its last pause."""
        printed, _ = self._process.communicate("\n")
        assert self._process.returncode == 0, "the store failed in another process: stderr shows why"
        return printed.strip()

    def kill(self) -> None:
        """Ends it at once, as the kernel does when memory is short."""
        self._process.kill()
        self._process.wait()

    def end(self) -> None:
        """Leaves nothing of it behind."""
        with suppress(OSError), self._process:
            self._process.kill()


Start = Callable[[str], Program]


class ProcessPromises(Fixtures):
    """What holds among processes; skipped for a store within one process."""

    @pytest.fixture
    def start(self, opening: str | None, store: SecretStore) -> Iterator[Start]:  # noqa: ARG002
        """Starts another process, whose code has a `store` over the same place."""
        if opening is None:
            self.missing("opening")
        with ExitStack() as running:

            def start(code: str) -> Program:
                program = Program(f"import sys; sys.path[:] = {sys.path!r}\n{opening}\n{PREAMBLE}\n{code}")
                running.callback(program.end)
                return program

            yield start

    @pytest.fixture
    def start_to_fork(self, start: Start) -> Start:
        """Starts another process that forks."""
        if not hasattr(os, "fork"):
            pytest.skip("this system has no fork")
        return self.missing("fork") if "fork" in self.without else start

    def test_another_process_sees_every_change(self, store: SecretStore, start: Start) -> None:
        """What one process saves or clears, the other sees at once in load, names and stamp."""
        stamps = [store.stamp(TOKEN)]
        program = start("assert store.load(TOKEN) is None; pause(); print(store.load(TOKEN), store.names())").paused()
        save(store, TOKEN, "ours")
        assert (store.load(TOKEN), program.finish()) == ("ours", f"ours {[TOKEN]}")
        for _ in range(2):
            stamps.append(store.stamp(TOKEN))
            start("save(TOKEN, 'theirs')").finish()
            assert store.load(TOKEN) == "theirs"
        stamps.append(store.stamp(TOKEN))
        assert len(set(stamps)) == len(stamps)
        assert start("with store.lock(TOKEN, 1) as held: print(held.clear())").finish() == "True"
        assert store.stamp(TOKEN) not in stamps[1:]
        assert (store.load(TOKEN), store.names()) == (None, [])

    def test_one_process_at_a_time_holds_a_name(self, store: SecretStore, start: Start) -> None:
        """While one process holds a name, others get `LockBusy` for it, and can hold other names."""
        program = start("with store.lock(TOKEN, 1): pause()").paused()
        with pytest.raises(LockBusy):
            in_thread(lambda: hold(store, TOKEN, 0.2))
        in_thread(lambda: hold(store, OTHER, 1))
        program.finish()
        with store.lock(TOKEN, 5):
            assert start("print(is_busy(TOKEN), is_busy(OTHER))").finish() == "True False"

    def test_a_wait_ends_when_the_holder_leaves(self, store: SecretStore, start: Start) -> None:
        """A process that waits gets the lock as soon as another one releases it."""
        with store.lock(TOKEN, 1):
            program = start("pause()\nwith store.lock(TOKEN, 50): pause()")
            program.paused()
            program.go_on()
            time.sleep(0.3)  # by now it should be waiting; the promise holds either way
        began = time.monotonic()
        program.paused()
        assert time.monotonic() - began < 20

    def test_a_killed_holder_leaves_a_free_lock(self, store: SecretStore, start: Start) -> None:
        """A process that is killed under the lock blocks nobody; what it saved and noted is there."""
        work = "held.save('saved'); held.notes.note('a note'); pause()"
        program = start(f"with store.lock(TOKEN, 1) as held: {work}").paused()
        program.kill()
        assert store.load(TOKEN) == "saved"
        with store.lock(TOKEN, 1) as held:
            assert held.notes.recall() == "a note"

    def test_a_kill_leaves_a_whole_text(self, store: SecretStore, start: Start) -> None:
        """Whenever a process is killed during a save, the old text or the new one is there, and can be replaced."""
        for milliseconds in (3, 17, 41):
            program = start(SAVE_AGAIN_AND_AGAIN).paused()
            program.go_on()
            loaded = set()
            until = time.monotonic() + milliseconds / 1000
            while time.monotonic() < until:
                with suppress(StoreError):  # it could not be found out, which is not wrong
                    loaded.add(store.load(TOKEN))
                time.sleep(0.002)
            program.kill()
            loaded.add(store.load(TOKEN))
            assert loaded <= set(TEXTS)
        save(store, TOKEN, "after it")
        assert store.load(TOKEN) == "after it"

    def test_a_forked_child_does_not_hold_the_lock(self, store: SecretStore, start_to_fork: Start) -> None:
        """A child that is forked under a lock can read, is kept out like everybody, and cannot release the lock."""
        program = start_to_fork(FORK_UNDER_A_LOCK).paused()  # its child has left the block in which it was forked
        with pytest.raises(LockBusy):
            in_thread(lambda: hold(store, TOKEN, 0.2))
        program.finish()
        in_thread(lambda: hold(store, TOKEN, 1))

    def test_a_child_does_not_keep_the_lock(self, store: SecretStore, start_to_fork: Start) -> None:
        """The lock of a killed holder is free at once although its child lives, which can hold it then."""
        program = start_to_fork(FORK_AND_LEAVE_THE_CHILD).paused()
        program.kill()
        in_thread(lambda: hold(store, TOKEN, 1))
        program.go_on()
        program.paused()  # the child, under the lock
        with pytest.raises(LockBusy):
            in_thread(lambda: hold(store, TOKEN, 0.2))
        program.go_on()
        in_thread(lambda: hold(store, TOKEN, 20))
        assert store.load(TOKEN) == "of the child"

    def test_a_child_waits_for_no_thread(self, store: SecretStore, start_to_fork: Start) -> None:
        """A fork while other threads hold a lock and save gives the child a store that works."""
        for _ in range(3):
            start_to_fork(FORK_BESIDE_THREADS).finish()
        assert store.load(TOKEN) == store.load(OTHER) == "of the child"

    def test_many_processes_lose_no_save(self, store: SecretStore, start: Start) -> None:
        """When processes save under different names at once, every text is kept and every name is listed."""
        names = [f"token/of-{number}" for number in range(3)]
        programs = [start(f"pause()\nfor turn in '01234': save({name!r}, turn)").paused() for name in names]
        for program in programs:
            program.go_on()
        for program in programs:
            program.finish()
        assert store.names() == names
        assert [store.load(name) for name in names] == ["4"] * 3
