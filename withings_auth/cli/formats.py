"""The forms in which other programs read an access token: JSON, an HTTP header, a line for a shell."""

from __future__ import annotations

from pathlib import PurePath

from withings_auth.model import Token

TOKEN_VARIABLE = "WITHINGS_ACCESS_TOKEN"  # noqa: S105  a name, not a password
USERID_VARIABLE = "WITHINGS_USERID"

# In all of these, no character of a token has a special meaning between single quotes.
_LINES = {
    "bash": "export {name}='{value}'",
    "zsh": "export {name}='{value}'",
    "fish": "set -gx {name} '{value}'",
    "powershell": "$env:{name} = '{value}'",
}
SHELLS = tuple(_LINES)


def fields(token: Token, now: float) -> dict[str, object]:
    """Returns what a program may need to know about the token, without the refresh token."""
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
    """Returns the Authorization header, as `curl -H @-` reads it."""
    return f"Authorization: Bearer {token.access_token}"


def shell_line(token: Token, shell: str) -> str:
    """Returns the line that sets and exports the token's variable in one of `SHELLS`."""
    return _LINES[shell].format(name=TOKEN_VARIABLE, value=token.access_token)


def shell_of(login_shell: str | None, platform: str) -> str:
    """Returns the one of `SHELLS` that SHELL names; bash if it names another, since most understand its syntax.

    Without it, it is PowerShell on Windows: only the shells of other systems set it.
    """
    if not login_shell and platform == "win32":
        return "powershell"
    name = PurePath(login_shell or "").stem
    name = "powershell" if name == "pwsh" else name
    return name if name in _LINES else "bash"
