"""Tables of where a login listens and what it answers to."""

from __future__ import annotations

import pytest

from withings_auth.authorization.addresses import resolve_addresses, ssh_forwarding, ssh_forwarding_to_service
from withings_auth.errors import ConfigurationError


@pytest.mark.parametrize(
    ("redirect_uri", "listen", "bind_to", "port", "path", "origin"),
    [
        ("http://localhost:8000", None, ("127.0.0.1", "::1"), 8000, "/", "http://localhost:8000"),
        ("http://localhost:8000/", None, ("127.0.0.1", "::1"), 8000, "/", "http://localhost:8000"),
        ("http://localhost:8000/a/b", None, ("127.0.0.1", "::1"), 8000, "/a/b", "http://localhost:8000"),
        ("http://127.0.0.1:9/cb", None, ("127.0.0.1",), 9, "/cb", "http://127.0.0.1:9"),
        ("http://[::1]:9", None, ("::1",), 9, "/", "http://[::1]:9"),
        ("http://localhost:80", None, ("127.0.0.1", "::1"), 80, "/", "http://localhost:80"),
        ("http://localhost", "localhost:80", ("127.0.0.1", "::1"), 80, "/", "http://localhost:80"),
        ("http://LOCALHOST:8000", None, ("127.0.0.1", "::1"), 8000, "/", "http://localhost:8000"),
        ("http://localhost:8000", "127.0.0.2:9000", ("127.0.0.2",), 9000, "/", "http://127.0.0.2:9000"),
        ("https://localhost:8443/cb", "[::1]:8000", ("::1",), 8000, "/cb", "http://[::1]:8000"),
        ("https://localhost:8443/cb", "[0::1]:8000", ("::1",), 8000, "/cb", "http://[::1]:8000"),
        ("https://me.example/cb", "127.0.0.1:8000", ("127.0.0.1",), 8000, "/cb", "http://127.0.0.1:8000"),
        ("https://me.example/cb", "localhost:8000", ("127.0.0.1", "::1"), 8000, "/cb", "http://localhost:8000"),
        ("http://localhost:8000", "0.0.0.0:8000", ("0.0.0.0",), 8000, "/", "http://127.0.0.1:8000"),  # noqa: S104  a value to compare
        ("http://localhost:8000", "[::]:8000", ("::",), 8000, "/", "http://[::1]:8000"),
    ],
)
def test_the_listening_address_follows_from_the_redirect_uri(
    redirect_uri: str, listen: str | None, bind_to: tuple[str, ...], port: int, path: str, origin: str
) -> None:
    """Statement 1: a loopback redirect URI is listened on by its literals, anything else only if `listen` is set."""
    where = resolve_addresses(redirect_uri, listen)
    assert (where.bind_to, where.port, where.path, where.origin) == (bind_to, port, path, origin)


def test_only_a_wildcard_is_open_to_the_network() -> None:
    """Statement 1: a listener that other machines reach is recognised, so that the user can be warned."""
    assert not resolve_addresses("http://localhost:8000", None).open_to_the_network
    assert resolve_addresses("http://localhost:8000", "0.0.0.0:8000").open_to_the_network
    assert resolve_addresses("http://localhost:8000", "192.0.2.1:8000").open_to_the_network


def test_the_accepted_hosts_are_the_registered_one_and_loopback() -> None:
    """Statement 7: the port may only be left out if it is the scheme's default."""
    assert resolve_addresses("http://localhost:8000", None).accepted_hosts == {
        "localhost:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
    }
    assert {"me.example", "me.example:443", "127.0.0.1:8000"} <= resolve_addresses(
        "https://me.example/cb", "127.0.0.1:8000"
    ).accepted_hosts
    assert "localhost" in resolve_addresses("http://localhost:80", None).accepted_hosts
    assert "localhost" in resolve_addresses("http://localhost", "127.0.0.1:8000").accepted_hosts


@pytest.mark.parametrize("listen", ["127.0.0.2:8000", "192.0.2.1:8000", "[2001:db8::1]:8000", "0.0.0.0:8000"])
def test_the_short_address_is_answered_where_it_leads(listen: str) -> None:
    """Statements 7 and 20: the browser's short address names a host that is accepted, wherever we listen."""
    where = resolve_addresses("https://me.example/cb", listen)
    assert where.origin.removeprefix("http://") in where.accepted_hosts


