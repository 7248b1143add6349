"""The authorize page: what an app asks for, what the user answers, and where the browser is sent.

Codes are used once and live thirty seconds. As at Withings, a redirect URI that is not registered is only noticed at
the very end, after the user has allowed access, and then the browser goes nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

from .http import HttpReply, HttpRequest, Parameters, json_reply, redirect_reply
from .ledger import Ledger
from .pages import consent_page, denied_page, invalid_client_page, problem_page
from .refusals import INVALID_CODE, WRONG_REDIRECT_URI, RefusedError
from .state import AUTHORIZE_PATH, DEMO_PERSON, SCOPES, Person, State

CODE_LIFE_SECONDS = 30
TICKET_LIFE_SECONDS = 3600

MISMATCH = "redirect_uri_mismatch: The redirect URI provided is missing or does not match partner callback url"
"""Word for word what many users have quoted from their browsers."""

PARAMETERS = frozenset({"response_type", "client_id", "state", "scope", "redirect_uri", "mode"})
"""The documented list, which is complete: there is no PKCE."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """May the app have these scopes, and of which person?"""

    redirect_uri: str
    state: str = field(repr=False)
    scopes: tuple[str, ...]
    people: tuple[Person, ...]
    asked_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a code stands for."""

    userid: int
    scopes: tuple[str, ...]
    redirect_uri: str
    given_at: float


@dataclass(frozen=True, slots=True)
class AuthorizePage:
    """Asks users, turns their consents into codes, and redeems each code once."""

    state: State
    ledger: Ledger
    questions: dict[str, Question] = field(default_factory=dict, repr=False)
    """By ticket: good for one answer, so that no other site can answer for the user."""
    consents: dict[str, Consent] = field(default_factory=dict, repr=False)
    """By code."""

    def ask(self, request: HttpRequest) -> HttpReply:
        """Answers the browser that an app has sent here."""
        self.state.counters.authorize_visits += 1
        query = Parameters.parse(request.query)
        if query.text("client_id") != self.state.client_id:
            return invalid_client_page()
        if problem := self._find_problem(query):
            return _complain(problem)
        scopes = tuple(dict.fromkeys(query.text("scope").split(",")))
        people = (DEMO_PERSON,) if query.text("mode") == "demo" else self.state.people
        ticket = self.state.make_secret()
        self.questions[ticket] = Question(
            redirect_uri=query.text("redirect_uri"),
            state=query.text("state"),
            scopes=scopes,
            people=people,
            asked_at=self.state.clock.now(),
        )
        return consent_page(client_id=self.state.client_id, ticket=ticket, scopes=scopes, people=people)

    def decide(self, request: HttpRequest) -> HttpReply:
        """Takes the user's answer, once."""
        form = request.form
        question = self.questions.pop(form.text("ticket"), None)
        if question is None or self.state.clock.now() - question.asked_at >= TICKET_LIFE_SECONDS:
            text = "This page has been answered already, or is too old. Please begin again in the app."
            return problem_page("Please begin again", text)
        userid = next((one.userid for one in question.people if str(one.userid) == form.text("userid")), None)
        if userid is None:
            return _complain("invalid_request: this person was not offered")
        return self._allow(question, userid) if form.text("answer") == "allow" else self._deny(question, userid)

    def sign_out(self, request: HttpRequest) -> HttpReply:
        """Returns to the authorize page. The sandbox asks for the person every time, so it has nothing to forget."""
        target = Parameters.parse(request.query).text("r")
        parts = urlsplit(target)
        if (parts.scheme, parts.path) == ("http", AUTHORIZE_PATH) and parts.netloc in request.own_hosts:
            return redirect_reply(target)
        return problem_page("Cannot go there", "After signing out you can only return to the authorize page.")

    def redeem(self, code: str, redirect_uri: str) -> Consent:
        """Returns what the code stands for. Every attempt with a live code uses it up, even one that fails."""
        consent = self.consents.pop(code, None)
        if consent is None or self.state.clock.now() - consent.given_at >= CODE_LIFE_SECONDS:
            raise RefusedError(INVALID_CODE)
        if redirect_uri != consent.redirect_uri:
            raise RefusedError(WRONG_REDIRECT_URI)
        return consent

    def _is_registered(self, redirect_uri: str) -> bool:
        registered = self.state.redirect_uris
        if self.state.switches.redirect_uri_prefix_matches:
            return redirect_uri.startswith(registered)
        return redirect_uri in registered

    def _find_problem(self, query: Parameters) -> str:
        """Returns what is wrong with the request, or "". The words are the sandbox's, after RFC 6749."""
        if query.repeated:
            return f"invalid_request: {query.repeated[0]} is repeated"
        unknown = sorted(set(query.texts) - PARAMETERS)
        if unknown and self.state.switches.unknown_parameters_refused:
            return f"invalid_request: unknown parameter {unknown[0]}"
        if query.text("response_type") != "code":
            return "unsupported_response_type: response_type must be code"
        if not query.text("state"):
            return "invalid_request: state is missing"
        if any(scope not in SCOPES for scope in query.text("scope").split(",")):
            return "invalid_scope: scope must be a list of known scopes, separated by commas"
        if query.text("mode") not in {"", "demo"}:
            return "invalid_request: mode can only be demo"
        return ""

    def _allow(self, question: Question, userid: int) -> HttpReply:
        if not self._is_registered(question.redirect_uri):
            return _complain(MISMATCH)
        self.state.counters.consents += 1
        self.state.record("allow", userid=userid)
        if self.state.switches.second_consent == "kills_at_consent":
            self.ledger.revoke_person(userid)
        code = self.state.make_secret()
        self.consents[code] = Consent(
            userid=userid,
            scopes=tuple(one for one in question.scopes if one in self.state.grantable_scopes),
            redirect_uri=question.redirect_uri,
            given_at=self.state.clock.now(),
        )
        # Both orders have been seen at Withings, so the sandbox takes turns.
        answer = {"code": code, "state": question.state}
        if self.state.counters.consents % 2 == 0:
            answer = {"state": question.state, "code": code}
        return _send_back(question, answer)

    def _deny(self, question: Question, userid: int) -> HttpReply:
        self.state.counters.denials += 1
        self.state.record("deny", userid=userid)
        denial = self.state.switches.denial
        if denial == "no_redirect":
            return denied_page()
        if not self._is_registered(question.redirect_uri):
            return _complain(MISMATCH)
        answer = {"error": "access_denied"}
        if denial == "with_state":
            answer["state"] = question.state
        return _send_back(question, answer)


def _send_back(question: Question, answer: dict[str, str]) -> HttpReply:
    """Redirects to the app with the answer appended to its redirect URI, which is kept character for character."""
    separator = "&" if urlsplit(question.redirect_uri).query else "?"
    return redirect_reply(f"{question.redirect_uri}{separator}{urlencode(answer)}")


def _complain(message: str) -> HttpReply:
    """Returns an error in the older JSON shape, which the browser shows; nobody is sent back to the app."""
    headers = {"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    return json_reply({"errors": [{"message": message}]}, http_status=400, headers=headers)
