"""What is known about an app before it is complete: from flags, files, the environment and the store."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from withings_auth.errors import ConfigurationError
from withings_auth.model import ALL_SCOPES, DEFAULT_REDIRECT_URI, App
from withings_auth.validation import scope_list


@dataclass(frozen=True, slots=True, kw_only=True)
class PartialApp:
    """Some of an app's values; None for those that are not known."""

    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    redirect_uri: str | None = None
    scopes: tuple[str, ...] | None = None

    def over(self, other: PartialApp | App) -> PartialApp:
        """Returns this app, with the other's values for those that are None."""
        missing = [each.name for each in fields(self) if getattr(self, each.name) is None]
        return replace(self, **{name: getattr(other, name) for name in missing})

    def complete(self) -> App:
        """Returns the app, with defaults for redirect URI and scopes.

        Raises `ConfigurationError` if the client id or the client secret is missing, or a value is invalid.
        """
        if self.client_id is None or self.client_secret is None:
            values = {"the client id": self.client_id, "the client secret": self.client_secret}
            missing = [name for name, value in values.items() if value is None]
            raise ConfigurationError(
                f"not set: {' and '.join(missing)}",
                hint=f"on a terminal, withings-auth configure asks for {'it' if len(missing) == 1 else 'them'};"
                " in a script: withings-auth configure --client-id ID --secret-stdin, or"
                " withings-auth configure --env-file FILE",
            )
        return App(
            client_id=self.client_id,
            client_secret=self.client_secret,
            redirect_uri=self.redirect_uri or DEFAULT_REDIRECT_URI,
            scopes=self.scopes or ALL_SCOPES,
        )


def parse_scopes(text: str, place: str) -> tuple[str, ...]:
    """Returns the scopes in a comma-separated list. Raises `ConfigurationError`, naming the place of the text."""
    try:
        scopes, problem = scope_list(text), f"{place} names no scope"
    except ValueError as error:
        scopes, problem = (), f"{place}: {error}"
    if not scopes:
        raise ConfigurationError(problem, hint="scopes are a comma-separated list: user.info,user.metrics")
    return scopes
