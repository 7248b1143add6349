"""Keeps a real access token in a program's files, for programs that talk to Withings past every proxy.

This is the only case in which an access token is in a file. It is one that nobody can renew, is replaced long before it
ends, and gives way to the placeholder when the program ends; if this process is killed, when the program is run again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from withings_auth.borrow.placeholder_files import Places, write_files
from withings_auth.borrow.preparing import stand_ins
from withings_auth.errors import WithingsAuthError
from withings_auth.threads import start_daemon

if TYPE_CHECKING:
    from withings_auth.borrow.descriptions import Description
    from withings_auth.model import Token

MIN_VALID_SECONDS = 5400  # the program that renews earliest does so an hour before the end
LOOK_SECONDS = 10.0


@contextmanager
def fresh_files(
    description: Description,
    places: Places,
    get_token: Callable[[], Token],
    tell: Callable[[WithingsAuthError], None],
    *,
    look_seconds: float = LOOK_SECONDS,
) -> Iterator[None]:
    """In the block, the files have an access token that works; afterwards, placeholders.

    `get_token` is asked again and again. `tell` is called if it fails meanwhile, and the files stay as they are. Raises
    what `get_token` raises at first, and what `write_files` raises.
    """
    writing, over = threading.Lock(), threading.Event()
    latest = get_token()

    def write(token: Token) -> None:
        with writing:
            if not over.is_set():
                write_files(description, places, {**stand_ins(token, places), "access_token": token.access_token})

    def keep_fresh() -> None:
        told = ""
        while not over.wait(look_seconds):
            try:
                write(get_token())
                told = ""
            except WithingsAuthError as error:
                if str(error) != told:
                    told = str(error)
                    tell(error)

    try:
        write(latest)
        start_daemon(keep_fresh, "withings-auth files")
        yield
    finally:
        with writing:
            over.set()
        write_files(description, places, stand_ins(latest, places))
