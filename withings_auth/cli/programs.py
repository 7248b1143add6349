"""Starting a program of somebody else's with an access token in its environment.

On POSIX it takes our place in the process: so signals, the terminal, job control and the exit code are its own, and
nothing of ours stays in between. Windows has no such thing, so there it is waited for.
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

NOT_FOUND = 127  # these two as shells have them
NOT_STARTED = 126


def environment_with(token: Token, environ: Mapping[str, str]) -> dict[str, str]:
    """Returns the environment with the token and whose it is in it, and without the app's client secret."""
    kept = {name: value for name, value in environ.items() if name != "WITHINGS_CLIENT_SECRET"}
    return {**kept, TOKEN_VARIABLE: token.access_token, USERID_VARIABLE: token.userid}


def become(command: Sequence[str], environment: Mapping[str, str]) -> NoReturn:
    """Runs the program in place of this one; on Windows, waits for its end and takes its exit code for ours.

    Raises `OSError` where it cannot be started.
    """
    if sys.platform == "win32":
        sys.exit(wait_for(command, environment))
    # Python ignores these two, and a program inherits what is ignored: `yes | head` would complain.
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.execvpe(command[0], list(command), environment)  # noqa: S606  a shell is not wanted


def wait_for(command: Sequence[str], environment: Mapping[str, str]) -> int:
    """Runs the program as a child, to its end, and returns its exit code. Raises `OSError`."""
    program_file = shutil.which(command[0]) or command[0]  # Windows itself would look for .exe alone
    with subprocess.Popen([program_file, *command[1:]], env=environment) as program:  # noqa: S603  it is what was asked
        while True:
            try:
                return program.wait()
            except KeyboardInterrupt:  # the console has told the program too, whose matter it is
                continue


def exit_code_of(error: OSError) -> int:
    """Returns what a shell answers where a program could not be started for this reason."""
    return NOT_FOUND if isinstance(error, FileNotFoundError | NotADirectoryError) else NOT_STARTED
