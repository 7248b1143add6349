"""The token service `/v2/oauth2`: trades codes and refresh tokens for pairs, and revokes them."""

from __future__ import annotations

import hmac
import math
from dataclasses import dataclass

from . import refusals
from .authorize import AuthorizePage
from .data import DataService
from .http import HttpRequest, Parameters
from .ledger import Ledger, Pair
from .refusals import Limits, RefusedError
from .signing import SignatureService
from .state import DEMO_PERSON, State


@dataclass(frozen=True, slots=True)
class TokenService:
    """Answers `requesttoken` and `revoke`."""

    state: State
    ledger: Ledger
    limits: Limits
    authorize_page: AuthorizePage
    signatures: SignatureService
    data: DataService

    def answer(self, request: HttpRequest) -> dict[str, object]:
        """Returns the body of a successful answer, or raises `RefusedError`."""
        self.state.counters.token_requests += 1
        form = request.form
        action = form.text("action")
        if not action:
            raise RefusedError(refusals.WRONG_ACTION)
        if action not in {"requesttoken", "revoke"}:
            raise RefusedError(refusals.NOT_IMPLEMENTED)
        if form.repeated:
            raise RefusedError(refusals.invalid_parameter(form.repeated[0]))
        self.limits.refuse_same_arguments(frozenset(form.texts.items()))
        self.limits.refuse_too_many(form.text("client_id"))
        if action == "revoke":
            self.signatures.admit(form)
            return self._revoke(form)
        self._admit(form)
        match form.text("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return self._refresh(form)
            case _:
                raise RefusedError(refusals.invalid_parameter("grant_type"))

    def _admit(self, form: Parameters) -> None:
        """Checks that the client is the app: by its secret, or by a signature."""
        if "client_secret" not in form.texts and {"nonce", "signature"} & form.texts.keys():
            self.signatures.admit(form)
            return
        known = hmac.compare_digest(form.text("client_id").encode(), self.state.client_id.encode())
        proven = hmac.compare_digest(form.text("client_secret").encode(), self.state.client_secret.encode())
        if not (known and proven):
            raise RefusedError(refusals.INVALID_CLIENT)

    def _exchange(self, form: Parameters) -> dict[str, object]:
        consent = self.authorize_page.redeem(form.text("code"), form.text("redirect_uri"))
        if self.state.switches.second_consent == "kills_at_exchange":
            self.ledger.revoke_person(consent.userid)
        pair = self.ledger.issue(consent.userid, consent.scopes)
        self.state.counters.exchanges += 1
        self.state.record("exchange", userid=pair.userid)
        return {"userid": str(pair.userid), **self._describe(pair), "csrf_token": self.state.make_secret()}

    def _refresh(self, form: Parameters) -> dict[str, object]:
        pair = self.ledger.refresh(form.text("refresh_token"))
        self.state.counters.refreshes += 1
        self.state.record("refresh", userid=pair.userid)
        # The userid is a number here and text on the exchange: seen in the answers of the real service.
        return {"userid": pair.userid, **self._describe(pair)}

    def _revoke(self, form: Parameters) -> dict[str, object]:
        """Kills the person's tokens and ends their notifications."""
        if not self.state.switches.revoke_open_to_free_apps:
            raise RefusedError(refusals.PARTNERS_ONLY)
        userids = {str(person.userid): person.userid for person in (*self.state.people, DEMO_PERSON)}
        userid = userids.get(form.text("userid"))
        if userid is None:
            raise RefusedError(refusals.UNKNOWN_USERID)
        self.ledger.revoke_person(userid)
        self.data.notifications.end(userid)
        self.state.counters.revocations += 1
        self.state.record("revoke", userid=userid)
        return {}

    def _describe(self, pair: Pair) -> dict[str, object]:
        return {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "expires_in": max(0, math.ceil(pair.access_dies_at - self.state.clock.now())),
            "scope": ",".join(pair.scopes),
            "token_type": "Bearer",
        }
