"""Keeps tests away from the user of the machine: their keyring, their files, their screen, and how they started us.

The test process itself gets an environment of its own, which the code under test and every program that it starts
inherit. No test has to think of it.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

_OF_THE_USER = (
    "BROWSER",
    "DISPLAY",
    "DBUS_",
    "GNOME_KEYRING_",
    "PYTHON_KEYRING_",
    "SSH_",
    "WAYLAND_DISPLAY",
    "WITHINGS_",
    "WSL_",
    "XDG_",
    "container",
)
"""Prefixes of the variables that lead to the user's own things or describe their session."""


def environment(home: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """Returns the inherited variables without the user's own, and with every directory inside `home`.

    The bus address names a socket that does not exist: if it were unset, code would look for the real bus.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_OF_THE_USER)}
    return kept | {
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / ".cache"),
        "XDG_CONFIG_HOME": str(home / ".config"),
        "XDG_DATA_HOME": str(home / ".local" / "share"),
        "XDG_STATE_HOME": str(home / ".local" / "state"),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "DBUS_SESSION_BUS_ADDRESS": f"unix:path={home / 'run' / 'no-bus-in-tests'}",
        "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
        "TERM": "xterm",
        "TZ": "UTC",
    }


def enter(home: Path, patch: pytest.MonkeyPatch) -> None:
    """Lets this process live in `home`, and know nothing of the user, until `patch` is undone."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "run").mkdir(mode=0o700)
    isolated = environment(home, os.environ)
    for name in os.environ.keys() - isolated.keys():
        patch.delenv(name)
    for name, value in isolated.items():
        patch.setenv(name, value)
    time.tzset()


def hear_signals() -> None:
    """Ends what `nohup` and a script's `&` do to signals: they are ignored, and every program inherits that.

    Programs start with the defaults, because a handler is not inherited. This process can be interrupted, and outlives
    its terminal as before.
    """
    for number in (signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda _number, _frame: None)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def footprints(home: Path) -> dict[Path, int]:
    """Returns when each of our files in a home was last changed, which shows whether a test escaped."""
    return {
        path: path.stat().st_mtime_ns
        for place in (".local/state", ".config", ".local/share", ".cache")
        for path in _tree(home / place / "withings-auth")
    }


def _tree(root: Path) -> Iterator[Path]:
    if root.exists():
        yield root
        yield from root.rglob("*")
