"""The questions about Withings that no source settles, each as a switch.

The default of every switch is the answer that is worse for a client, so that a program that works against the
untouched sandbox works whichever way Withings behaves. Turn a switch to try the other answer.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

Denial = Literal["no_redirect", "with_state", "without_state"]
SecondConsent = Literal["kills_at_consent", "kills_at_exchange", "kills_nothing"]
GuardedServices = Literal["everywhere", "token_service"]

_CHOICES: dict[str, tuple[str, ...]] = {
    "denial": get_args(Denial),
    "second_consent": get_args(SecondConsent),
    "same_arguments_refused": get_args(GuardedServices),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """How the sandbox behaves where nobody knows how Withings does; the worst case by default."""

    # Authorize

    unknown_parameters_refused: bool = True
    """Does the authorize page refuse a parameter that is not in its documented list, or ignore it?"""

    denial: Denial = "no_redirect"
    """What comes back when the user denies access: nothing, `error=access_denied` with `state`, or without it?"""

    redirect_uri_prefix_matches: bool = False
    """Is a redirect URI accepted if it only begins with a registered one? Documents imply it, reports deny it."""

    second_consent: SecondConsent = "kills_at_consent"
    """Does a person's second consent to an app kill the tokens of the first, and when?"""

    # Token service

    access_token_survives_refresh: bool = False
    """Is the previous access token good for the rest of its three hours after a refresh?"""

    repeated_refresh_restarts_grace: bool = False
    """Does repeating a refresh with the previous refresh token start its eight hours again?"""

    repeated_refresh_returns_same_pair: bool = False
    """Does a repeated refresh return the pair that the first one returned?"""

    earlier_answer_dies_on_repeat: bool = True
    """If a repeated refresh returns another pair, does the first answer's pair die?"""

    revoke_open_to_free_apps: bool = False
    """May an app without a contract call `revoke`? Documented, never seen."""

    # Answers

    same_arguments_refused: GuardedServices = "everywhere"
    """Which services refuse the same arguments within ten seconds: all, or only the token service?"""

    wait_seconds_told: bool = True
    """Does the body of a 601 tell how long to wait? Both have been seen."""

    failures_carry_body: bool = True
    """Does a failure carry its empty `body`? It is documented with one, and has been seen without."""

    def __post_init__(self) -> None:
        """Refuses values that the type checker would refuse too, for callers without one."""
        for name in self._names():
            value, choices = getattr(self, name), _CHOICES.get(name)
            if choices is None and not isinstance(value, bool):
                raise ValueError(f"switch {name} is true or false, not {value!r}")
            if choices is not None and value not in choices:
                raise ValueError(f"switch {name} is one of {', '.join(choices)}, not {value!r}")

    def turn(self, **changes: object) -> Switches:
        """Returns the switches with some turned; raises `ValueError` for an unknown name or value."""
        for name in changes:
            if name not in self._names():
                raise ValueError(f"there is no switch {name!r}; there are {', '.join(self._names())}")
        # The values are checked by __post_init__, which sees what the type checker cannot.
        return replace(self, **changes)  # type: ignore[arg-type]

    @classmethod
    def _names(cls) -> list[str]:
        return [field.name for field in fields(cls)]
