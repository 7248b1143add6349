"""The other side of `processes`: forks a process for each order, which works in a store's directory, and reports on it.

It has loaded everything before the first order, and `failing_calls` is preloaded. It is single-threaded when it forks.
"""

from __future__ import annotations

import fcntl
import gc
import importlib
import json
import os
import pkgutil
import re
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

import withings_auth
from tests.support.stores import save_record
from tests.support.visitor import VisitError, visit
from tests.sweep import preload
from tests.sweep.orders import Fault, Order
from withings_auth.cli import main, parsing
from withings_auth.cli.ui.terminal import complain
from withings_auth.config.settings import read_settings
from withings_auth.errors import WithingsAuthError
from withings_auth.model import App
from withings_auth.profiles.adopt import adopt
from withings_auth.profiles.foreign import read_foreign
from withings_auth.provider.http import post
from withings_auth.store.file_store import FileStore
from withings_auth.tokens.renewal import Effects, renew
from withings_auth.tokens.requirement import Requirement

LIMIT_SECONDS = 60
LATER_SECONDS = 11  # the guard of an earlier attempt is over
UNUSED = ("withings_auth.__main__", "withings_auth.adapters", "withings_auth.testing")


def serve() -> None:
    """Forks a process for each order on standard input, and reports its end."""
    _prepare()
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        out, err, report = (os.memfd_create(name) for name in ("out", "err", "report"))
        child = os.fork()
        if child == 0:
            _obey(Order(**order | {"fault": Fault(**order["fault"])}), out, err, report)
        returncode = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        reported = json.loads(_text(report) or "{}")
        print(
            json.dumps({"returncode": returncode, "stdout": _text(out), "stderr": _text(err), **reported}), flush=True
        )
        for descriptor in (out, err, report):
            os.close(descriptor)


def _prepare() -> None:
    """Does here, once, what each fork would do before its first call on the directory."""
    for module in pkgutil.walk_packages(withings_auth.__path__, "withings_auth."):
        if not module.name.startswith(UNUSED):
            importlib.import_module(module.name)
    post("http://localhost:1/", {})  # imports what the first request imports
    for command in ("login", "token", "import", "logout"):
        parsing.parse([command, *(["file"] if command == "import" else [])])  # compiles argparse's expressions


def _text(descriptor: int) -> str:
    return os.pread(descriptor, 1 << 20, 0).decode()


def _obey(order: Order, out: int, err: int, report: int) -> NoReturn:
    signal.alarm(LIMIT_SECONDS)
    for file, standard in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
        os.dup2(file, standard)
    os.environ.update(order.environ)
    exec(order.change, {})  # noqa: S102  a test's own code
    if order.browses:
        threading.Thread(target=_browse, args=(err,), daemon=True).start()
    directory = Path(order.directory)
    preload.begin(order.directory, order.fault)
    code = WORK[order.what](directory, *order.arguments)
    gc.collect()  # what a collection complains about is part of the output
    trace = preload.end()
    sys.stdout.flush()
    sys.stderr.flush()
    held = [str(lock.relative_to(directory)) for lock in directory.rglob("*.lock") if _is_held(lock)]
    os.write(report, json.dumps({"trace": trace, "held": held}).encode())
    os._exit(code)


def _browse(err: int) -> None:
    """Allows access at the address that the login shows, as soon as it shows it."""
    while not (found := re.search(r"^http\S+(?=\n)", _text(err), re.MULTILINE)):
        time.sleep(0.002)
    with suppress(VisitError):  # the login has ended
        visit(found[0])


def _is_held(lock: Path) -> bool:
    descriptor = os.open(lock, os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _command(_: Path, *arguments: str) -> int:
    """Runs a command, as the user does."""
    return main(arguments)


def _save(directory: Path, name: str, text: str) -> int:
    return _exit_code(lambda: save_record(FileStore(directory), name, text))


def _ask(directory: Path) -> int:
    """Asks for a token, some time later."""
    required = Requirement(min_valid=60)
    return _exit_code(
        lambda: renew(FileStore(directory), "default", required, secret_for=lambda _: None, effects=_later())
    )


def _import(directory: Path, file: str) -> int:
    """Imports the file, some time later."""
    login = read_foreign(Path(file).read_bytes())
    assert login.client_id is not None
    assert login.client_secret is not None
    app = App(client_id=login.client_id, client_secret=login.client_secret)
    url = read_settings().endpoints.token_url
    return _exit_code(lambda: adopt(FileStore(directory), "default", login, app, url, replace=False, effects=_later()))


def _later() -> Effects:
    return Effects(post=post, now=lambda: time.time() + LATER_SECONDS)


def _exit_code(work: Callable[[], object]) -> int:
    try:
        work()
    except WithingsAuthError as error:
        return complain(str(error), error.hint, error.exit_code)
    return 0


WORK: dict[str, Callable[..., int]] = {"command": _command, "save": _save, "ask": _ask, "import": _import}
