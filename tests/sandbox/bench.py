"""Withings on a bench: requests go in and replies come out, without a network."""

from __future__ import annotations

import itertools
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

from withings_auth.sandbox import PEOPLE
from withings_auth.sandbox.http import HttpRequest
from withings_auth.sandbox.signing import sign
from withings_auth.sandbox.state import AUTHORIZE_PATH, SCOPES, Clock, State
from withings_auth.sandbox.withings import Withings

if TYPE_CHECKING:
    from withings_auth.sandbox import Pair, Person, Switches
    from withings_auth.sandbox.http import HttpReply

ORIGIN = "http://127.0.0.1:8765"
REDIRECT_URI = "http://localhost:8000"
START = 1_700_000_000.0


class Bench:
    """Withings without a network: its clock stands still until a test moves it, and its secrets are counted up."""

    def __init__(self, switches: Switches, redirect_uris: tuple[str, ...]) -> None:
        self.numbers = itertools.count(1)
        self.state = State(
            client_id="sandbox-app",
            client_secret="sandbox-app-secret",
            redirect_uris=redirect_uris,
            clock=Clock(lambda: START),
            switches=switches,
            random_hex=lambda size: f"{next(self.numbers):0{size * 2}x}",
        )
        self.withings = Withings(self.state)

    def advance(self, seconds: float) -> None:
        self.state.clock.advance(seconds)

    def issue_pair(self, person: Person = PEOPLE[0]) -> Pair:
        """Issues tokens without a login."""
        return self.withings.ledger.issue(person.userid, tuple(SCOPES))

    def request(
        self,
        path: str,
        *,
        method: str = "POST",
        query: dict[str, str] | str = "",
        form: dict[str, str] | str | None = None,
        **headers: str,
    ) -> HttpReply:
        """Sends a request, with the form as its body; queries and forms may be encoded already."""
        form_type = {} if form is None else {"content-type": "application/x-www-form-urlencoded"}
        return self.withings.answer(
            HttpRequest(
                method=method,
                path=path,
                origin=ORIGIN,
                query=query if isinstance(query, str) else urlencode(query),
                body=(form if isinstance(form, str) else urlencode(form or {})).encode(),
                headers={"host": urlsplit(ORIGIN).netloc, **form_type, **headers},
            )
        )

    # A user at the authorize page

    def authorize(self, **changes: str | None) -> HttpReply:
        """Opens the authorize page; None leaves a parameter out."""
        query: dict[str, str | None] = {
            "response_type": "code",
            "client_id": "sandbox-app",
            "state": "the state",
            "scope": "user.info,user.metrics",
            "redirect_uri": REDIRECT_URI,
            **changes,
        }
        given = {name: text for name, text in query.items() if text is not None}
        return self.request(AUTHORIZE_PATH, method="GET", query=given)

    def ticket(self, **changes: str | None) -> str:
        """Opens the authorize page; returns the ticket in its form."""
        reply = self.authorize(**changes)
        found = re.search(r'name="ticket" value="([^"]+)"', reply.body.decode())
        assert found is not None, reply.body.decode()
        return found.group(1)

    def answer(self, ticket: str, *, userid: int = PEOPLE[0].userid, answer: str = "allow") -> HttpReply:
        """Presses a button of the form."""
        return self.request(AUTHORIZE_PATH, form={"ticket": ticket, "userid": str(userid), "answer": answer})

    def consent(self, *, userid: int = PEOPLE[0].userid, answer: str = "allow", **changes: str | None) -> HttpReply:
        """Opens the authorize page and presses a button."""
        return self.answer(self.ticket(**changes), userid=userid, answer=answer)

    def code(self, *, userid: int = PEOPLE[0].userid, **changes: str | None) -> str:
        """Allows access; returns the code."""
        location = self.answer(self.ticket(**changes), userid=userid).headers["Location"]
        return parse_qs(urlsplit(location).query)["code"][0]

    # An app at the token service

    def token(self, **form: str) -> dict[str, Any]:
        """Calls the token service; returns the envelope."""
        return read_envelope(self.request("/v2/oauth2", form=form))

    def exchange(self, code: str, /, **changes: str) -> dict[str, Any]:
        return self.token(
            **{
                "action": "requesttoken",
                "grant_type": "authorization_code",
                "client_id": "sandbox-app",
                "client_secret": "sandbox-app-secret",
                "code": code,
                "redirect_uri": REDIRECT_URI,
                **changes,
            }
        )

    def refresh(self, refresh_token: str, /, **changes: str) -> dict[str, Any]:
        return self.token(
            **{
                "action": "requesttoken",
                "grant_type": "refresh_token",
                "client_id": "sandbox-app",
                "client_secret": "sandbox-app-secret",
                "refresh_token": refresh_token,
                **changes,
            }
        )

    def login(self, *, userid: int = PEOPLE[0].userid, **changes: str | None) -> dict[str, Any]:
        """Allows access and exchanges the code; returns the body of the answer."""
        return read_body(self.exchange(self.code(userid=userid, **changes)))

    def ask_nonce(self, **changes: str) -> dict[str, Any]:
        """Asks for a nonce; returns the envelope."""
        timestamp = str(int(self.state.clock.now()))
        form = {
            "action": "getnonce",
            "client_id": "sandbox-app",
            "timestamp": timestamp,
            "signature": sign("sandbox-app-secret", "getnonce", "sandbox-app", timestamp),
            **changes,
        }
        return read_envelope(self.request("/v2/signature", form=form))

    def signed(self, action: str, **form: str) -> dict[str, Any]:
        """Makes a signed call, with a fresh nonce unless one is given; returns the envelope."""
        nonce = form.pop("nonce", "") or read_body(self.ask_nonce())["nonce"]
        proof = sign("sandbox-app-secret", action, "sandbox-app", nonce)
        return self.token(**{"action": action, "client_id": "sandbox-app", "nonce": nonce, "signature": proof, **form})

    # A program with an access token

    def data(self, path: str, access_token: str, **form: str) -> dict[str, Any]:
        """Calls a data service; returns the envelope."""
        return read_envelope(self.request(path, form=form, authorization=f"Bearer {access_token}"))

    def use(self, access_token: str) -> int:
        """Uses an access token; returns the status."""
        # Different arguments each time: the same ones would be refused within ten seconds.
        status: int = self.data("/notify", access_token, action="list", marker=str(next(self.numbers)))["status"]
        return status


def read_envelope(reply: HttpReply) -> dict[str, Any]:
    """Returns what a service answered; HTTP says 200 in any case."""
    assert reply.http_status == 200
    assert reply.media_type == "application/json"
    read: dict[str, Any] = json.loads(reply.body)
    return read


def read_body(answer: dict[str, Any]) -> dict[str, Any]:
    """Returns the body of a success."""
    assert answer["status"] == 0, answer
    read: dict[str, Any] = answer["body"]
    return read


def read_refusal(answer: dict[str, Any]) -> tuple[int, str]:
    """Returns the status and the text of a refusal."""
    return answer["status"], answer["error"]
