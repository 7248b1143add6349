"""What somebody might forget in a store, as code that changes it; the sweep must notice each."""

from __future__ import annotations

from dataclasses import dataclass

from tests.sweep.operations import Operation, Renewal, Save


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """Code that breaks the store, the operation and the calls that show it, and a part of the problem."""

    name: str
    code: str
    operation: type[Operation] = Save
    call: str
    problem: str


BREAKS = (
    Break(
        name="the directory is not synced",
        code="""
from withings_auth.store import files
files.sync_directory = lambda path: None
""",
        call="rename",
        problem="no call fails: exit code 0, but it has not happened for good",
    ),
    Break(
        name="the content is not synced",
        code="""
import os, stat
sync = os.fsync
os.fsync = lambda file: sync(file) if stat.S_ISDIR(os.fstat(file).st_mode) else None
""",
        call="rename",
        problem="no call fails: exit code 0, but it has not happened for good",
    ),
    Break(
        name="the old record is removed first",
        code="""
from pathlib import Path
replace = Path.replace
Path.replace = lambda self, target: (target.unlink(missing_ok=True), replace(self, target))
""",
        operation=Renewal,
        call="rename",
        problem="kills: lost: ",
    ),
    Break(
        name="half a record stays behind",
        code="""
from pathlib import Path
unlink = Path.unlink
Path.unlink = lambda self, missing_ok=False: self.suffix == ".tmp" or unlink(self, missing_ok)
""",
        call="rename",
        problem="EIO: left behind at once: ",
    ),
    Break(
        name="a record that cannot be read counts as none",
        code="""
from withings_auth.errors import StoreUnavailable
from withings_auth.store import file_store
load = file_store._load
def load_or_none(path):
    try:
        return load(path)
    except StoreUnavailable:
        return None
file_store._load = load_or_none
""",
        operation=Renewal,
        call="open",
        problem="EIO: exit code 3: withings-auth: error: nobody is logged in",
    ),
    Break(
        name="an error of the system gets out",
        code="""
from withings_auth.store import file_store
file_store.unusable = lambda path, error: error
""",
        operation=Renewal,
        call="open",
        problem="EIO: a traceback: ",
    ),
    Break(
        name="a failed unlock keeps the lock",
        code="""
import fcntl, os
kept, call = [], fcntl.flock
def flock(file, operation):
    try:
        call(file, operation)
    except OSError:
        kept.append(os.dup(file))
        raise
fcntl.flock = flock
""",
        call="unlock",
        problem="EIO: a lock is held afterwards: ",
    ),
)
