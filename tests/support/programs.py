"""Starts real programs as a user, a script or a terminal does, and never waits for them without a limit."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import shlex
import signal
import struct
import subprocess
import sys
import termios
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.streams import Stream

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from tests.support.canaries import Canaries
    from tests.support.forks import Fork, Forks

_TAKE_THE_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """How a program ended; `screen` is what its terminal showed, `stdout` and `stderr` what it wrote to pipes."""

    returncode: int
    seconds: float
    stdout: str = ""
    stderr: str = ""
    screen: str = ""


class Program:
    """A running program in a session and process group of its own, all of which ends with the test."""

    def __init__(self, process: subprocess.Popen[bytes] | Fork, streams: dict[str, Stream], stdin: int | None) -> None:
        self.name = shlex.join(str(argument) for argument in process.args)  # type: ignore[union-attr]  # always a list
        self._process = process
        self._streams = streams
        self._stdin = stdin
        self._started = time.monotonic()
        self._finished: Finished | None = None

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._process.pid

    @property
    def stdout(self) -> Stream:
        """Its standard output, unless it is on a terminal."""
        return self._streams["stdout"]

    @property
    def stderr(self) -> Stream:
        """Its standard error, unless it is on a terminal."""
        return self._streams["stderr"]

    @property
    def screen(self) -> Stream:
        """What its terminal shows."""
        return self._streams["screen"]

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.poll() is None

    def type(self, text: str) -> None:
        """Give it input: keys on a terminal (`\\x03` is Ctrl-C, `\\x04` Ctrl-D), bytes on a pipe."""
        if self._stdin is None:
            raise AssertionError("this program was started without input")
        with contextlib.suppress(BrokenPipeError):  # it ended without reading, which `wait` shows
            os.write(self._stdin, text.encode())

    def end_input(self) -> None:
        """Close the pipe from which it reads."""
        if self._stdin is not None and "screen" not in self._streams:
            os.close(self._stdin)
            self._stdin = None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, but not to what it started."""
        self._process.send_signal(number)

    def wait(self, *, seconds: float = 60) -> Finished:
        """Wait for the end of the program and of everything that holds its output."""
        if self._finished is None:
            try:
                returncode = self._process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.destroy()
                written = {name: stream.text[-2000:] for name, stream in self._streams.items()}
                raise AssertionError(f"still running after {seconds} s; it wrote {written}") from None
            took = time.monotonic() - self._started
            if not all(stream.end(seconds=15) for stream in self._streams.values()):
                self.destroy()
                raise AssertionError("the program ended, but something that it started still holds its output")
            texts = {name: stream.text for name, stream in self._streams.items()}
            self._finished = Finished(returncode=returncode, seconds=took, **texts)
        return self._finished

    def destroy(self) -> None:
        """Kill it and everything that it started in its process group."""
        with contextlib.suppress(ProcessLookupError):  # the group is empty
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in self._streams.values():
            stream.end(seconds=2)
        if self._stdin is not None:
            os.close(self._stdin)
            self._stdin = None

    def texts(self) -> dict[str, str]:
        """Everything that it has written, by stream."""
        return {name: stream.text for name, stream in self._streams.items()}


# Changes to the environment of a program that cannot write coverage data, as another user or without descriptors.
UNMEASURED: Mapping[str, None] = {"COVERAGE_PROCESS_CONFIG": None, "COVERAGE_PROCESS_START": None}


