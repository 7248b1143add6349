"""`store copy` is killed at each of its steps, and repeated: nothing is lost, and one copy is left."""

from __future__ import annotations

import pytest

from tests.support.programs import Cli

# Each child is killed before one of the calls that change a store; the parent repeats the move after each.
KILLED = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.support.stores import Wrapped, save_record
from tests.test_model import APP, GRANT
from withings_auth.profiles.moving import Move
from withings_auth.store.file_store import FileStore
from withings_auth.store.records import app_name, stored_app, stored_grant, token_name

class Deadly(Wrapped):
    steps = 0
    def step(self):
        if Deadly.steps == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        Deadly.steps -= 1
    def save(self, held, name, text):
        self.step()
        super().save(held, name, text)
    def clear(self, held, name):
        self.step()
        return super().clear(held, name)
    def notes(self, held):
        return DeadlyNotes(self, held.notes)

class DeadlyNotes:
    def __init__(self, store, notes):
        self.store, self.recall, self.write = store, notes.recall, notes.note
    def note(self, text):
        self.store.step()
        self.write(text)

def move(source, target):
    moving = Move(source, target, replace=False, tell=lambda line: None)
    moving.run(None, "default")
    assert moving.failures == []

def killed_at(step, source, target):
    child = os.fork()
    if child == 0:
        Deadly.steps = step
        move(Deadly(source), Deadly(target))
        os._exit(0)
    return os.waitpid(child, 0)[1] == signal.SIGKILL

step = 0
while True:
    source, target = (FileStore(Path.home() / f"{{side}}{{step}}") for side in ("old", "new"))
    name = token_name("default")
    save_record(source, app_name(APP.client_id), APP.to_record())
    save_record(source, name, GRANT.to_record())
    with source.lock(name, 5) as held:
        held.notes.note("an attempt")
    killed = killed_at(step, source, target)
    for at in (source, target):  # whoever asks here with the app
        if stored_grant(at, "default") is not None:
            assert stored_app(at, APP.client_id) == APP
    assert stored_grant(source, "default") == GRANT or stored_grant(target, "default") == GRANT
    move(source, target)
    assert source.names() == [], (step, source.names())
    assert (stored_grant(target, "default"), stored_app(target, APP.client_id)) == (GRANT, APP)
    assert target.latest_note(name) == "an attempt"
    print(step, killed)
    if not killed:
        break
    step += 1
"""


@pytest.mark.usefixtures("unmeasured")
def test_a_move_that_is_killed_can_be_repeated(python: Cli, pytestconfig: pytest.Config) -> None:
    """Statement 55: at each of its steps."""
    ran = python(KILLED.format(root=str(pytestconfig.rootpath)))
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.split("\n")[:-1]
    # The mark, the app, the login, its note, the old login, its note, the mark, the old app.
    assert lines == [*(f"{step} True" for step in range(8)), "8 False"]
