"""One login, one store, one Withings and one clock, with which a transaction runs without sleeping."""

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
from withings_auth.tokens.renewal import Effects, renew
from withings_auth.tokens.requirement import Requirement

START = 1_700_000_000.0
LIFE = 10_800
HOUR = 3600
LOST = AnswerLost(why="closed")
NOT_SENT = NotSent(why="Connection refused")


class Clock:
    """The only clock there is, for us and for the sandbox; waiting moves it."""

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
        """How long all waits together were."""
        return sum(self.waits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request as it left."""

    at: float
    url: str
    form: Mapping[str, str]


class Scene:
    """Somebody is logged in; the token is three hours old and has expired, unless `age` says otherwise."""

    def __init__(self, store: SecretStore, sandbox: Sandbox, clock: Clock) -> None:
        self.store = store
        self.sandbox = sandbox
        self.clock = clock
        self.sent: list[Sent] = []
        self._numbers = itertools.count()

    def log_in(self, *, age: float = LIFE, profile: str = "default") -> Grant:
        """Saves a login that is so many seconds old."""
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
        """Puts a record there, as another program does."""
        save_record(self.store, token_name(profile), grant.to_record())

    @property
    def stored(self) -> Grant:
        """What the store holds now."""
        return load_grant(self.store, "default")

    def post(self, url: str, form: Mapping[str, str], **_: object) -> Outcome:
        """Asks the sandbox, over a real socket."""
        self.sent.append(Sent(at=self.clock(), url=url, form=form))
        return post(url, form)

    def script(self, *outcomes: Outcome | BaseException) -> Post:
        """A Withings that answers just this, one after another, and nothing more."""
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
        post: Post | None = None,
        secret_for: Callable[[Grant], str | None] = lambda _: None,
        store: SecretStore | None = None,
        profile: str = "default",
        wait: Callable[[float], None] | None = None,
        now: Callable[[], float] | None = None,
    ) -> Grant:
        """What a process does that asks for a token; `now` is a wall clock that goes wrong, `Clock` is right."""
        return renew(
            store or self.store,
            profile,
            Requirement(min_valid=min_valid, rejected=rejected),
            secret_for=secret_for,
            effects=Effects(
                post=post or self.post, now=now or self.clock, wait=wait or self.clock.wait, steady=self.clock
            ),
        )

    @property
    def way_left(self) -> bool:
        """Whether Withings' rules leave a way to a token: the stored refresh token is alive."""
        return self.stored.refresh_token in self.sandbox.live_refresh_tokens

    def works(self, grant: Grant) -> bool:
        """Whether Withings takes the access token; this is its first use."""
        form = urlencode({"action": "getdevice", "number": next(self._numbers)})  # no request is the same twice
        headers = {
            "Authorization": f"Bearer {grant.access_token}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        connection = http.client.HTTPConnection(urlsplit(self.sandbox.url).netloc, timeout=10)
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
    """What can be told of an access token without telling it."""
    return hashlib.sha256(grant.access_token.encode()).hexdigest()


def answer(content: object, http_status: int = 200) -> Answer:
    """An answer of the token service."""
    return Answer(http_status=http_status, body=json.dumps(content).encode())


def tokens(**changes: object) -> Answer:
    """An answer that brings the tokens access-2 and refresh-2."""
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
    """An answer with another status than 0."""
    return answer({"status": status, "body": body, "error": error})
