"""The commands in config.toml that run after a renewal, and when a login turns out to have ended.

Whichever program notices it, a person learns of it once: most programs run where nobody reads what they print.
"""

from __future__ import annotations

import logging
import os
import re
import subprocess
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from withings_auth.config.settings import Settings
from withings_auth.errors import OutOfResources
from withings_auth.store.session_bus import VARIABLE, session_bus_address
from withings_auth.threads import start_daemon
from withings_auth.validation import printable

logger = logging.getLogger(__name__)

EVENT_VARIABLE = "WITHINGS_AUTH_EVENT"
MESSAGE_VARIABLE = "WITHINGS_AUTH_MESSAGE"
_SECRET_VARIABLE = re.compile(r"WITHINGS_.*(SECRET|TOKEN)", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened to a profile's login, and a sentence that tells its user about it."""

    name: Literal["renewed", "login_needed"]
    profile: str
    message: str


def start_hook(settings: Settings, event: Event) -> None:
    """Starts the event's command, if there is one, and returns at once; logs a warning if it cannot be started.

    The command has a session of its own and reads and prints nothing, so that neither Ctrl-C nor the end of the
    terminal stops it, and no program that reads our output waits for it.
    """
    command = settings.on_renewed if event.name == "renewed" else settings.on_login_needed
    if not command:
        return
    try:
        process = subprocess.Popen(  # noqa: S603  the user asked for it
            command,
            env=_environment(event),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        # Waited for, or it would stay a zombie as long as this program runs.
        with suppress(OutOfResources):
            start_daemon(process.wait, "withings-auth hook")
    except (OSError, ValueError, RuntimeError) as error:  # ValueError: a NUL; RuntimeError: the interpreter is ending
        why = error.strerror if isinstance(error, OSError) else str(error)
        program = printable(command[0], limit=80)
        logger.warning("withings-auth: on_%s in config.toml: “%s” cannot be started: %s", event.name, program, why)


def _environment(event: Event) -> dict[str, str]:
    """Returns this program's environment with the event, and with the session bus for notifications; no secrets."""
    kept = {name: value for name, value in os.environ.items() if _SECRET_VARIABLE.match(name) is None}
    bus = session_bus_address(os.environ)  # which cron does not name
    return {
        **kept,
        **({} if bus is None else {VARIABLE: bus}),
        EVENT_VARIABLE: event.name,
        "WITHINGS_AUTH_PROFILE": event.profile,
        MESSAGE_VARIABLE: event.message,
    }
