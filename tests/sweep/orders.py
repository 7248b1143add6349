"""What the processes of a sweep are ordered to do, and what they report."""

from __future__ import annotations

import errno
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum


class How(IntEnum):
    """What happens to a system call, as in `failing_calls.c`."""

    NOTHING = 0
    FAILS = 1
    SHORT = 2
    KILLS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What happens to the call number `at`; if it `lasts`, also to all later calls of the same name."""

    at: int = 0
    how: int = How.NOTHING
    error: int = 0
    lasts: bool = False

    def __str__(self) -> str:
        what = errno.errorcode[self.error] if self.how == How.FAILS else How(self.how).name.lower()
        return f"{what}{' from then on' if self.lasts else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to do in a store's directory, and which call fails there.

    `what` is one of `swept.WORK`. It `browses` if somebody must allow access in a browser. `change` is Python code that
    changes what was loaded.
    """

    what: str
    arguments: Sequence[str] = ()
    browses: bool = False
    directory: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    change: str = ""
    fault: Fault = field(default_factory=Fault)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A system call on the store's directory; `error` is 0 if it succeeded."""

    name: str
    file: str
    error: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a process ended; a killed one reports neither its calls nor the locks that are held afterwards."""

    returncode: int
    stdout: str
    stderr: str
    trace: str = ""
    held: Sequence[str] = ()

    @property
    def calls(self) -> list[Call]:
        """The calls on the store's directory."""
        fields = (line.split() for line in self.trace.splitlines())
        return [Call(name=name, file=file, error=int(error)) for name, file, error in fields]
