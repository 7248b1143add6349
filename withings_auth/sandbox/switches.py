"""What nobody's material about Withings settles, each question as a switch.

The default of every switch is the answer that is worse for a client, so that a program that works against the
untouched sandbox works whichever way Withings behaves. Turn a switch to see the kinder answer.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields, replace
from typing import Literal, get_args

Denial = Literal["no_redirect", "with_state", "without_state"]
SecondConsent = Literal["kills_at_consent", "kills_at_exchange", "kills_nothing"]
GuardReach = Literal["everywhere", "token_service"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "denial": get_args(Denial),
    "second_consent": get_args(SecondConsent),
    "same_arguments_refused": get_args(GuardReach),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the sandbox answers where nobody knows how Withings does; worst case by default."""

    # Authorize

    unknown_parameters_refused: bool = True
    """Does the authorize page refuse a parameter that is not in its documented list, or ignore it?"""

    denial: Denial = "no_redirect"
    """What comes back when the person says no: nothing, `error=access_denied` with `state`, or without it?"""

    redirect_uri_prefix_matches: bool = False
    """Is a redirect URI good that only begins with a registered one? The documents imply it, reports deny it."""

    production_needs_https: bool = True
    """Does an app whose target environment is production have to register https addresses?"""

    second_consent: SecondConsent = "kills_at_consent"
    """Does a second consent of a person to an app kill the tokens of the first, and at which moment?"""

    # Token service

    old_token_endpoint_open: bool = False
    """Does the old `/oauth2/token` still work? Announced as closed in 2022, seen redirecting to a website."""

    access_token_survives_refresh: bool = False
    """Is the previous access token good for the rest of its three hours after a refresh?"""

    repeated_refresh_restarts_grace: bool = False
    """Does repeating a refresh with the previous refresh token begin its eight hours anew?"""

    repeated_refresh_returns_same_pair: bool = False
    """Does repeating a refresh give the pair that the first one gave?"""

    earlier_answer_dies_on_repeat: bool = True
    """If a repeated refresh gives another pair: does the pair of the first answer die?"""

    revoke_open_to_free_apps: bool = False
    """May an app without a contract call `revoke`? Documented, never seen."""

    demo_access_open_to_free_apps: bool = False
    """May an app without a contract call `getdemoaccess`? Documented, never seen."""

    # Answers

    same_arguments_refused: GuardReach = "everywhere"
    """Which services refuse the same arguments within ten seconds: all, or the token service alone?"""

    wait_seconds_told: bool = True
    """Does the body of a 601 say how long to wait? It may, and it may not."""

    failures_carry_body: bool = True
    """Does a failure carry its empty `body`? It is documented with one, and has been seen without."""

    def __post_init__(self) -> None:
        """Refuse a value that answers no question, since it may come from another process."""
        for name, value in asdict(self).items():
            choices = _CHOICES.get(name)
            if choices is None and not isinstance(value, bool):
                raise ValueError(f"switch {name} is true or false, not {value!r}")
            if choices is not None and value not in choices:
                raise ValueError(f"switch {name} is one of {', '.join(choices)}, not {value!r}")

    def turned(self, changes: dict[str, object]) -> Switches:
        """The same switches with some turned; an unknown name is an error that lists the known ones."""
        known = [field.name for field in fields(self)]
        for name in changes:
            if name not in known:
                raise ValueError(f"no switch is called {name!r}; there are {', '.join(known)}")
        # The values are checked by __post_init__, which sees what the type checker cannot.
        return replace(self, **changes)  # type: ignore[arg-type]
