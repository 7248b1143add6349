"""The user's own session bus when the environment names none, as under cron or in a system service.

The command line sets the variable in its own environment. A library must not change its host program's, so it passes
the address to the Secret Service backend, chosen or named. It cannot do that for libsecret and KWallet: GDBus and
libdbus read only DBUS_SESSION_BUS_ADDRESS and XDG_RUNTIME_DIR, so a host program that uses them must set one.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

VARIABLE = "DBUS_SESSION_BUS_ADDRESS"
USER_RUNTIME_DIRECTORIES = Path("/run/user")


def session_bus_address(environ: Mapping[str, str]) -> str | None:
    """Returns the address of the user's bus, or None if the environment names one or there is none.

    It is systemd's bus at /run/user/UID/bus, used only if the socket belongs to this user.
    """
    if sys.platform != "linux" or environ.get(VARIABLE):
        return None
    bus = USER_RUNTIME_DIRECTORIES / str(os.getuid()) / "bus"
    try:
        status = bus.lstat()
    except OSError:
        return None
    ours = stat.S_ISSOCK(status.st_mode) and status.st_uid == os.getuid()
    return f"unix:path={bus}" if ours else None
