"""The error for each request that failed: its class, Withings' own words, and a hint."""

from __future__ import annotations

import math
from typing import assert_never

from withings_auth.errors import (
    ConfigurationError,
    LoginError,
    LoginRequired,
    ProtocolViolation,
    ProviderError,
    ProviderUnavailable,
    UnusableVariable,
    WithingsAuthError,
    ended_hint,
)
from withings_auth.model import DASHBOARD
from withings_auth.provider.repeat_guard import LONGEST_GUARD_WAIT_SECONDS
from withings_auth.provider.replies import AnswerLost, Failure, NotSent
from withings_auth.provider.statuses import (
    TOKEN_REFUSED,
    FailureKind,
    lacks_permission,
    lacks_scope,
    refuses_the_signature,
)
from withings_auth.wording import local_time, span


def refresh_error(failed: Failure | NotSent | AnswerLost, *, profile: str, deadline: float | None) -> WithingsAuthError:
    """Returns the error for a failed refresh.

    `deadline` (Unix seconds) is until when a refresh of unknown outcome can be repeated; None if there is none.
    """
    if isinstance(failed, Failure) and failed.kind.refuses_for_good:
        return login_ended_error(profile, quote(failed))
    return _with_deadline(_common_error(failed), deadline, "ask for a token again")


def login_ended_error(profile: str, words: str) -> LoginRequired:
    """Returns the error for a profile with a refresh token that Withings has definitely refused, in these words.

    A refusal has two causes, and Withings does not say which it is.
    """
    return LoginRequired(
        f"Withings has ended the login of profile {profile}, or another program that holds a copy has renewed it"
        f" ({words})",
        hint=ended_hint(profile),
    )


def import_error(failed: Failure | NotSent | AnswerLost, *, deadline: float | None) -> WithingsAuthError:
    """Returns the error for a failed refresh with the refresh token in another tool's file; see `refresh_error`."""
    if isinstance(failed, Failure) and failed.kind.refuses_for_good:
        return LoginRequired(
            f"Withings does not accept the refresh token in the file{_quote(failed)}",
            hint='it was used since, is older than a year, or belongs to another app (client_id="ID"): nothing was'
            " saved; to log in instead: withings-auth login",
        )
    error = _common_error(failed)
    if isinstance(failed, Failure) and failed.kind is FailureKind.APP_REFUSED:
        error = _unknown_app(failed, "it must be the app that the other tool used: copy both from that tool")
    return _with_deadline(error, deadline, "import the file again")


def code_error(failed: Failure | NotSent | AnswerLost) -> WithingsAuthError:
    """Returns the error for a failed exchange of an authorization code."""
    if isinstance(failed, Failure) and failed.kind is FailureKind.CODE_REFUSED:
        return LoginError(
            f"Withings did not accept the authorization code{_quote(failed)}",
            hint="a code works once, for 30 seconds: log in again, and if you paste the address, paste it at once; if"
            " that does not help, check the computer's clock and network",
        )
    if isinstance(failed, AnswerLost):
        return ProviderUnavailable(
            f"there was no complete answer from Withings: {failed.why}", hint="a code works only once: log in again"
        )
    return _common_error(failed)


def signed_error(failed: Failure | NotSent | AnswerLost) -> WithingsAuthError:
    """Returns the error for a failed call that the app signed."""
    if isinstance(failed, Failure) and refuses_the_signature(failed.status):
        return _unknown_app(failed)
    if isinstance(failed, Failure) and lacks_permission(failed.status):
        hint = "it may need a contract with Withings; disconnect the app in the settings of your Withings account"
        return _refusal(failed, "Withings does not offer this to the app", hint)
    return _common_error(failed)


def call_error(failed: Failure | NotSent | AnswerLost) -> WithingsAuthError:
    """Returns the error for a failed call with an access token."""
    match failed:
        case Failure(status=status) if status == TOKEN_REFUSED:
            hint = "a new one was refused too; log in again: withings-auth login"
            return _refusal(failed, "Withings refuses the access token", hint)
        case Failure(words=words) if lacks_scope(words):
            hint = "withings-auth status lists the granted scopes; to get more: withings-auth login"
            return _refusal(failed, "the login does not have the scope that this call needs", hint)
        case Failure(status=status) if lacks_permission(status):
            hint = "withings-auth status lists the granted scopes, one may be missing; to get more: withings-auth login"
            return _refusal(failed, "Withings does not allow this call", hint)
        case Failure(kind=kind) if not kind.outcome_unknown and kind != FailureKind.TOO_MANY_REQUESTS:
            hint = "check its path, action and parameters: https://developer.withings.com/api-reference/"
            return _refusal(failed, "Withings refused the call", hint)
    return _common_error(failed)


