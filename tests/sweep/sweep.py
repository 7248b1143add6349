"""Sweeps an operation: one process for each of its system calls and each way in which that can fail."""

from __future__ import annotations

import errno
import re
import signal
import time
from collections.abc import Iterator
from dataclasses import replace

from tests.sweep.operations import Operation
from tests.sweep.orders import Call, Ended, Fault, How, Order
from tests.sweep.processes import Processes

STORE_FAILED = 5
OPENS = {"open", "create", "opendir"}
WRITES = {"create", "mkdir", "write", "fsync", "rename"}
CHANGES = WRITES | {"fchmod", "utimensat", "unlink", "flock", "unlock", "close"}
RESUMED = {"open", "create", "read", "write", "fsync", "flock", "unlock"}
"""What a signal can interrupt, and Python then calls again (PEP 475)."""
LOOKS = {"lstat", "stat", "fstat", "lseek", "read", "readdir"}
TIME = re.compile(r"\b\d{10}(\.\d+)?\b")
PROCESS = re.compile(r"\bprocess \d+\b")
FORGET = Order(what="command", arguments=("logout", "--all"))


def faults(calls: list[Call]) -> Iterator[Fault]:
    """Yields each way in which each call can fail.

    Code that looks at a file again, as it did before, also opens something again, and there it fails once more.
    """
    seen: set[str] = set()
    looked: set[tuple[Call | None, ...]] = set()
    for at, (earlier, call, later) in enumerate(zip([None, *calls], calls, [*calls[1:], None], strict=False), 1):
        if call.name == "readdir" and earlier == call == later:
            continue  # in the midst of a listing: all that was done before is what was done before its first entry
        if call.name in LOOKS and (earlier, call, later) in looked:
            continue
        looked.add((earlier, call, later))
        yield Fault(at=at, how=How.FAILS, error=errno.EIO)
        if call.name not in seen:
            yield Fault(at=at, how=How.FAILS, error=errno.EIO, lasts=True)
        if call.name in RESUMED or call.name not in seen:
            yield Fault(at=at, how=How.FAILS, error=errno.EINTR)
        if call.name in OPENS:
            yield Fault(at=at, how=How.FAILS, error=errno.EMFILE, lasts=True)
        if call.name in WRITES:
            yield Fault(at=at, how=How.FAILS, error=errno.ENOSPC, lasts=True)
        if call.name in {"read", "write"}:
            yield Fault(at=at, how=How.SHORT)
        # Killed before any other call, it leaves the same behind; to close a file that was read changes nothing either.
        if call.name in CHANGES and not (call.name == "close" and earlier is not None and earlier.name == "read"):
            yield Fault(at=at, how=How.KILLS)
        seen.add(call.name)


