"""Signed calls: a nonce from `/v2/signature`, and the two HMAC-SHA256 signatures that Withings documents."""

from __future__ import annotations

import hashlib
import hmac
from typing import TYPE_CHECKING

from .refusals import (
    INVALID_CLIENT,
    WRONG_ACTION,
    WRONG_NONCE,
    WRONG_SIGNATURE,
    RefusedError,
    invalid_parameter,
)

if TYPE_CHECKING:
    from .values import Fields
    from .world import World

NONCE_SECONDS = 30 * 60


def signature(secret: str, *values: str) -> str:
    """The hexadecimal HMAC-SHA256 over the values, joined by commas, with the client secret as its key."""
    return hmac.new(secret.encode(), ",".join(values).encode(), hashlib.sha256).hexdigest()


class SignatureService:
    """Gives nonces, and judges signed calls by them."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._nonces: dict[str, float] = {}

    def answer(self, form: Fields) -> dict[str, object]:
        """`getnonce`: one nonce for a request that is signed over action, client id and timestamp.

        How old a timestamp may be is not documented. It is not judged, since the sandbox's clock can be moved away
        from the client's.
        """
        action, client_id, timestamp = (form.text(name) for name in ("action", "client_id", "timestamp"))
        if action != "getnonce":
            raise RefusedError(WRONG_ACTION)
        if client_id != self._world.app.client_id:
            raise RefusedError(INVALID_CLIENT)
        if not (timestamp.isascii() and timestamp.isdigit()):
            raise RefusedError(invalid_parameter("timestamp"))
        self._judge(form.text("signature"), action, client_id, timestamp)
        nonce = self._world.secret()
        self._nonces[nonce] = self._world.clock.now()
        self._world.counters.nonces += 1
        return {"nonce": nonce}

    def admit(self, form: Fields) -> None:
        """Let a signed call through, or raise; a nonce that was shown with a true signature is used up."""
        if form.text("client_id") != self._world.app.client_id:
            raise RefusedError(INVALID_CLIENT)
        nonce = form.text("nonce")
        given_at = self._nonces.get(nonce)
        if given_at is None or self._world.clock.now() - given_at >= NONCE_SECONDS:
            raise RefusedError(WRONG_NONCE)
        self._judge(form.text("signature"), form.text("action"), form.text("client_id"), nonce)
        del self._nonces[nonce]

    def _judge(self, given: str, *values: str) -> None:
        expected = signature(self._world.app.client_secret, *values)
        if not hmac.compare_digest(expected.encode(), given.encode()):
            raise RefusedError(WRONG_SIGNATURE)