def _with_deadline(error: WithingsAuthError, deadline: float | None, again: str) -> WithingsAuthError:
    """Adds until when a refresh of unknown outcome can be repeated."""
    if deadline is None:
        return error
    return error.with_message(
        f"{error}; the outcome of the renewal is unknown, and a retry is certain to work only before"
        f" {local_time(deadline)}",
        hint=f"{again} before that time; {error.hint}",
    )


def _common_error(failed: Failure | NotSent | AnswerLost) -> WithingsAuthError:
    match failed:
        case NotSent(misconfigured=True, why=why, remedy=remedy):
            return UnusableVariable(why, hint=remedy)
        case NotSent(why=why, remedy=remedy):
            return ProviderUnavailable(f"Withings cannot be reached: {why}", hint=remedy)
        case AnswerLost(why=why):
            return ProviderUnavailable(f"there was no complete answer from Withings: {why}", hint="try again")
        case Failure():
            return _answered_error(failed)
    assert_never(failed)


def _answered_error(failed: Failure) -> WithingsAuthError:
    match failed.kind:
        case FailureKind.UNAVAILABLE:
            return _refusal(failed, "Withings is not available", "try again in a few minutes", ProviderUnavailable)
        case FailureKind.TOO_MANY_REQUESTS:
            hint = "there were too many requests, or the same one twice in 10 seconds: try again later"
            seconds = math.ceil(failed.retry_after or 0)
            what = (
                f"Withings asks to wait {span(seconds)}"
                if seconds > LONGEST_GUARD_WAIT_SECONDS
                else "Withings asks to wait"
            )
            return _refusal(failed, what, hint, ProviderUnavailable)
        case FailureKind.APP_REFUSED:
            return _unknown_app(failed)
        case FailureKind.REDIRECT_URI_REFUSED:
            return ConfigurationError(
                f"Withings does not accept the redirect URI{_quote(failed)}",
                hint=f"it must be the app's registered URL, character for character ({DASHBOARD}); to set it:"
                " withings-auth configure",
            )
        case FailureKind.MALFORMED:
            hint = "nothing in it was used; if it happens again, look for a newer withings-auth"
            return ProtocolViolation(f"Withings' answer makes no sense: {failed.words}", hint=hint)
        case FailureKind.ERROR_OCCURRED:
            hint = "try again in a few minutes; if it happens again, look for a newer withings-auth"
            return _refusal(failed, "an error occurred at Withings", hint)
        case FailureKind.REFUSED | FailureKind.REFRESH_TOKEN_REFUSED | FailureKind.CODE_REFUSED:
            hint = f"check the app at {DASHBOARD}, and look for a newer withings-auth"
            return _refusal(failed, "Withings refused the request", hint)
    assert_never(failed.kind)


def _refusal(failed: Failure, what: str, hint: str, error: type[ProviderError] = ProviderError) -> ProviderError:
    return error(f"{what}{_quote(failed)}", status=failed.status, hint=hint, retry_after=failed.retry_after)


def _unknown_app(failed: Failure, copy: str = f"copy both again from your app at {DASHBOARD}") -> ConfigurationError:
    return ConfigurationError(
        f"Withings does not know this client id with this client secret{_quote(failed)}",
        hint=f"{copy} into: withings-auth configure"
        " (WITHINGS_CLIENT_ID and WITHINGS_CLIENT_SECRET take precedence if they are set)",
    )


def quote(failed: Failure) -> str:
    """Returns Withings' status and words, as far as there are any."""
    number = f"status {failed.status}" if failed.status is not None else ""
    return ": ".join(filter(None, (number, failed.words)))


def _quote(failed: Failure) -> str:
    words = quote(failed)
    return f" ({words})" if words else ""
