"""The token service in both its generations: `/v2/oauth2` with its envelope, and the old, flat `/oauth2/token`."""

from __future__ import annotations

import hmac
import math
from typing import TYPE_CHECKING

from .refusals import (
    INVALID_CLIENT,
    NOT_IMPLEMENTED,
    PARTNERS_ONLY,
    UNKNOWN_USERID,
    WRONG_ACTION,
    RefusedError,
    invalid_parameter,
)
from .values import SCOPES

if TYPE_CHECKING:
    from .authorize import AuthorizePage
    from .data import DataService
    from .ledger import Ledger, Pair
    from .limits import Limits
    from .signing import SignatureService
    from .values import Fields
    from .world import World

ACTIONS = frozenset({"requesttoken", "revoke", "getdemoaccess"})


class TokenService:
    """Trades codes and refresh tokens for pairs, and serves the signed actions beside that."""

    def __init__(
        self,
        *,
        world: World,
        ledger: Ledger,
        limits: Limits,
        authorize_page: AuthorizePage,
        signatures: SignatureService,
        data: DataService,
    ) -> None:
        self._world = world
        self._ledger = ledger
        self._limits = limits
        self._authorize_page = authorize_page
        self._signatures = signatures
        self._data = data

    def answer(self, form: Fields) -> dict[str, object]:
        """One call of `/v2/oauth2`: the envelope's body, or a refusal raised."""
        action = form.text("action")
        if not action:
            raise RefusedError(WRONG_ACTION)
        if action not in ACTIONS:
            raise RefusedError(NOT_IMPLEMENTED)
        self._refuse_excess("/v2/oauth2", form)
        if action == "requesttoken":
            self._admit(form)
            return self._request_token(form)
        self._signatures.admit(form)
        return self._revoke(form) if action == "revoke" else self._demo_access(form)

    def answer_flat(self, form: Fields) -> dict[str, object]:
        """One call of the old endpoint: no action, no envelope."""
        self._refuse_excess("/oauth2/token", form)
        self._admit_by_secret(form)
        return self._request_token(form)

    def _refuse_excess(self, path: str, form: Fields) -> None:
        if form.repeated:
            raise RefusedError(invalid_parameter(form.repeated[0]))
        self._limits.refuse_same_arguments((path, frozenset(form.texts.items())))
        self._limits.refuse_too_many(form.text("client_id"))

    def _admit(self, form: Fields) -> None:
        if "client_secret" in form.texts:
            self._admit_by_secret(form)
        elif "nonce" in form.texts or "signature" in form.texts:
            self._signatures.admit(form)
        else:
            raise RefusedError(INVALID_CLIENT)

    def _admit_by_secret(self, form: Fields) -> None:
        app = self._world.app
        known = hmac.compare_digest(form.text("client_id").encode(), app.client_id.encode())
        proven = hmac.compare_digest(form.text("client_secret").encode(), app.client_secret.encode())
        if not (known and proven):
            raise RefusedError(INVALID_CLIENT)

    def _request_token(self, form: Fields) -> dict[str, object]:
        match form.text("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                pair = self._ledger.refresh(form.text("refresh_token"))
                self._world.counters.refreshes += 1
                self._world.note("refresh", userid=pair.userid)
                # The userid is a number here and text on the exchange: seen in the answers of the real service.
                return {"userid": pair.userid, **self._spelled(pair)}
            case _:
                raise RefusedError(invalid_parameter("grant_type"))

    def _exchange(self, form: Fields) -> dict[str, object]:
        grant = self._authorize_page.redeem(form.text("code"), form.text("redirect_uri"))
        if self._world.switches.second_consent == "kills_at_exchange":
            self._ledger.kill_person(grant.userid)
        pair = self._ledger.issue(grant.userid, grant.scopes)
        self._world.counters.exchanges += 1
        self._world.note("exchange", userid=pair.userid)
        return {"userid": str(pair.userid), **self._spelled(pair), "csrf_token": self._world.secret()}

    def _revoke(self, form: Fields) -> dict[str, object]:
        """`revoke`: the person's tokens become invalid and their notifications are unsubscribed."""
        if not (self._world.app.contract or self._world.switches.revoke_open_to_free_apps):
            raise RefusedError(PARTNERS_ONLY)
        userid = form.text("userid")
        if not (userid.isascii() and userid.isdigit() and self._world.person(int(userid))):
            raise RefusedError(UNKNOWN_USERID)
        self._ledger.kill_person(int(userid))
        self._data.unsubscribe(int(userid))
        self._world.counters.revocations += 1
        self._world.note("revoke", userid=int(userid))
        return {}

    def _demo_access(self, form: Fields) -> dict[str, object]:
        """`getdemoaccess`: tokens of the demo user without a browser; the reply names no userid."""
        if not (self._world.app.contract or self._world.switches.demo_access_open_to_free_apps):
            raise RefusedError(PARTNERS_ONLY)
        scopes = tuple(dict.fromkeys(form.text("scope_oauth2").split(",")))
        if any(scope not in SCOPES for scope in scopes):
            raise RefusedError(invalid_parameter("scope_oauth2"))
        pair = self._ledger.issue(self._world.demo_person.userid, scopes)
        self._world.counters.demo_accesses += 1
        self._world.note("demo access", userid=pair.userid)
        return self._spelled(pair)

    def _spelled(self, pair: Pair) -> dict[str, object]:
        return {
            "access_token": pair.access_token,
            "refresh_token": pair.refresh_token,
            "expires_in": max(0, math.ceil(pair.access_dies_at - self._world.clock.now())),
            "scope": ",".join(pair.scopes),
            "token_type": "Bearer",
        }
