"""An access token as other programs read it: as JSON, as a header of HTTP, as a line for a shell."""

from __future__ import annotations

from pathlib import PurePath

from withings_auth.model import Token

TOKEN_VARIABLE = "WITHINGS_ACCESS_TOKEN"  # noqa: S105  a name, not a password
USERID_VARIABLE = "WITHINGS_USERID"

# No letter that a token can have means anything between single quotes, in any of these.
_LINES = {
    "bash": "export {name}='{value}'",
    "zsh": "export {name}='{value}'",
    "fish": "set -gx {name} '{value}'",
    "powershell": "$env:{name} = '{value}'",
}
SHELLS = tuple(_LINES)


def fields(token: Token, now: float) -> dict[str, object]:
    """Returns what a program may want to know about the token; the refresh token is not among it."""
    return {
        "access_token": token.access_token,
        "token_type": "Bearer",
        "expires_at": token.expires_at,
        "seconds_left": max(0, int(token.expires_at - now)),
        "scopes": list(token.scopes),
        "userid": token.userid,
        "service": token.api_origin,
    }


def header(token: Token) -> str:
    """Returns the header that carries the token, as `curl -H @-` reads it."""
    return f"Authorization: Bearer {token.access_token}"


def shell_line(token: Token, shell: str) -> str:
    """Returns the line that sets the token's variable in one of `SHELLS`, for programs that are started from it."""
    return _LINES[shell].format(name=TOKEN_VARIABLE, value=token.access_token)


def shell_of(login_shell: str | None) -> str:
    """Returns which of `SHELLS` the variable SHELL means; all others understand what bash does, or must be named."""
    name = PurePath(login_shell or "").stem
    name = "powershell" if name == "pwsh" else name
    return name if name in _LINES else "bash"
