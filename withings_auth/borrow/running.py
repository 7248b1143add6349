"""A program behind the proxy, from its start to its end; the proxy lives as long as it does."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import secrets
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from withings_auth.borrow.calls import HOSTS
from withings_auth.borrow.certificates import issue_certificates, make_server_context, write_bundle
from withings_auth.borrow.environment import BUNDLE_VARIABLES, behind_proxy
from withings_auth.borrow.proxy import Proxy
from withings_auth.errors import OutOfResources, WithingsAuthError
from withings_auth.provider.variables import refuse_unusable_variables
from withings_auth.threads import run_coroutine

if TYPE_CHECKING:
    from withings_auth.tokens.source import AsyncTokenSource

if sys.platform == "win32":
    raise ImportError("Windows has no signals to forward")  # `cli.borrowed` says so first

_PREFIX = "withings-auth-run-"
_NEW_PREFIX = "withings-auth-new-"
_KILLED_BY = 128  # a shell adds the number of the signal

_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
_FROM_TERMINAL = (signal.SIGINT, signal.SIGQUIT)  # if a key was pressed, for all in its foreground


def run_behind_proxy(
    command: Sequence[str],
    *,
    source: AsyncTokenSource,
    api_url: str,
    environment: Mapping[str, str],
    tell: Callable[[WithingsAuthError], None],
) -> int:
    """Runs the program, with calls to Withings on the source's login, and returns its exit code as a shell would.

    `tell` is called with what the user should know meanwhile. Raises `OSError` if the program cannot be started,
    `OutOfResources` if the proxy cannot, and `UnusableVariable` if Withings cannot be reached as the environment
    demands.
    """
    refuse_unusable_variables(api_url)
    # What asyncio says about connections that end is of no use to anybody, and it would say it on the program's stderr.
    logging.getLogger("asyncio").disabled = True
    certificates = issue_certificates(HOSTS)
    with ExitStack() as stack:
        with _before_the_program():
            context = make_server_context(certificates)
            bundle = stack.enter_context(_private_directory()) / "authorities.pem"
            write_bundle(bundle, certificates, more=[environment.get(name) for name in BUNDLE_VARIABLES])

        async def run() -> int:
            password = secrets.token_urlsafe(24)
            async with AsyncExitStack() as serving:
                with _before_the_program():
                    port = await serving.enter_async_context(Proxy(source, api_url, tell).serve(context, password))
                inside = behind_proxy(environment, port=port, password=password, bundle=bundle)
                return await _run_to_its_end(command, inside)

        return run_coroutine(run)


@contextmanager
def _before_the_program() -> Iterator[None]:
    """Raises `OutOfResources` for an `OSError`, which would mean that the program cannot be started."""
    try:
        yield
    except OSError as error:
        raise OutOfResources(
            f"the proxy cannot be started: {error.strerror or type(error).__name__}",
            hint="it needs a temporary directory with free space (TMPDIR) and descriptors (ulimit -n)",
        ) from error


async def _run_to_its_end(command: Sequence[str], environment: Mapping[str, str]) -> int:
    running: list[asyncio.subprocess.Process] = []
    early: list[int] = []

    def forward(number: int) -> None:
        if number in _FROM_TERMINAL and _is_in_foreground():
            return  # the program has it, too
        if not running:
            early.append(number)
            return
        with suppress(ProcessLookupError):
            running[0].send_signal(number)

    with _signals_passed_to(forward):
        # Descriptors that this process has inherited are the program's: of a shell's <(…), or of a service manager.
        running.append(await asyncio.create_subprocess_exec(*command, env=environment, close_fds=False))
        for number in early:
            forward(number)
        code = await running[0].wait()
    return code if code >= 0 else _KILLED_BY - code


@contextmanager
def _signals_passed_to(forward: Callable[[int], None]) -> Iterator[None]:
    """Calls `forward` with each signal that is for the program."""
    loop = asyncio.get_running_loop()
    earlier = {number: signal.getsignal(number) for number in (*_FORWARDED, *_FROM_TERMINAL)}
    handled = [number for number, handler in earlier.items() if handler is not signal.SIG_IGN]  # as under nohup
    for number in handled:
        loop.add_signal_handler(number, forward, number)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)
            signal.signal(number, earlier[number])


def _is_in_foreground() -> bool:
    """Whether a terminal's signals reach this process, and so the program."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)


@contextmanager
def _private_directory() -> Iterator[Path]:
    """Makes a directory for this run, and removes it afterwards, and those of runs that were killed."""
    _remove_left_over()
    # It is locked before it has a name by which another run, which cleans up as well, would find and remove it.
    made = Path(tempfile.mkdtemp(prefix=_NEW_PREFIX))
    lock = _lock(made)
    directory = made.rename(made.with_name(made.name.replace(_NEW_PREFIX, _PREFIX)))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        if lock is not None:
            os.close(lock)


def _remove_left_over() -> None:
    for directory in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        lock = _lock(directory)
        if lock is not None:
            shutil.rmtree(directory, ignore_errors=True)
            os.close(lock)


def _lock(directory: Path) -> int | None:
    """Returns a descriptor that locks the directory as long as it is open; None if it is locked, or not ours."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        if os.fstat(descriptor).st_uid != os.getuid():
            raise PermissionError
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
