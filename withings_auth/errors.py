"""Every way in which withings-auth can fail.

Each error has a message, a `hint` that tells the user what to do, an `exit_code` for the shell, `temporary` if trying
again helps, and `retry_after` in seconds if the service named a time. The hint is also a note (PEP 678), so that the
traceback of a program that does not catch the error ends with it. No message contains a secret, and text from outside
is escaped before it gets here (`withings_auth.validation.printable`).
"""

from __future__ import annotations

import re
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:  # `typing` takes longer to load than a valid token to read
    from collections.abc import Iterator
    from typing import Self

COMMANDS_WITH_PROFILE = ("api", "configure", "doctor", "import", "login", "logout", "run", "status", "token")
_NAMES_NONE = r"(?!(?:(?!withings-auth )[^;,()\n])*--(?:profile|all|sandbox|help)\b)"  # in the rest of the command
_COMMAND = rf"\bwithings-auth (?:{'|'.join(COMMANDS_WITH_PROFILE)})\b{_NAMES_NONE}"  # compiled only if needed


class WithingsAuthError(Exception):
    """The base class of all errors of this package."""

    exit_code = 1
    temporary = False

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.retry_after = retry_after
        if hint:
            self.add_note(f"hint: {hint}")

    def with_message(self, message: str, *, hint: str | None = None) -> Self:
        """Returns a copy with another message, and with another hint if one is given.

        Raise it `from` this error, which stays as it is.
        """
        other = type(self)(message, hint=self.hint if hint is None else hint)
        vars(other).update({name: value for name, value in vars(self).items() if name not in {"hint", "__notes__"}})
        return other


class ConfigurationError(WithingsAuthError):
    """A setting, a parameter or the app is wrong or missing; this includes a wrong client id or client secret."""

    exit_code = 2


class UnusableVariable(ConfigurationError):
    """A variable that a library reads cannot be obeyed; the app and the login are not to blame."""


class LoginRequired(WithingsAuthError):
    """Nobody is logged in to this profile, or Withings has ended the login: the user must log in."""

    exit_code = 3


class LoginError(WithingsAuthError):
    """A login that the user started did not succeed."""


class LoginDenied(LoginError):
    """The user, or Withings, refused access."""


class LoginTimeout(LoginError):
    """The browser did not come back from Withings in time."""


class CallbackUnavailable(LoginError):
    """The login cannot listen on the address that Withings sends the browser back to."""


class WrongAccount(LoginError):
    """The profile belongs to another user, app or service; nothing was saved.

    If the users differ, `userid` is who signed in and `owner` is whose profile it is.
    """

    def __init__(self, message: str, *, hint: str = "", userid: str = "", owner: str = "") -> None:
        super().__init__(message, hint=hint)
        self.userid = userid
        self.owner = owner


class ProviderError(WithingsAuthError):
    """Withings answered with an error; `status` is its number, if it has one."""

    def __init__(
        self, message: str, *, status: int | None = None, hint: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.status = status


class ProviderUnavailable(ProviderError):
    """Withings cannot answer now (no answer, 5xx, HTML, a redirect, 522, 601); the login may be fine."""

    exit_code = 4
    temporary = True


class OutOfResources(ProviderUnavailable):
    """The system has nothing left to work with: it starts no thread, or has no descriptor for an event loop."""


class ProtocolViolation(ProviderError):
    """Withings' answer is not what its documentation says; nothing in it was used."""


class StoreError(WithingsAuthError):
    """The secret store failed; it holds the earlier record or the new one, whole."""

    exit_code = 5


class StoreUnavailable(StoreError):
    """The keyring, the directory or the lock is missing, locked, silent or read-only."""


class StoreCorrupt(StoreError):
    """A stored record is damaged, or was written by another program or a newer version.

    A record of a `newer` version, or one whose key is on other machines, is never replaced.
    """

    def __init__(self, message: str, *, hint: str = "", newer: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.newer = newer


class StoreNotDurable(StoreError):
    """A save failed or did not read back equal; what was to be saved must not be used."""


class LockLost(StoreError):
    """The server of the store is gone or silent, and its locks are lost with it; ask again."""

    exit_code = 4
    temporary = True
    renewed = False  # whether Withings had renewed the login by then: the token before may be dead


class LockBusy(WithingsAuthError):
    """Another program has held the lock for longer than the caller waits."""

    exit_code = 4
    temporary = True


def login_hint(profile: str) -> str:
    """Returns the hint to log in to this profile."""
    return f"log in: withings-auth login{profile_flag(profile)}"


def ended_hint(profile: str) -> str:
    """Returns the hint for a login that Withings has ended, or that another program has taken over by renewing it."""
    flag = profile_flag(profile)
    return f"{login_hint(profile)}; or take it back from the other program: withings-auth import{flag} --replace FILE"


def secret_hint(profile: str) -> str:
    """Returns the hint to save the client secret of this profile's app, which is gone."""
    return f"save it again, without a new login: withings-auth configure{profile_flag(profile)}"


def name_profile(text: str, profile: str) -> str:
    """Returns the text with this profile in each command that takes one and names none, so that it can be pasted."""
    return re.sub(_COMMAND, lambda found: found[0] + _flag(profile), text)


@contextmanager
def hints_for(profile: str, *, usual: str) -> Iterator[None]:
    """Makes the hints of errors name the profile; not if it is the default and `usual`, which a command would take.

    Most errors are made where nobody knows the profile, and their commands would be about another one.
    """
    try:
        yield
    except WithingsAuthError as error:
        hint = error.hint if profile == usual == "default" else name_profile(error.hint, profile)
        if hint == error.hint:
            raise
        raise error.with_message(str(error), hint=hint) from error


def profile_flag(profile: str) -> str:
    """Returns a space and the flag for this profile; nothing for the default profile."""
    return "" if profile == "default" else _flag(profile)


def _flag(profile: str) -> str:
    return f" --profile {profile}"
