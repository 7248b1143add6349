"""What a person reads at the terminal while they log in."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from withings_auth.authorization.callback import Reason
from withings_auth.authorization.environment import Environment
from withings_auth.errors import LoginTimeout, login_hint
from withings_auth.model import Grant
from withings_auth.validation import host_and_port, printable


def duration(seconds: float) -> str:
    """Returns a time span as a person says it."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes and not rest:
        return f"{minutes} minute{'s' if minutes > 1 else ''}"
    return f"{round(seconds)} seconds"


def opening(timeout: float) -> str:
    """Said when the browser was started."""
    return f"Opening your browser to sign in at Withings; waiting {duration(timeout)} at most (Ctrl-C stops)."


def by_hand(why: str, url: str, *, in_container: bool) -> Iterable[str]:
    """Said when a person has to open the address; the address stands alone on its line, to be copied."""
    yield why
    if in_container:
        yield "A browser outside comes back only to a mapped port and --listen 0.0.0.0:PORT; else use --paste."
        yield "Open this address in a browser:"
    else:
        yield "Open this address in a browser on this computer:"
    yield ""
    yield url
    yield ""


def by_hand_over_ssh(why: str, url: str, ssh_command: str | None) -> Iterable[str]:
    """Said in a session over SSH, where the browser is on another computer; what is to be copied stands alone.

    `ssh_command` leads from there to the listener here; None where the way back does not need it.
    """
    yield why
    if ssh_command is not None:
        yield "After sign-in the browser goes to localhost, on the computer where the browser is. On that computer,"
        yield "type this in another terminal, so that localhost there leads here, and leave it open:"
        yield ""
        yield ssh_command
        yield ""
        yield "Then open this address in the browser there:"
    else:
        yield "Open this address in a browser:"
    yield ""
    yield url
    yield ""


def ssh_command(forwarding: str, around: Environment) -> str:
    """Returns the line to type on the computer where the browser is; see `addresses.forwarding`."""
    return printable(f"ssh -L {forwarding} {around.ssh_destination}")


def to_paste(timeout: float, url: str) -> Iterable[str]:
    """Said when the way back is a paste; the address stands alone on its line, to be copied."""
    yield f"Waiting {duration(timeout)} at most."
    yield "Open this address in a browser, on any computer:"
    yield ""
    yield url
    yield ""
    yield "Click Allow; then copy the address that the browser has moved on to, even if it cannot show that page,"
    yield "paste it here and press Enter. It is not shown here, and the code in it lives for 30 seconds only."


PASTED = "Thank you; asking Withings for the tokens."
"""Said when a paste was the answer."""


def not_that(why: str, redirect_uri: str) -> str:
    """Said when a paste was not the answer; `why` may name {redirect_uri}."""
    return why.replace("{redirect_uri}", printable(redirect_uri))


def waiting(seconds_left: float, *, pasting: bool, listening: bool) -> str:
    """The line that counts; a narrow terminal shows its first sentence only."""
    minutes, seconds = divmod(round(seconds_left), 60)
    time_left = f"Waiting for you: {minutes}:{seconds:02} left."
    if not pasting:
        return time_left
    if not listening:
        return f"{time_left} Paste the browser's address here, then press Enter."
    return f"{time_left} Or paste the browser's address here, then Enter."


def open_to_the_network(bind_to: Iterable[str], port: int) -> str:
    """Said when the listener is not bound to loopback alone."""
    places = ", ".join(host_and_port(host, port) for host in bind_to)
    return f"withings-auth: warning: other machines can reach the address that is listened on ({places})"


def already(profile: str, owner: Grant) -> str:
    """Said when the profile is in use."""
    return f"Profile {profile} is signed in as user {owner.userid}; a new login of the same person replaces it."


def ignored(reason: Reason) -> str:
    """Said the first time that something of a reason came that is not the callback."""
    line = f"Ignored a request {reason.value}; still waiting."
    if reason is Reason.TLS:
        return line + " (Does your browser force https on localhost? Make an exception for this address.)"
    return line


def success(profile: str, grant: Grant, place: str) -> Iterable[str]:
    """Said after the save."""
    until = time.strftime("%H:%M", time.localtime(grant.expires_at))
    yield f"Signed in as Withings user {grant.userid}, profile {profile}."
    yield f"Saved in {place}. The access token is good until {until} and is renewed when it is asked for after that."


def missing_scopes(asked: Iterable[str], granted: Iterable[str]) -> str | None:
    """Said when Withings granted less than was asked; None where nothing is missing."""
    missing = [scope for scope in asked if scope not in set(granted)]
    if not missing:
        return None
    return f"withings-auth: warning: not granted: {', '.join(printable(scope, limit=64) for scope in missing)}"


def nobody_came(profile: str, redirect_uri: str, timeout: float, counted: Counter[Reason]) -> LoginTimeout:
    """Returns the error for a login that nobody answered, with all that was seen and what a person can do."""
    seen = "; ".join(f"{count} {reason.value}" for reason, count in counted.most_common())
    advice = [
        "click Allow in the browser",
        f"if Withings showed “redirect_uri_mismatch”, register {printable(redirect_uri)} exactly so",
        "if it showed “Invalid clientid”, check WITHINGS_CLIENT_ID",
    ]
    if counted[Reason.TLS]:
        advice.append("your browser forces https on localhost: make an exception for this address")
    if counted[Reason.FOREIGN_STATE]:
        advice.append("an old tab answered: close the tabs of earlier logins")
    return LoginTimeout(
        f"nobody came back from Withings within {duration(timeout)}"
        + (f" (requests that were ignored: {seen})" if seen else ""),
        hint="; ".join([*advice, f"then {login_hint(profile)}"]),
    )


def nothing_pasted(profile: str, redirect_uri: str, timeout: float) -> LoginTimeout:
    """Returns the error for a login whose answer was to be pasted and was not."""
    return LoginTimeout(
        f"the answer was not pasted within {duration(timeout)}",
        hint="click Allow in the browser and paste the address that it moves on to; if Withings showed"
        f" “redirect_uri_mismatch”, register {printable(redirect_uri)} exactly so, if it showed “Invalid clientid”,"
        f" check WITHINGS_CLIENT_ID; then {login_hint(profile)} --paste",
    )
