"""Every way this can fail, said once: what happened, what to do, which exit code, whether trying again helps.

Each error carries a `hint` for a person, an `exit_code` for a shell, `temporary` for a program that may try
again, and `retry_after` in seconds where somebody named a time. No message holds a secret; text from outside is
escaped before it gets here (`withings_auth.validation.printable`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self


class WithingsAuthError(Exception):
    """Anything that withings-auth could not do; every error of the package is one of these."""

    exit_code = 1
    temporary = False

    def __init__(self, message: str, *, hint: str = "", retry_after: float | None = None) -> None:
        super().__init__(message)
        self.hint = hint
        self.retry_after = retry_after

    def with_message(self, message: str, *, hint: str | None = None) -> Self:
        """Returns an error like this one with another message, and another hint if one is given; raise it `from` this.

        An error that somebody else may hold is never changed in place.
        """
        other = type(self)(message)
        vars(other).update(vars(self))
        if hint is not None:
            other.hint = hint
        return other


class ConfigurationError(WithingsAuthError):
    """A setting, a flag or the app is wrong or missing; a wrong client id or client secret too."""

    exit_code = 2


class LoginRequired(WithingsAuthError):
    """Nobody is logged in under this profile, or Withings has ended the login: a person must log in."""

    exit_code = 3


class LoginError(WithingsAuthError):
    """A login that a person began did not come to its end."""


class LoginDenied(LoginError):
    """The person, or Withings, said no."""


class LoginTimeout(LoginError):
    """Nobody came back from Withings within the time limit."""


class CallbackUnavailable(LoginError):
    """The address that Withings sends the browser back to cannot be listened on."""


class WrongAccount(LoginError):
    """The profile belongs to another person, app or service; nothing was saved.

    `userid` is who signed in and `owner` to whom the profile belongs, where it is a matter of persons.
    """

    def __init__(self, message: str, *, hint: str = "", userid: str = "", owner: str = "") -> None:
        super().__init__(message, hint=hint)
        self.userid = userid
        self.owner = owner


class ProviderError(WithingsAuthError):
    """Withings answered, and the answer is an error; `status` is its number where it gave one."""

    def __init__(
        self, message: str, *, status: int | None = None, hint: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(message, hint=hint, retry_after=retry_after)
        self.status = status


class ProviderUnavailable(ProviderError):
    """Withings cannot answer now (no answer, 5xx, HTML, a redirect, 522, 601); the login may be fine."""

    exit_code = 4
    temporary = True


class ProtocolViolation(ProviderError):
    """The answer is not what Withings documents, so nothing in it is believed."""


class StoreError(WithingsAuthError):
    """The place where secrets rest failed; what it holds was left as it was."""

    exit_code = 5


class StoreUnavailable(StoreError):
    """The keyring, the directory or the lock cannot be used: missing, locked, silent, read-only."""


class StoreCorrupt(StoreError):
    """What the store holds under our name is not a record of ours, or is one of a newer version."""


class StoreNotDurable(StoreError):
    """A save did not read back equal, or failed: what was to be saved must not be used."""


class LockBusy(WithingsAuthError):
    """Another program has been renewing this login for longer than one may wait."""

    exit_code = 4
    temporary = True


def login_hint(profile: str) -> str:
    """Returns what to type to log this profile in."""
    return f"log in: withings-auth login{profile_flag(profile)}"


def secret_hint(profile: str) -> str:
    """Returns what to type where the client secret of this profile's app is not saved any more."""
    return f"save it again, without a new login: withings-auth configure{profile_flag(profile)}"


def profile_flag(profile: str) -> str:
    """Returns the flag that names this profile, behind a blank; nothing for the one that needs none."""
    return "" if profile == "default" else f" --profile {profile}"
