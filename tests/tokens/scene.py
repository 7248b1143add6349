"""One login, one store, one Withings and one clock: a transaction runs on them without sleeping."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from tests.support.stores import save_record
from withings_auth.model import App, Grant
from withings_auth.provider.http import post
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome, Post
from withings_auth.sandbox import Sandbox
from withings_auth.store.base import SecretStore
from withings_auth.store.records import app_name, load_grant, token_name
from withings_auth.tokens.hooks import Event
from withings_auth.tokens.renewal import Effects, renew
from withings_auth.tokens.requirement import Requirement

START = 1_700_000_000.0
LIFE = 10_800
HOUR = 3600
LOST = AnswerLost(why="closed")
NOT_SENT = NotSent(why="Connection refused")


class Clock:
    """The only clock, for us and for the sandbox; waiting moves it."""

    def __init__(self) -> None:
        self.at = START
        self.waits: list[float] = []

    def __call__(self) -> float:
        return self.at

    def wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.at += seconds

    @property
    def waited(self) -> float:
        """The length of all waits together."""
        return sum(self.waits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it was sent."""

    at: float
    url: str
    form: Mapping[str, str]


class Scene:
    """A login with a token that is three hours old and expired, unless `age` is given."""

    def __init__(self, store: SecretStore, sandbox: Sandbox, clock: Clock) -> None:
        self.store = store
        self.sandbox = sandbox
        self.clock = clock
        self.sent: list[Sent] = []
        self._numbers = itertools.count()

    def log_in(self, *, age: float = LIFE, profile: str = "default") -> Grant:
        """Saves a login of the given age in seconds."""
        pair = self.sandbox.issue_pair()
        grant = Grant(
            access_token=pair.access_token,
            refresh_token=pair.refresh_token,
            obtained_at=int(self.clock()),
            expires_at=int(self.clock()) + LIFE,
            scopes=pair.scopes,
            userid=str(pair.userid),
            client_id=self.sandbox.client_id,
            token_url=self.sandbox.endpoints.token_url,
        )
        app = App(client_id=self.sandbox.client_id, client_secret=self.sandbox.client_secret)
        self.save(grant, profile=profile)
        save_record(self.store, app_name(app.client_id), app.to_record())
        self.clock.at += age
        return grant

    def save(self, grant: Grant, *, profile: str = "default") -> None:
        """Saves a record, as another program would."""
        save_record(self.store, token_name(profile), grant.to_record())

    @property
    def stored(self) -> Grant:
        """The record in the store now."""
        return load_grant(self.store, "default")

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        """Asks the sandbox, over a real socket."""
        self.sent.append(Sent(at=self.clock(), url=url, form=form))
        return post(url, form)

    def script(self, *outcomes: Outcome | BaseException) -> Post:
        """Returns a `post` with just these answers, in this order."""
        coming: Iterator[Outcome | BaseException] = iter(outcomes)

        def scripted(url: str, form: Mapping[str, str], **_: object) -> Outcome:
            self.sent.append(Sent(at=self.clock(), url=url, form=form))
            outcome = next(coming)
            if isinstance(outcome, BaseException):
                raise outcome
            return outcome

        return scripted

    def renew(
        self,
        *,
        min_valid: float = 60,
        rejected: str | None = None,
        ask_anew: bool = False,
        post: Post | None = None,
        secret_for: Callable[[Grant], str | None] = lambda _: None,
        store: SecretStore | None = None,
        profile: str = "default",
        wait: Callable[[float], None] | None = None,
        now: Callable[[], float] | None = None,
        announce: Callable[[Event], None] = lambda _: None,
    ) -> Grant:
        """Does what a process does to get a token; `now` may be a wrong wall clock, `Clock` is right."""
        return renew(
            store or self.store,
            profile,
            Requirement(min_valid=min_valid, rejected=rejected, ask_anew=ask_anew),
            secret_for=secret_for,
            effects=Effects(
                post=post or self.post,
                now=now or self.clock,
                wait=wait or self.clock.wait,
                steady=self.clock,
                announce=announce,
            ),
        )

    @property
    def way_left(self) -> bool:
        """Whether the stored refresh token is still alive at Withings."""
        return self.stored.refresh_token in self.sandbox.live_refresh_tokens

    def works(self, grant: Grant) -> bool:
        """Whether Withings accepts the access token; this counts as its first use."""
        form = urlencode({"action": "getdevice", "number": next(self._numbers)})  # so that no two requests are the same
        headers = {
            "Authorization": f"Bearer {grant.access_token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection = http.client.HTTPConnection(urlsplit(self.sandbox.url).netloc, timeout=60)
        try:
            connection.request("POST", "/v2/user", form, headers)
            return bool(json.loads(connection.getresponse().read())["status"] == 0)
        finally:
            connection.close()

    def nobody_was_hasty(self) -> bool:
        """Whether the same refresh token was never sent twice within ten seconds."""
        return all(
            later.at - earlier.at >= 10
            for earlier, later in itertools.combinations(self.sent, 2)
            if earlier.form["refresh_token"] == later.form["refresh_token"]
        )


def digest(grant: Grant) -> str:
    """A digest that identifies an access token without revealing it."""
    return hashlib.sha256(grant.access_token.encode()).hexdigest()


def answer(content: object, http_status: int = 200) -> Answer:
    """An answer of the token service."""
    return Answer(http_status=http_status, body=json.dumps(content).encode())


def tokens(**changes: object) -> Answer:
    """An answer with the tokens access-2 and refresh-2."""
    body = {
        "userid": 38210457,
        "access_token": "access-2",
        "refresh_token": "refresh-2",
        "expires_in": LIFE,
        "scope": "user.info,user.metrics",
        **changes,
    }
    return answer({"status": 0, "body": {name: value for name, value in body.items() if value is not None}})


def refusal(status: int, error: str = "", /, **body: object) -> Answer:
    """An answer with a status other than 0."""
    return answer({"status": status, "body": body, "error": error})
