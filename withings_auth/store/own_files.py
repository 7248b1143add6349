"""Reads files that nobody but this user can have written, for those who give way if anything about them is unusual."""

from __future__ import annotations

import os
import sys
from stat import S_ISDIR, S_ISREG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

LARGEST_BYTES = 64 * 1024


class Unusual(Exception):
    """A file or directory is not what it nearly always is: `files` and `safety` know what to say about it."""


def read_own(path: str, *, places: int = 2, others_may_not: int = 0o077, follow: bool = False) -> str | None:
    """Returns the text of the file; None if it is missing. Raises `Unusual`, and OSError.

    As many of its parent directories as `places` must be safe, too. Symbolic links are `Unusual` unless `follow` says
    otherwise.
    """
    try:
        place = path
        for _ in range(places):
            place = os.path.dirname(place)  # noqa: PTH120  `pathlib` takes longer to load than this to read
            _check(os.stat(place, follow_symlinks=follow), S_ISDIR, others_may_not)  # noqa: PTH116  as above
        # Before it is opened, which a device may notice.
        _check(os.stat(path, follow_symlinks=follow), S_ISREG, others_may_not)  # noqa: PTH116  as above
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
        descriptor = os.open(path, flags | (0 if follow else getattr(os, "O_NOFOLLOW", 0)))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        _check(os.fstat(descriptor), S_ISREG, others_may_not)  # it may have been replaced since
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise Unusual
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise Unusual from None


def _check(status: os.stat_result, is_one: Callable[[int], bool], others_may_not: int) -> None:
    if sys.platform == "win32":  # where the status says nothing about owners and modes
        raise Unusual
    if not is_one(status.st_mode) or status.st_mode & others_may_not or status.st_uid != os.geteuid():
        raise Unusual
