"""Refuses files and directories that another user could have put there, could change, or could read."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from withings_auth.errors import StoreUnavailable
from withings_auth.validation import printable

OTHERS_HAVE_ACCESS = "other users have access"
FOREIGN = "it belongs to another user"


class Rule(NamedTuple):
    """What a path must be to be safe for something, and the access that nobody else may have."""

    safe_for: str
    kind: str
    is_one: Callable[[int], bool]
    mode: str
    others_may_not: int = 0o077
    root_may_own_it: bool = False


SECRET = Rule(safe_for="secrets", kind="a plain file", is_one=stat.S_ISREG, mode="600")
SECRETS = Rule(safe_for="secrets", kind="a directory", is_one=stat.S_ISDIR, mode="700")
LOCK = SECRET._replace(safe_for="locks")
LOCKS = SECRETS._replace(safe_for="locks")
# Everybody may read settings, and an administrator may provide them.
SETTINGS = SECRET._replace(safe_for="settings", mode="go-w", others_may_not=0o022, root_may_own_it=True)
SETTINGS_PLACE = SETTINGS._replace(kind=SECRETS.kind, is_one=SECRETS.is_one)


def this_user() -> int | None:
    """Returns the id of the user that this process acts for; None on Windows, where owners and modes say nothing."""
    if sys.platform == "win32":
        return None
    return os.geteuid()


def find_fault(status: os.stat_result, rule: Rule, user: int | None) -> str | None:
    """Returns what is wrong with a path of this status for `this_user`, None if nothing is."""
    if stat.S_ISLNK(status.st_mode):
        return "it is a symbolic link"
    if not rule.is_one(status.st_mode):
        return f"it is not {rule.kind}"
    if user is None:
        return None
    if status.st_uid != user and not (rule.root_may_own_it and status.st_uid == 0):
        return FOREIGN
    return OTHERS_HAVE_ACCESS if status.st_mode & rule.others_may_not else None


def quoted(path: Path) -> str:
    """Returns the path as a shell reads it, made fit to print."""
    import shlex  # here, because a token is handed out without it

    return shlex.quote(printable(str(path)))


def refuse_unsafe(path: Path, status: os.stat_result, rule: Rule, *, hint: str) -> None:
    """Raises `StoreUnavailable` if anything is wrong with the path; `hint` is for all but a wrong owner or mode."""
    user = this_user()
    fault = find_fault(status, rule, user)
    if fault == OTHERS_HAVE_ACCESS:
        hint = f"chmod {rule.mode} {quoted(path)}"
    elif fault == FOREIGN:
        hint = f"{owner_hint(path, status)}, or make it yours, as root: chown -R {user} {quoted(path)}"
    if fault is not None:
        raise StoreUnavailable(f"{printable(str(path))} is not safe for {rule.safe_for}: {fault}", hint=hint)


def owner_hint(path: Path, status: os.stat_result) -> str:
    """Returns the first remedy for a path of another user's, such as a volume that another container has filled."""
    owner = status.st_uid
    return (
        f"{printable(str(path))} belongs to user {owner}, and this is user {this_user()}: run the command as its owner"
        f" (in a container: docker run --user {owner})"
    )


def refuse_unsafe_places(*directories: Path, rule: Rule, hint: str) -> None:
    """Raises `StoreUnavailable` if one of the directories is there and is not safe. Raises OSError."""
    for directory in directories:
        with suppress(FileNotFoundError):
            refuse_unsafe(directory, directory.lstat(), rule, hint=hint)