class Sweep:
    """Finds what goes wrong when system calls fail in one operation, whose code `change` may have changed."""

    def __init__(self, processes: Processes, operation: Operation, change: str = "") -> None:
        self._processes = processes
        self._operation = operation
        self._change = change
        self._lost: dict[object, list[str]] = {}

    def problems(self, *, only: str = "", part: int = 0, parts: int = 1) -> Iterator[str]:
        """Yields each broken promise with the call that failed; lets `only` calls of this name fail, if given.

        Sweeps one of so many parts.
        """
        self._operation.prepare()
        ended = self._run(self._operation.order)
        yield from (f"no call fails: {problem}" for problem in self._misbehaviour(ended, Fault(), ""))
        for fault in [*faults(ended.calls)][part::parts]:
            call = ended.calls[fault.at - 1]
            if only in {"", call.name}:
                for problem in self._try(fault, call.name):
                    told = problem.replace(f"{self._operation.directory}/", "")
                    yield f"call {fault.at}, {call.name} of {_without_digits(call.file)}, {fault}: {told}"

    def _run(self, order: Order, fault: Fault | None = None) -> Ended:
        operation = self._operation
        return self._processes(
            replace(
                order,
                directory=str(operation.directory),
                environ=operation.environ,
                change=self._change,
                fault=fault or Fault(),
            )
        )

    def _try(self, fault: Fault, name: str) -> Iterator[str]:
        operation = self._operation
        live = set(self._live_tokens())
        operation.prepare()
        before = self._records()
        ended = self._run(operation.order, fault)
        if fault.how == How.KILLS:
            assert ended.returncode == -signal.SIGKILL, ended
        else:
            yield from self._misbehaviour(ended, fault, name)
            if "the record is unchanged" in ended.stderr:
                (changed,) = re.findall(r"cannot save (\S+):", ended.stderr)
                if before.get(changed) != self._records().get(changed):
                    yield f"untrue: {ended.stderr}"
            if name != "unlink" and not fault.lasts:
                yield from (f"left behind at once: {file}" for file in self._half_written())
        operation.sandbox.advance(11)  # past the guard of a refresh
        left = (ended.returncode, self._left_behind(live))
        if left not in self._lost:
            self._lost[left] = list(self._try_again(ended))
        yield from self._lost[left]

    def _try_again(self, ended: Ended) -> Iterator[str]:
        """Yields what is lost for good after an operation that ended like that."""
        operation = self._operation
        again = self._run(operation.again)
        if again.returncode:
            yield f"lost: at first {ended.returncode} {ended.stderr}, then {again.returncode} {again.stderr}"
        grant = operation.stored
        if grant is not None and grant.access_token not in operation.sandbox.live_access_tokens:
            yield "lost: the token that is stored does not work"
        if self._half_written() and self._run(FORGET).returncode == 0:
            yield from (f"left behind: {file}" for file in self._half_written())

    def _live_tokens(self) -> list[str]:
        return [*self._operation.sandbox.live_access_tokens, *self._operation.sandbox.live_refresh_tokens]

    def _left_behind(self, earlier: set[str]) -> object:
        """What decides how it goes on: the files, and the tokens that live besides the earlier ones.

        It is the same for the same files with other tokens, times and processes.
        """
        live = [token for token in self._live_tokens() if token not in earlier]
        files = []
        for path in self._operation.directory.rglob("*"):
            content = path.read_text() if path.is_file() else ""
            for number, token in enumerate(live):
                content = content.replace(token, f"live token {number}")
            content = PROCESS.sub("a process that has ended", _without_digits(content))
            content = TIME.sub(lambda found: str(float(found[0]) > time.time()), content)
            files.append((_without_digits(str(path)), path.stat().st_mode, content))
        return len(live), tuple(sorted(files))

    def _half_written(self) -> list[str]:
        return [path.name for path in self._operation.directory.rglob(".*.tmp")]

    def _records(self) -> dict[str, str]:
        return {str(path): path.read_text() for path in self._operation.directory.rglob("*.json")}

    def _misbehaviour(self, ended: Ended, fault: Fault, name: str) -> Iterator[str]:
        told = ended.stderr
        if "Traceback" in told or "Exception ignored" in told:
            yield f"a traceback: {told}"
        if ended.held:
            yield f"a lock is held afterwards: {ended.held}"
        if ended.returncode not in ({0, STORE_FAILED} if name else {0}):
            yield f"exit code {ended.returncode}: {told}"
        if ended.returncode == 0 and not self._operation.has_happened(ended):
            yield f"exit code 0, but it has not happened for good: {told}"
        if ended.returncode and ("withings-auth: error: " not in told or "hint: " not in told or ended.stdout):
            yield f"exit code {ended.returncode} without an error, a hint and an empty stdout: {told}"
        if ended.returncode and (fault.how == How.SHORT or (fault.error == errno.EINTR and name in RESUMED)):
            yield f"exit code {ended.returncode} after what is no error: {told}"


def _without_digits(file: str) -> str:
    return re.sub(r"[0-9a-f]{16,}", "…", file)
