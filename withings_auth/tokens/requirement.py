"""What a caller requires of an access token: one rule for memory, store and renewal."""

from __future__ import annotations

from dataclasses import dataclass, field

from withings_auth.model import Grant

JUST_RENEWED_SECONDS = 60.0
REFUSAL_MARK = '"refusal": {'  # in a note of the journal; looked for first, since most logins have no refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """The life in seconds that a caller needs, and the token that a server has just refused.

    With `ask_anew`, a refresh token that Withings has definitely refused is sent once more.
    """

    min_valid: float
    rejected: str | None = field(default=None, repr=False)
    ask_anew: bool = False

    def met_by(self, grant: Grant, now: float) -> bool:
        """Whether the grant's access token is good enough; one that was just renewed is, for any caller."""
        age = grant.age(now)
        just_renewed = age is not None and age < JUST_RENEWED_SECONDS
        return self.tolerates(grant, now) and (just_renewed or grant.seconds_left(now) >= self.min_valid)

    def tolerates(self, grant: Grant, now: float) -> bool:
        """Whether the grant's access token is better than none: it has not expired and was not rejected."""
        return grant.access_token != self.rejected and grant.seconds_left(now) > 0