class Cli:
    """Runs one command with different arguments in the environment of the test, and remembers all output."""

    def __init__(
        self, command: Sequence[str], canaries: Canaries, forks: Forks | None = None, *, code: str | None = None
    ) -> None:
        """With `forks`, which run just this command or this code, it is started afresh only if they do not fit."""
        self._command = tuple(command)
        self._canaries = canaries
        self._forks = forks
        self._code = code
        self._started: list[tuple[Program, Collection[str]]] = []

    def using(self, *command: str) -> Cli:
        """The same with another command."""
        other = Cli(command, self._canaries)
        other._started = self._started
        return other

    def by(self, code: str) -> Cli:
        """The same, run by Python code that changes something first."""
        other = Cli((sys.executable, "-c", code), self._canaries, self._forks, code=code)
        other._started = self._started
        return other

    def __call__(
        self,
        *arguments: str,
        env: Mapping[str, str | None] | None = None,
        stdin: str | None = None,
        seconds: float = 60,
        allow: Collection[str] = (),
    ) -> Finished:
        """Run it to its end; without `stdin` its input is empty. `env` adds variables, None removes one.

        The secrets in `allow` may be in its standard output, which is the purpose of `token`.
        """
        program = self.start(*arguments, env=env, stdin=stdin is not None, allow=allow)
        if stdin is not None:
            program.type(stdin)
            program.end_input()
        return program.wait(seconds=seconds)

    def start(
        self,
        *arguments: str,
        env: Mapping[str, str | None] | None = None,
        stdin: bool = False,
        allow: Collection[str] = (),
    ) -> Program:
        """Start it and return at once; with `stdin` there is a pipe to `type` into."""
        out, child_out = os.pipe()
        err, child_err = os.pipe()
        child_in, into = os.pipe() if stdin else (os.open(os.devnull, os.O_RDONLY), None)
        try:
            process = self._run(arguments, _environment(env), (child_in, child_out, child_err))
        finally:
            for descriptor in (child_in, child_out, child_err):
                os.close(descriptor)
        return self._remember(
            Program(process, {"stdout": Stream(out, "stdout"), "stderr": Stream(err, "stderr")}, into),
            allow,
        )

    def on_terminal(
        self,
        *arguments: str,
        env: Mapping[str, str | None] | None = None,
        allow: Collection[str] = (),
    ) -> Program:
        """Start it on a controlling terminal of its own, 100 columns wide: Ctrl-C and /dev/tty work.

        A terminal shows all output, so the secrets in `allow` may be anywhere on it.
        """
        ours, its = pty.openpty()
        try:
            fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
            process = self._run(arguments, {"TERM": "xterm", **_environment(env)}, (its, its, its), terminal=True)
        finally:
            os.close(its)
        keys = os.dup(ours)
        return self._remember(Program(process, {"screen": Stream(ours, "screen")}, keys), allow)

    def _run(
        self, arguments: Sequence[str], environ: Mapping[str, str], streams: Sequence[int], *, terminal: bool = False
    ) -> subprocess.Popen[bytes] | Fork:
        if self._forks is not None and self._forks.fits(environ):
            return self._forks.start(arguments, environ, streams, terminal=terminal, code=self._code)
        first = (sys.executable, "-S", "-E", "-c", _TAKE_THE_TERMINAL) if terminal else ()
        stdin, stdout, stderr = streams
        command = [*first, *self._command, *arguments]
        return subprocess.Popen(command, env=environ, stdin=stdin, stdout=stdout, stderr=stderr, start_new_session=True)

    def _remember(self, program: Program, allow: Collection[str]) -> Program:
        self._started.append((program, allow))
        return program

    def close(self) -> None:
        """End what still runs, and pass all output to the canaries."""
        for program, allowed in self._started:
            program.destroy()
            for stream, text in program.texts().items():
                may: Collection[str] = () if stream == "stderr" else allowed
                self._canaries.hear(f"{stream} of {program.name}", text, allowed=may)


def bare(**variables: str) -> tuple[str, ...]:
    """The beginning of a command that runs with these variables only, as cron would; coverage is still measured."""
    measured = {name: value for name, value in os.environ.items() if name.startswith("COVERAGE_")}
    return ("env", "-i", *(f"{name}={value}" for name, value in {**variables, **measured}.items()))


def _environment(changes: Mapping[str, str | None] | None) -> dict[str, str]:
    changed: dict[str, str | None] = {**os.environ, **(changes or {})}
    return {name: value for name, value in changed.items() if value is not None}
