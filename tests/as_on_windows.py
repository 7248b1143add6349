"""Runs command lines as on Windows: without what only POSIX has, and with the decisions that are made for Windows.

Only this package sees that. Python and the libraries were loaded before, and go on as on this machine; that nothing in
the package needs POSIX is all that this shows.
"""

from __future__ import annotations

import asyncio
import importlib
import io
import os
import pkgutil
import signal
import sys
import tempfile
from contextlib import redirect_stderr, redirect_stdout
from types import ModuleType

import filelock
import platformdirs.windows  # noqa: F401  it chooses its way to ask when it is loaded

import withings_auth

POSIX_CALLS = """
chown fchmod fchown fork forkpty getegid geteuid getgid getgroups getpgid getpgrp getuid killpg lchown major minor
mkfifo mknod nice openpty posix_spawn pread pwrite setsid statvfs tcgetpgrp tcsetpgrp ttyname uname wait wait3 wait4
O_CLOEXEC O_DIRECTORY O_NOCTTY O_NOFOLLOW O_NONBLOCK O_SYNC WNOHANG
"""
POSIX_MODULES = "fcntl grp posix pty pwd resource termios tty"
WINDOWS_SIGNALS = "SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_IGN"
POSIX_ONLY = {
    "withings_auth.borrow.running",  # `run --as`, which says that it does not work on Windows
    "withings_auth.store.flock",
}


def without(module: ModuleType, names: set[str]) -> ModuleType:
    """Returns a copy of the module that lacks these names."""
    copy = ModuleType(module.__name__)
    vars(copy).update({name: value for name, value in vars(module).items() if name not in names})
    return copy


def pretend() -> list[str]:
    """Loads everything anew as on Windows; returns the modules that cannot be loaded."""
    names = [found.name for found in pkgutil.walk_packages(withings_auth.__path__, "withings_auth.")]
    for name in names:
        importlib.import_module(name)
    asyncio.new_event_loop().close()  # Python 3.14 chooses a kind for the platform with the first one
    with tempfile.TemporaryDirectory() as directory, filelock.FileLock(f"{directory}/lock"):
        pass  # it loads the rest of itself with its first lock
    for name in ["withings_auth", *names]:
        sys.modules.pop(name, None)
    unknown = {name for name in dir(signal) if name.startswith("SIG")} - set(WINDOWS_SIGNALS.split())
    sys.platform = "win32"
    sys.modules["os"] = without(os, set(POSIX_CALLS.split()))
    sys.modules["signal"] = without(signal, {*unknown, "alarm", "setitimer", "pthread_kill", "pthread_sigmask"})
    sys.modules["msvcrt"] = ModuleType("msvcrt")
    for name in POSIX_MODULES.split():
        sys.modules[name] = None  # type: ignore[assignment]  # the documented way to have an import fail
    return [name for name in names if not loads(name)]


def loads(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return name in POSIX_ONLY
    return name not in POSIX_ONLY


def run(line: str) -> None:
    """Prints the exit code of a command line, and the first line that it wrote to either stream."""
    cli = importlib.import_module("withings_auth.cli")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            code = cli.main(line.split())
        except SystemExit as end:
            code = end.code
        except Exception as error:  # noqa: BLE001  it is shown
            code = repr(error)
    print(f"{code} | {out.getvalue().partition(chr(10))[0]} | {err.getvalue().partition(chr(10))[0]}")


if __name__ == "__main__":
    print(pretend())
    for argument in sys.argv[1:]:
        run(argument)
