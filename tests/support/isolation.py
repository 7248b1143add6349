"""What keeps a test away from the person at whose machine it runs: their keyring, their files, their screen.

The test process itself is put into an environment of its own, so that code under test and every program it starts
inherit it; nothing has to be remembered in a test.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pytest

_OF_THE_PERSON = (
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
"""Beginnings of the names of variables that lead to the person's own things, or tell where they sit."""


def environment(home: Path, inherited: Mapping[str, str]) -> dict[str, str]:
    """The inherited variables without those of the person, and with every directory inside `home`.

    The bus address points to a socket that does not exist: without one, code would go and find the real bus.
    """
    kept = {name: value for name, value in inherited.items() if not name.startswith(_OF_THE_PERSON)}
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
    """From here until `patch` is undone this process lives in `home` and knows nothing of the person."""
    home.mkdir(mode=0o700, exist_ok=True)
    (home / "run").mkdir(mode=0o700)
    isolated = environment(home, os.environ)
    for name in os.environ.keys() - isolated.keys():
        patch.delenv(name)
    for name, value in isolated.items():
        patch.setenv(name, value)
    time.tzset()


def footprints(home: Path) -> dict[Path, int]:
    """When each file of ours under a home was last changed: compared before and after, it shows a test that got out."""
    return {
        path: path.stat().st_mtime_ns
        for place in (".local/state", ".config", ".local/share", ".cache")
        for path in _tree(home / place / "withings-auth")
    }


def _tree(root: Path) -> Iterator[Path]:
    if root.exists():
        yield root
        yield from root.rglob("*")
