"""What the terminal shows while a login waits for its answer, and after it; `invitation` has what comes before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from withings_auth.authorization.callback import Reason
from withings_auth.authorization.options import LoginRequest
from withings_auth.errors import LoginTimeout, login_hint, profile_flag
from withings_auth.model import Grant
from withings_auth.validation import printable
from withings_auth.wording import clock_time, span

PASTED = "Thank you; getting the tokens from Withings."

_EXPLANATIONS = {
    Reason.TLS: "(Does your browser force https on localhost? Make an exception for this address.)",
    Reason.ANOTHER_USER: "(Was that your browser? Press Ctrl-C, then log in with paste_only=True.)",
}
_PRIVATE_WINDOW = {
    Reason.SERVICE_WORKER: "It can keep the browser's answer from coming here. If the login does not end, use a private"
    " window of the browser, or register a URL with another port.",
    Reason.TOO_LARGE: "Too many cookies are set for localhost. Delete them, or use a private window of the browser.",
}


def wrong_paste(why: str, redirect_uri: str) -> str:
    """After a paste that was not the answer; `why` may refer to {redirect_uri}."""
    return why.replace("{redirect_uri}", printable(redirect_uri))


def countdown(seconds_left: float, *, pasting: bool, listening: bool) -> str:
    """The line that counts down; a narrow terminal shows only its first sentence."""
    minutes, seconds = divmod(round(seconds_left), 60)
    time_left = f"Waiting for you: {minutes}:{seconds:02} left."
    if not pasting:
        return time_left
    return f"{time_left} {'Or paste' if listening else 'Paste'} the browser's address and press Enter."


def ignored(reason: Reason) -> str:
    """When the first request is ignored for this reason."""
    line = f"Ignored a request {reason.value}; still waiting."
    return f"{line} {_EXPLANATIONS[reason]}" if reason in _EXPLANATIONS else line


def in_a_private_window(reason: Reason) -> str | None:
    """Before the address to open there, if the user's browser holds something that is in the way of the login."""
    return _PRIVATE_WINDOW.get(reason)


def opened_twice(*, is_new: bool) -> str:
    """After a second visit of the start address; `is_new` if the tab of the first one no longer counts."""
    if is_new:
        return "The first visit may have been another program's, so a tab that is already open no longer counts."
    return "If the login is not open in a tab yet:"


def signed_in(profile: str, grant: Grant, place: str, asked: Iterable[str]) -> Iterable[str]:
    """After the save, with a warning if Withings granted less than was `asked` for."""
    until = clock_time(grant.expires_at)
    yield f"Signed in as Withings user {grant.userid}, profile {profile}."
    yield f"Saved in {place}. The access token is valid until {until} and is renewed when needed."
    missing = [printable(scope, limit=64) for scope in asked if scope not in grant.scopes]
    if missing:
        yield f"withings-auth: warning: not granted: {', '.join(missing)}"


def still_waiting(request: LoginRequest) -> str:
    """After a while without an answer."""
    return f"Still waiting: {'; '.join(_fix_app(request, 'shows')) or 'click Allow in the browser'}."


def nobody_came(request: LoginRequest, counted: Counter[Reason]) -> LoginTimeout:
    """Returns the error for a login that got no answer, with what was ignored and what the user can do."""
    if request.options.paste_only:
        return _nothing_pasted(request)
    seen = "; ".join(f"{count} {reason.value}" for reason, count in counted.most_common())
    advice = ["click Allow in the browser", *_fix_app(request, "showed")]
    if counted[Reason.TLS]:
        advice.append("your browser forces https on localhost: make an exception for this address")
    if counted[Reason.SERVICE_WORKER]:
        advice.append("use a private window of the browser, or register a URL with another port")
    if counted[Reason.TOO_LARGE]:
        advice.append("delete the cookies of localhost in your browser")
    if counted[Reason.ANOTHER_USER]:
        advice.append("if your browser runs as another user, use paste_only=True")
    if counted[Reason.FOREIGN_STATE]:
        advice.append("an old tab answered: close the tabs of earlier logins")
    return LoginTimeout(
        f"the browser did not come back from Withings within {span(request.options.timeout)}"
        + (f" (ignored requests: {seen})" if seen else ""),
        hint="; ".join([*advice, f"then {login_hint(request.profile)}"]),
    )


def _nothing_pasted(request: LoginRequest) -> LoginTimeout:
    advice = ["click Allow in the browser and paste the address that it goes to", *_fix_app(request, "showed")]
    return LoginTimeout(
        f"the answer was not pasted within {span(request.options.timeout)}",
        hint="; ".join([*advice, f"then log in: withings-auth login{profile_flag(request.profile)} --paste"]),
    )


def _fix_app(request: LoginRequest, shows: str) -> Iterable[str]:
    """What to do about Withings' two error pages, which never come back to us; nothing if nobody entered the app."""
    if not request.client_id_place:
        return
    yield f"if Withings {shows} “redirect_uri_mismatch”, register exactly {printable(request.app.redirect_uri)}"
    yield f"if it {shows} “Invalid clientid”, check {request.client_id_place}"
