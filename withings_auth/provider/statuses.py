"""What Withings' status numbers mean: their families, and the kind of failure that each one is.

503 means any bad parameter: only the text beside it tells an expired refresh token from a wrong app.
"""

from __future__ import annotations

import re
from enum import Enum, auto

# The families in the list "Response status" of Withings' API reference. A number outside of them means only that an
# error occurred, which says nothing about the request.
_AUTHENTICATION_FAILED = {100, 101, 102, 200, 401}
_UNAUTHORIZED = {214, 277, 2553, 2555}
_INVALID_PARAMETERS = {
    *range(201, 214), *range(216, 219), 220, 221, 223, 225, *range(227, 231), *range(234, 237), 238,
    *range(240, 253), 254, *range(260, 268), 271, 272, 275, 276, *range(283, 289), 290, *range(293, 296), 297,
    *range(300, 305), 321, *range(323, 354), *range(380, 383), 400, *range(501, 512), 523, 532, *range(3017, 3020),
}  # fmt: skip
_BAD_STATE = 524
_NOT_IMPLEMENTED = 2554
_REFUSALS = _AUTHENTICATION_FAILED | _UNAUTHORIZED | _INVALID_PARAMETERS | {_BAD_STATE, _NOT_IMPLEMENTED}
_WRONG_REDIRECT_URI = 293
_WRONG_SIGNATURE = 342
TIMED_OUT = 522
# How a data service refuses an access token, in HTTP 200 or as the HTTP status. The rest of its family is documented as
# failed authentication too, but nobody has reported one for an expired token, and each needless renewal may invalidate
# the token that other programs hold.
TOKEN_REFUSED = 401
TOO_MANY_REQUESTS = 601
LARGEST_REFUSAL_BYTES = 65_536  # a refusal has about 150 bytes; anything larger is data


class FailureKind(Enum):
    """The kinds of failure that an answer without tokens can mean."""

    # Refused: Withings did nothing.
    TOO_MANY_REQUESTS = auto()  # 601 or HTTP 429: not now
    CODE_REFUSED = auto()
    REFRESH_TOKEN_REFUSED = auto()  # or the authentication as a whole: 100-102, 200, 401
    APP_REFUSED = auto()  # client id or client secret
    REDIRECT_URI_REFUSED = auto()
    REFUSED = auto()  # for another reason that has a family of numbers
    # Unknown: Withings may have carried out the request.
    UNAVAILABLE = auto()  # 5xx, HTML, a redirect, 522
    ERROR_OCCURRED = auto()  # a number without a family
    MALFORMED = auto()  # an answer that Withings does not document

    @property
    def outcome_unknown(self) -> bool:
        """Whether Withings may have carried out the request."""
        return self in {FailureKind.UNAVAILABLE, FailureKind.ERROR_OCCURRED, FailureKind.MALFORMED}

    @property
    def refuses_for_good(self) -> bool:
        """Whether Withings has definitely refused what was traded: a code or a refresh token."""
        return self in {FailureKind.REFRESH_TOKEN_REFUSED, FailureKind.CODE_REFUSED}


def kind_of(status: int | None, words: str) -> FailureKind:
    """Returns the kind of failure; only Withings' words tell apart the causes that share a status."""
    if status is not None and status not in _REFUSALS:
        return FailureKind.ERROR_OCCURRED
    if status == _WRONG_REDIRECT_URI:
        return FailureKind.REDIRECT_URI_REFUSED
    text = words.lower().replace(" ", "_")
    if "refresh_token" in text:
        return FailureKind.REFRESH_TOKEN_REFUSED
    if "redirect_uri" in text:
        return FailureKind.REDIRECT_URI_REFUSED
    if "client" in text and ("invalid" in text or "wrong" in text):
        return FailureKind.APP_REFUSED
    if "invalid_code" in text or re.search("invalid_grant(?!_type)", text):
        return FailureKind.CODE_REFUSED
    if status in _AUTHENTICATION_FAILED:
        return FailureKind.REFRESH_TOKEN_REFUSED
    return FailureKind.REFUSED


def lacks_permission(status: int | None) -> bool:
    """Whether this number means that the caller lacks permission; for a user's data, a scope is missing."""
    return status in _UNAUTHORIZED


def lacks_scope(words: str) -> bool:
    """Whether Withings' words name a missing scope, as beside a status 403, which has no family."""
    return "insufficient_scope" in words.lower().replace(" ", "_")


def refuses_the_signature(status: int | None) -> bool:
    """Whether this number means that the signature was not made with the client secret."""
    return status == _WRONG_SIGNATURE
