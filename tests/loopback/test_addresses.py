"""Where a login listens and what it answers to, by tables."""

from __future__ import annotations

import pytest

from withings_auth.errors import ConfigurationError
from withings_auth.loopback.addresses import addresses


@pytest.mark.parametrize(
    ("redirect_uri", "listen", "bind_to", "port", "path", "origin"),
    [
        ("http://localhost:8000", None, ("127.0.0.1", "::1"), 8000, "/", "http://localhost:8000"),
        ("http://localhost:8000/", None, ("127.0.0.1", "::1"), 8000, "/", "http://localhost:8000"),
        ("http://localhost:8000/a/b", None, ("127.0.0.1", "::1"), 8000, "/a/b", "http://localhost:8000"),
        ("http://127.0.0.1:9/cb", None, ("127.0.0.1",), 9, "/cb", "http://127.0.0.1:9"),
        ("http://[::1]:9", None, ("::1",), 9, "/", "http://[::1]:9"),
        ("http://localhost", None, ("127.0.0.1", "::1"), 80, "/", "http://localhost:80"),
        ("https://me.example/cb", "127.0.0.1:8000", ("127.0.0.1",), 8000, "/cb", "http://127.0.0.1:8000"),
        ("https://me.example/cb", "localhost:8000", ("127.0.0.1", "::1"), 8000, "/cb", "http://localhost:8000"),
        ("http://localhost:8000", "0.0.0.0:8000", ("0.0.0.0",), 8000, "/", "http://127.0.0.1:8000"),  # noqa: S104  a value to compare
        ("http://localhost:8000", "[::]:8000", ("::",), 8000, "/", "http://[::1]:8000"),
    ],
)
def test_the_listening_address_follows_from_the_redirect_uri(
    redirect_uri: str, listen: str | None, bind_to: tuple[str, ...], port: int, path: str, origin: str
) -> None:
    """Statement 1: a loopback redirect URI is listened on by its literals, anything else only where it was said."""
    where = addresses(redirect_uri, listen)
    assert (where.bind_to, where.port, where.path, where.origin) == (bind_to, port, path, origin)


def test_only_a_wildcard_is_open_to_the_network() -> None:
    """Statement 1: a listener that other machines reach is known as such, so that a person can be warned."""
    assert not addresses("http://localhost:8000", None).open_to_the_network
    assert addresses("http://localhost:8000", "0.0.0.0:8000").open_to_the_network
    assert addresses("http://localhost:8000", "192.0.2.1:8000").open_to_the_network


def test_the_accepted_hosts_are_the_registered_one_and_loopback() -> None:
    """Statement 7: the port may be absent only where it is the scheme's own."""
    assert addresses("http://localhost:8000", None).accepted_hosts == {
        "localhost:8000",
        "127.0.0.1:8000",
        "[::1]:8000",
    }
    assert {"me.example", "me.example:443", "127.0.0.1:8000"} <= addresses(
        "https://me.example/cb", "127.0.0.1:8000"
    ).accepted_hosts
    assert "localhost" in addresses("http://localhost", None).accepted_hosts


@pytest.mark.parametrize(
    ("redirect_uri", "listen"),
    [
        ("https://me.example/cb", None),
        ("https://localhost:8000", None),
        ("http://me.example:8000", None),
        ("http://localhost:8000/#there", None),
        ("http://me@localhost:8000", None),
        ("http://localhost:0", None),
        ("localhost:8000", None),
        ("", None),
        ("http://localhost:8000", "8000"),
        ("http://localhost:8000", "me.example:8000"),
        ("http://localhost:8000", "127.0.0.1:0"),
        ("http://localhost:8000", "127.0.0.1:65536"),
        ("http://localhost:8000", "127.0.0.1:"),
        ("http://localhost:8000", "\x1b[2J:1"),
    ],
)
def test_an_address_that_cannot_work_is_refused(redirect_uri: str, listen: str | None) -> None:
    """What nothing can listen on is refused at once, with a hint, and with nothing that a terminal would obey."""
    with pytest.raises(ConfigurationError) as refused:
        addresses(redirect_uri, listen)
    assert refused.value.hint
    assert "\x1b" not in str(refused.value)
