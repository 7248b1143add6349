"""What is done, said to whoever listens: `withings-auth -v`, or a program that has set up its logging.

Nobody can listen without having loaded `logging`, so that where it is not loaded, a valid token is handed out without
it. Everything is at DEBUG, under the names of our modules. No secret is ever said, and text from outside is made
harmless by who says it.
"""

from __future__ import annotations

import sys

_DEBUG = 10  # logging.DEBUG, which is not loaded here


def log(name: str, message: str, *values: object) -> None:
    """Says at DEBUG what is done, by the logger of this name, which is the caller's `__name__`."""
    # Another thread may be loading it at this moment, and getLogger is the last of it that is needed.
    find_logger = getattr(sys.modules.get("logging"), "getLogger", None)
    if find_logger is not None:
        find_logger(name).log(_DEBUG, message, *values, stacklevel=2)
