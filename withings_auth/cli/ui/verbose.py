"""`-v`: shows on stderr what the program does, through the standard library's logging."""

from __future__ import annotations

import logging
import platform
import sys
from datetime import datetime

from withings_auth import __version__
from withings_auth.cli.ui.terminal import coloured, tell

ROOT = "withings_auth"


def log_to_stderr() -> None:
    """From now on, shows everything that our modules log, and nothing from other libraries."""
    logger = logging.getLogger(ROOT)
    logger.addHandler(_Teller())
    logger.setLevel(logging.DEBUG)
    logger.debug("withings-auth %s, Python %s on %s", __version__, platform.python_version(), sys.platform)


class _Teller(logging.Handler):
    """Prints each record as a line with the time of day and the module."""

    def emit(self, record: logging.LogRecord) -> None:
        at = datetime.fromtimestamp(record.created).astimezone().isoformat(timespec="milliseconds")[11:23]
        room = record.name.removeprefix(f"{ROOT}.")
        tell(coloured(f"{at} {room}: {record.getMessage()}", "dim", sys.stderr))
