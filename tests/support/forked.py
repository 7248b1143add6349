"""The other side of `forks`: has loaded all that a command can need, and forks a process for each order.

It is single-threaded, and runs as a program of its own. If coverage is measured, it has measured what loading runs, and
saved that for all forks: each of them saves only what it does itself.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import json
import os
import pkgutil
import runpy
import signal
import socket
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any, NoReturn

LIBRARIES = (
    *("argparse", "asyncio", "difflib", "getpass", "logging", "tempfile", "urllib.request", "webbrowser"),
    *("aiohttp.web", "keyring", "secretstorage", "tomlkit"),
)
UNUSED = ("withings_auth.__main__", "withings_auth.adapters", "withings_auth.testing")  # by commands


def serve(orders: socket.socket) -> str | None:
    """Forks, and tells how a fork ended, until nobody can ask any more.

    Returns in each fork too, with the code that it runs instead of the command itself.
    """
    measurement = _measurement()
    _load()
    if measurement is not None:
        measurement.save()
        # Coverage notes all files of the package whenever it saves, which would be most of the work of each fork.
        measurement._post_save_work = lambda: None
    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # in a fork, no traceback comes before the command's first line
    while True:
        data, descriptors, _, _ = socket.recv_fds(orders, 1 << 20, 3)
        if not data:
            sys.exit()
        order = json.loads(data)
        if "ended" in order:
            _, status = os.waitpid(order["ended"], 0)
            orders.send(str(os.waitstatus_to_exitcode(status)).encode())
        elif os.fork() == 0:
            _become(order, descriptors)
            orders.send(str(os.getpid()).encode())
            orders.close()
            code: str | None = order["code"]
            return code
        for descriptor in descriptors:
            os.close(descriptor)


def _measurement() -> Any:
    """The measurement of coverage that the environment asks for."""
    if not {"COVERAGE_PROCESS_CONFIG", "COVERAGE_PROCESS_START"} & os.environ.keys():
        return None
    import coverage

    coverage.process_startup()  # unless Python's own start has done that
    return coverage.Coverage.current()


def _load() -> None:
    sys.path[0] = str(Path(__file__).parents[2])  # as for a command that is started there
    for name in LIBRARIES:
        importlib.import_module(name)
    package = importlib.import_module("withings_auth")
    for found in pkgutil.walk_packages(package.__path__, "withings_auth."):
        if not found.name.startswith(UNUSED):
            importlib.import_module(found.name)


def _become(order: dict[str, Any], descriptors: list[int]) -> None:
    """Gives this process what the system gives to a new one."""
    os.setsid()
    for standard, descriptor in enumerate(descriptors):
        os.dup2(descriptor, standard)
        os.close(descriptor)
    if order["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.umask(order["umask"])
    os.chdir(order["directory"])
    os.environ.clear()
    os.environ.update(order["environ"])
    time.tzset()
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]  # not replaced here
    sys.path[0] = order["directory"]
    sys.argv[1:] = order["arguments"]


def _run(code: str | None) -> None:
    if code is None:
        runpy.run_module("withings_auth", run_name="__main__", alter_sys=True)
    else:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        exec(code, {"__name__": "__main__"})  # noqa: S102  as `python -c` does


def _end(status: int) -> NoReturn:
    """Does what the interpreter does at its end, but takes nothing apart: that is two thirds of a fork's time."""
    threading._shutdown()  # type: ignore[attr-defined]  # what waits for threads has no public name
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


if __name__ == "__main__":
    given = serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        _run(given)
    except SystemExit as ended:
        if not isinstance(ended.code, int):
            raise
        _end(ended.code)
    _end(0)