@pytest.mark.parametrize(
    ("redirect_uri", "listen", "forwarded"),
    [
        ("http://localhost:8000", None, "8000:localhost:8000"),
        ("http://localhost:8000/cb", None, "8000:localhost:8000"),
        ("http://127.0.0.1:8000", None, "8000:127.0.0.1:8000"),
        ("http://[::1]:8000", None, "8000:[::1]:8000"),
        ("http://localhost:8000", "127.0.0.1:9000", "8000:127.0.0.1:9000"),
        ("http://localhost:8000", "[::1]:9000", "8000:[::1]:9000"),
        ("http://localhost:8000", "0.0.0.0:9000", "8000:127.0.0.1:9000"),
        ("http://[::1]:8000", "[::]:9000", "8000:[::1]:9000"),
        ("http://localhost", "localhost:9000", "80:localhost:9000"),
        ("https://localhost:8443/cb", "127.0.0.1:8000", "8443:localhost:8443"),
        ("https://localhost/cb", "127.0.0.1:8000", "443:localhost:443"),
        ("https://me.example/cb", "127.0.0.1:8000", None),
    ],
)
def test_what_ssh_forwards(redirect_uri: str, listen: str | None, forwarded: str | None) -> None:
    """A browser on another computer goes to the registered port there and reaches the listener here.

    Over https it comes out at whatever of the user's own has the certificate; an address of the net needs nothing.
    """
    assert ssh_forwarding(redirect_uri, resolve_addresses(redirect_uri, listen)) == forwarded


@pytest.mark.parametrize(
    ("authorize_url", "forwarded"),
    [
        ("https://account.withings.com/oauth2_user/authorize2", None),
        ("http://127.0.0.1:9000/oauth2_user/authorize2", "9000:127.0.0.1:9000"),
        ("http://[::1]:9000/", "9000:[::1]:9000"),
        ("https://localhost/", "443:localhost:443"),
    ],
)
def test_ssh_forwards_to_a_service_on_this_machine_too(authorize_url: str, forwarded: str | None) -> None:
    """A browser on another computer finds a sandbox only so."""
    assert ssh_forwarding_to_service(authorize_url) == forwarded


@pytest.mark.parametrize(
    ("redirect_uri", "reason", "way_on"),
    [
        ("https://me.example/cb", "does not lead to localhost", 'listen="127.0.0.1:PORT"'),
        ("https://me.example/cb", "does not lead to localhost", "paste_only=True"),
        ("http://me.example:8000", "does not lead to localhost", 'listen="127.0.0.1:PORT"'),
        ("http://0.0.0.0:8000", "does not lead to localhost", 'listen="127.0.0.1:PORT"'),
        ("http://localhost.me.example:8000", "does not lead to localhost", 'listen="127.0.0.1:PORT"'),
        ("https://localhost:8000", "certificate", 'listen="127.0.0.1:PORT"'),
        ("http://localhost", "names no port", 'listen="localhost:80"'),
        ("http://localhost:8000/#there", "fragment", "http://localhost:8000"),
        ("http://localhost:8000/#", "fragment", "http://localhost:8000"),
        ("http://me@localhost:8000", "user name", "http://localhost:8000"),
        ("http://me:secret@localhost:8000/cb", "user name", "http://localhost:8000"),
        ("http://localhost:0", "port", "http://localhost:8000"),
        ("http://localhost:65536", "port", "http://localhost:8000"),
        ("http://localhost:x", "port", "http://localhost:8000"),
        ("localhost:8000", "URL", "http://localhost:8000"),
        ("ftp://localhost:8000", "URL", "http://localhost:8000"),
        ("http://", "URL", "http://localhost:8000"),
        ("http://localhost:8000/\x1b[2J", "URL", "http://localhost:8000"),
        ("", "URL", "http://localhost:8000"),
    ],
)
def test_a_redirect_uri_that_cannot_work_is_refused_with_the_reason(
    redirect_uri: str, reason: str, way_on: str
) -> None:
    """Statement 35: refused at once, with the reason, a way on, and nothing that a terminal would interpret."""
    with pytest.raises(ConfigurationError, match=reason) as refused:
        resolve_addresses(redirect_uri, None)
    assert way_on in refused.value.hint
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "listen",
    [
        "8000",
        "",
        ":",
        ":8000",
        "127.0.0.1",
        "127.0.0.1:",
        "127.0.0.1:0",
        "127.0.0.1:65536",
        "127.0.0.1:+80",
        "127.0.0.1: 80",
        "127.0.0.1:8_0",
        "127.0.0.1:٨٠",
        "127.0.0.1:80:80",
        "::1:8000",
        "[127.0.0.1]:8000",
        "[localhost]:8000",
        "[fe80::1%eth0]:8000",
        "[fe80::1%\x1b[2J]:8000",
        "me.example:8000",
        "\x1b[2J:1",
    ],
)
def test_a_place_to_listen_is_an_address_and_a_port(listen: str) -> None:
    """Statement 35: everything else is refused, with an example, and with nothing that a terminal would interpret."""
    with pytest.raises(ConfigurationError, match="cannot listen on") as refused:
        resolve_addresses("http://localhost:8000", listen)
    assert 'listen="127.0.0.1:8000"' in refused.value.hint
    assert str(refused.value).isprintable()
