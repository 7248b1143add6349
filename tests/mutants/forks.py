"""Runs many short tasks, each in a fork of this process that is killed with all that it has started."""

from __future__ import annotations

import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LEAST_SECONDS = 60  # before a mutant that waits for ever is killed: the machine may be busy


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What a fork does: `run` is given the number of its seat, and returns whether the tests passed."""

    index: int
    run: Callable[[int], bool]
    cpu_seconds: float


def run_all(tasks: Iterable[Task], seats: int, directory: Path) -> Iterator[tuple[int, bool]]:
    """Yields each task's index and whether its tests passed, as they end; what they print is in `directory`."""
    running: dict[int, tuple[int, Task, float]] = {}
    free = list(range(seats))
    for task in tasks:
        while not free:
            yield from _ended(running, free)
        seat = free.pop()
        running[_start(task, seat, directory / f"{seat}.txt")] = seat, task, time.monotonic()
    while running:
        yield from _ended(running, free)


def _start(task: Task, seat: int, output: Path) -> int:
    process = os.fork()
    if process:
        return process
    status = 2
    try:
        os.setsid()
        seconds = int(task.cpu_seconds) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        file = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        os.dup2(file, 1)
        os.dup2(file, 2)
        temporary = output.with_suffix(".tmp")  # of its own: pytest removes what other runs have left, or still use
        temporary.mkdir(exist_ok=True)
        os.environ["PYTEST_DEBUG_TEMPROOT"] = str(temporary)
        status = 0 if task.run(seat) else 1
    except BaseException:  # noqa: BLE001  nothing may come back into the caller's code
        traceback.print_exc()
    finally:
        os._exit(status)


def _ended(running: dict[int, tuple[int, Task, float]], free: list[int]) -> Iterator[tuple[int, bool]]:
    time.sleep(0.01)
    for process, (seat, task, started) in list(running.items()):
        if time.monotonic() - started > max(LEAST_SECONDS, 2 * task.cpu_seconds):
            _kill(process)
        ended, status = os.waitpid(process, os.WNOHANG)
        if ended:
            _kill(process)
            del running[process]
            free.append(seat)
            yield task.index, status == 0


def _kill(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)
