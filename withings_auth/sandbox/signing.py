"""Signed calls: a nonce from `/v2/signature`, and the two HMAC-SHA256 signatures that Withings documents."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass, field

from . import refusals
from .http import HttpRequest, Parameters
from .refusals import RefusedError
from .state import State

NONCE_LIFE_SECONDS = 30 * 60


def sign(secret: str, *values: str) -> str:
    """Returns the hexadecimal HMAC-SHA256 of the values, joined by commas, with the client secret as the key."""
    return hmac.new(secret.encode(), ",".join(values).encode(), hashlib.sha256).hexdigest()


@dataclass(frozen=True, slots=True)
class SignatureService:
    """Issues nonces, and checks signed calls."""

    state: State
    nonces: dict[str, float] = field(default_factory=dict, repr=False)
    """When each nonce was issued that has not been used."""

    def answer(self, request: HttpRequest) -> dict[str, object]:
        """Answers `getnonce`, signed over action, client id and timestamp.

        How old a timestamp may be is not documented. It is not checked, since the sandbox's clock can be moved away
        from the client's.
        """
        form = request.form
        action, client_id, timestamp = (form.text(name) for name in ("action", "client_id", "timestamp"))
        if action != "getnonce":
            raise RefusedError(refusals.WRONG_ACTION)
        if client_id != self.state.client_id:
            raise RefusedError(refusals.INVALID_CLIENT)
        if not (timestamp.isascii() and timestamp.isdigit()):
            raise RefusedError(refusals.invalid_parameter("timestamp"))
        self._check(form.text("signature"), action, client_id, timestamp)
        nonce = self.state.make_secret()
        self.nonces[nonce] = self.state.clock.now()
        self.state.counters.nonces += 1
        return {"nonce": nonce}

    def admit(self, form: Parameters) -> None:
        """Checks a signed call, or raises `RefusedError`. Only a correct signature uses up the nonce."""
        if form.text("client_id") != self.state.client_id:
            raise RefusedError(refusals.INVALID_CLIENT)
        nonce = form.text("nonce")
        issued_at = self.nonces.get(nonce)
        if issued_at is None or self.state.clock.now() - issued_at >= NONCE_LIFE_SECONDS:
            raise RefusedError(refusals.WRONG_NONCE)
        self._check(form.text("signature"), form.text("action"), form.text("client_id"), nonce)
        del self.nonces[nonce]

    def _check(self, signature: str, *values: str) -> None:
        expected = sign(self.state.client_secret, *values)
        if not hmac.compare_digest(expected.encode(), signature.encode()):
            raise RefusedError(refusals.WRONG_SIGNATURE)
