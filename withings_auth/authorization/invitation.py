"""What the terminal shows when a login begins: where the browser goes, or has to."""

from __future__ import annotations

from collections.abc import Iterable

from withings_auth.model import Grant
from withings_auth.validation import host_and_port, is_loopback_url, printable
from withings_auth.wording import span

TYPE_CHECKING = False
if TYPE_CHECKING:
    from withings_auth.authorization.environment import Environment


def time_limit(timeout: float) -> str:
    """How long a login waits."""
    return f"Waiting up to {span(timeout)}."


def browser_opened(timeout: float) -> str:
    """After the browser was started."""
    return f"Opening your browser to sign in to Withings. {time_limit(timeout)[:-1]} (Ctrl-C to cancel)."


def open_by_hand(why: str, url: str, *, in_container: bool) -> Iterable[str]:
    """If the user has to open the address, which has a line to itself, to be copied."""
    yield why
    if in_container:
        yield 'A browser outside comes back only by a mapped port and listen="0.0.0.0:PORT"; or use paste_only=True.'
        yield "Open this address in a browser:"
    else:
        yield "Open this address in a browser on this computer:"
    yield from _to_copy(url)


def open_over_ssh(why: str, url: str, ssh_command: str | None) -> Iterable[str]:
    """If the browser is on another computer, from which `ssh_command` leads back here (None: not needed)."""
    yield why
    if ssh_command is None:
        yield "Open this address in a browser:"
    else:
        yield "After you sign in, the browser goes to localhost, which is the computer it runs on. To lead it here,"
        yield "run this in another terminal on that computer and leave it open:"
        yield from _to_copy(ssh_command)
        yield "Then open this address in the browser there:"
    yield from _to_copy(url)


def ssh_command(forwarded: Iterable[str], environment: Environment) -> str:
    """Returns the command for the computer with the browser; see `addresses.ssh_forwarding`."""
    flags = " ".join(f"-L {forwarding}" for forwarding in forwarded)
    return printable(f"ssh {flags} {environment.ssh_destination}")


def open_and_paste(url: str) -> Iterable[str]:
    """If the user pastes the address that the browser ends at."""
    yield f"Open this address in a browser, on {'this' if is_loopback_url(url) else 'any'} computer:"
    yield from _to_copy(url)
    yield "Click Allow. Then copy the address that the browser goes to, even if it cannot show that page,"
    yield "paste it here and press Enter. It is not shown here, and the code in it expires after 30 seconds."


def _to_copy(text: str) -> Iterable[str]:
    return "", text, ""


def open_to_the_network(bind_to: Iterable[str], port: int) -> str:
    """If the listener is not bound to loopback alone."""
    listener = ", ".join(host_and_port(host, port) for host in bind_to)
    return f"withings-auth: warning: other machines can connect to the address this login listens on ({listener})"


def already_signed_in(profile: str, owner: Grant) -> str:
    """If the profile is in use."""
    return f"Profile {profile} belongs to user {owner.userid}; a new login as the same user replaces the old one."
