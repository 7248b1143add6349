"""The other side of `forks`: has loaded libraries, but nothing of this package, and forks a process for each order.

It is single-threaded, and runs as a program of its own.
"""

from __future__ import annotations

import atexit
import fcntl
import gc
import importlib
import json
import os
import runpy
import socket
import sys
import termios
import time
from typing import Any

LIBRARIES = (
    *("argparse", "asyncio", "difflib", "getpass", "logging", "tempfile", "urllib.request", "webbrowser"),
    *("aiohttp.web", "coverage.sqldata", "keyring", "secretstorage", "tomlkit"),
)


def serve(orders: socket.socket) -> None:
    """Forks, and tells how a fork ended, until nobody can ask any more; returns in each fork too."""
    spared = _load()
    gc.collect()
    gc.freeze()
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
            atexit.register(_spare, spared)
            return
        for descriptor in descriptors:
            os.close(descriptor)


def _load() -> list[Any]:
    before = set(sys.modules)
    for name in LIBRARIES:
        importlib.import_module(name)
    spared: list[Any] = [(name, module) for name, module in sys.modules.items() if name not in before]
    spared.append(spared)  # frozen, and so never collected
    return spared


def _spare(spared: list[Any]) -> None:
    """Lets the end of the interpreter take apart what this process has loaded itself, which is half of its time."""
    for name, _ in spared[:-1]:
        sys.modules.pop(name, None)


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


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
    import coverage

    coverage.process_startup()  # if the environment asks for it, as Python's own start would
    runpy.run_module("withings_auth", run_name="__main__", alter_sys=True)
