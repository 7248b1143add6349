"""Runs another program with an access token in its environment.

On POSIX it replaces this process, so that signals, the terminal, job control and the exit code are its own. Windows
cannot do that, so there this process waits for the program.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from withings_auth.cli.formats import TOKEN_VARIABLE, USERID_VARIABLE
from withings_auth.model import Token

NOT_FOUND = 127  # these two are what shells return
NOT_STARTED = 126


def environment_with(token: Token, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment with the token and its userid, and without the app's client secret."""
    kept = {name: value for name, value in environ.items() if name != "WITHINGS_CLIENT_SECRET"}
    return {**kept, TOKEN_VARIABLE: token.access_token, USERID_VARIABLE: token.userid}


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Replaces this process by the program; on Windows, waits for the program and exits with its code.

    Raises `OSError` if it cannot be started.
    """
    if sys.platform == "win32":
        sys.exit(wait_for(command, environment))
    # Python ignores these two, and the program would inherit that: `yes | head` would report an error.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(command[0], list(command), environment)  # noqa: S606  no shell on purpose


def wait_for(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the program as a child process and returns its exit code. Raises `OSError`."""
    program_file = shutil.which(command[0]) or command[0]  # Windows itself looks for .exe only
    with subprocess.Popen([program_file, *command[1:]], env=environment) as program:  # noqa: S603  the user asked for it
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:  # the console interrupted the program as well, which decides
                continue


def exit_code_of(error: OSError) -> int:
    """Returns the exit code of a shell that cannot start a program for this reason."""
    return NOT_FOUND if isinstance(error, FileNotFoundError | NotADirectoryError) else NOT_STARTED
