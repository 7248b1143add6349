"""The values that everything else uses, which are frozen. Secrets have no repr; `record` has how they are stored."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from withings_auth.errors import ConfigurationError
from withings_auth.record import TOKEN_PATH, corrupt, read_app, read_grant, write_record
from withings_auth.validation import is_client_id, is_client_secret, is_scope, origin, parsed_url

ALL_SCOPES = ("user.info", "user.metrics", "user.activity", "user.sleepevents")
DEFAULT_REDIRECT_URI = "http://localhost:8000"
DASHBOARD = "https://developer.withings.com/dashboard/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoints:
    """The addresses of a Withings: its authorize page, and the base URL of its API."""

    authorize_url: str = "https://account.withings.com/oauth2_user/authorize2"
    api_url: str = "https://wbsapi.withings.net"

    @property
    def token_url(self) -> str:
        """The current token service (the old one on account.withings.com is closed)."""
        return f"{self.api_url}{TOKEN_PATH}"

    @property
    def logout_url(self) -> str:
        """Signs a browser out, then sends it to the address in `r` (developer.withings.com, "Log out")."""
        return f"{origin(self.authorize_url)}/logout"


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An application registered at Withings' developer dashboard.

    `redirect_uri` is text, sent exactly as it was registered. Raises `ConfigurationError` if a value is invalid.
    """

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str = DEFAULT_REDIRECT_URI
    scopes: tuple[str, ...] = ALL_SCOPES

    def __post_init__(self) -> None:
        object.__setattr__(self, "scopes", tuple(self.scopes))  # a caller's list would not be frozen
        copy = f"copy it again, exactly, from {DASHBOARD}"
        # No problem repeats its value, which may be a secret.
        for is_valid, problem, hint in (
            (is_client_id(self.client_id), "the client id is empty or has invalid characters", copy),
            (is_client_secret(self.client_secret), "the client secret is empty or has invalid characters", copy),
            (parsed_url(self.redirect_uri), "the redirect URI is not an http or https URL without a user name", copy),
            (
                self.scopes and all(map(is_scope, self.scopes)),
                "the list of scopes is empty or has an invalid one",
                f"Withings' scopes are {', '.join(ALL_SCOPES)}",
            ),
        ):
            if not is_valid:
                raise ConfigurationError(problem, hint=hint)

    def to_record(self) -> str:
        """Returns the record to store under `app/<client_id>`."""
        return write_record({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_record(cls, text: str) -> App:
        """Reads what `to_record` wrote. Raises `StoreCorrupt`."""
        try:
            return cls(**read_app(text))
        except ConfigurationError:
            raise corrupt("app") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An access token that works; the refresh token is not in it.

    `expires_at` is in Unix seconds. Send `access_token` only to `api_origin`, in the Authorization header.
    """

    access_token: str = field(repr=False)
    expires_at: int
    scopes: tuple[str, ...]
    userid: str
    client_id: str
    api_origin: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What a user granted an app, as it is stored: both tokens, and when and for whom they were issued.

    `obtained_at` is just before the request was sent and `expires_at` the end of the token's life, both in Unix
    seconds. A grant never leaves the package: callers get a `Token`.
    """

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    expires_at: int
    obtained_at: int
    scopes: tuple[str, ...]
    userid: str
    client_id: str
    token_url: str

    def seconds_left(self, now: float) -> float:
        """How long the access token still works; never longer than granted, and 0 if the clock was set back."""
        if now < self.obtained_at:
            return 0.0
        return max(0.0, self.expires_at - now)

    def by_clock(self, ahead_seconds: float) -> Grant:
        """Returns the grant with its times by another clock, which is this much ahead."""
        ahead = round(ahead_seconds)
        if ahead == 0:
            return self
        return replace(self, expires_at=self.expires_at + ahead, obtained_at=self.obtained_at + ahead)

    def age(self, now: float) -> float | None:
        """Seconds since the tokens were issued; None if the clock was set back."""
        return now - self.obtained_at if now >= self.obtained_at else None

    @property
    def api_url(self) -> str:
        """The base URL of the API that this grant is for."""
        return self.token_url.removesuffix(TOKEN_PATH)

    @property
    def token(self) -> Token:
        """What callers get of the grant."""
        return Token(
            access_token=self.access_token,
            expires_at=self.expires_at,
            scopes=self.scopes,
            userid=self.userid,
            client_id=self.client_id,
            api_origin=origin(self.token_url),
        )

    def to_record(self) -> str:
        """Returns the record to store under `token/<profile>`."""
        return write_record({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def from_record(cls, text: str) -> Grant:
        """Reads what `to_record` wrote. Raises `StoreCorrupt`."""
        return cls(**read_grant(text))
