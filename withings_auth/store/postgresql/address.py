"""The name of a store in PostgreSQL: a connection URI as libpq reads it, with two parameters of our own."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, unquote

from withings_auth.errors import ConfigurationError
from withings_auth.store import DATABASES
from withings_auth.validation import printable

USUAL_SCHEMA = "withings_auth"
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_OURS = ("schema", "sealed")
_EXAMPLE = "a database is named like postgresql://db.example.org/withings"
_ESCAPES = f"in a password, write “@” as %40, “/” as %2F and “?” as %3F; {_EXAMPLE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A schema in a database. Nothing but `conninfo`, which is never shown, can have a password."""

    conninfo: str = field(repr=False)
    place: str  # the same for all programs, whatever user they connect as
    schema: str = USUAL_SCHEMA
    sealed: bool = True


def parse_address(name: str, *, place: str = "store") -> Address:
    """Returns what the store's name says. Raises `ConfigurationError`, which calls its origin `place`.

    `schema` and `sealed=off` are for us; libpq gets the rest as it is
    (postgresql.org/docs, "Connection URIs").
    """
    authority, path, query = _split(name)
    parameters = parse_qsl(query, keep_blank_values=True)
    if _is_cut(authority, path, query):
        raise ConfigurationError(f"{place} has an “@” that does not end a user and a password", hint=_ESCAPES)
    if _has_odd_port(authority):  # perhaps the beginning of a password: it is not shown
        raise ConfigurationError(f"{place} has a port that is not a number", hint=_ESCAPES)
    ours = {key: value for key, value in parameters if key in _OURS}
    schema, sealed = ours.get("schema", USUAL_SCHEMA), ours.get("sealed", "on")
    if sealed not in {"on", "off"}:
        raise ConfigurationError(
            f"{place} has sealed={printable(sealed, limit=20)}", hint="leave it out to seal records, or use sealed=off"
        )
    if not _SCHEMA.fullmatch(schema):
        raise ConfigurationError(
            f"{place} has schema={printable(schema, limit=80)}, which is not the name of a schema here",
            hint="use lower-case letters, digits and underscores, as in schema=withings_auth",
        )
    theirs = "&".join(pair for pair in query.split("&") if pair and pair.partition("=")[0] not in _OURS)
    conninfo = f"{DATABASES[0]}{authority}{path}" + (f"?{theirs}" if theirs else "")
    if not conninfo.isprintable() or " " in conninfo:
        raise ConfigurationError(f"{place} has characters that no URL has", hint=f"write them as %20; {_EXAMPLE}")
    return Address(
        conninfo=conninfo,
        place=_place(authority, path, dict(parameters), schema),
        schema=schema,
        sealed=sealed == "on",
    )


def without_password(name: str) -> str:
    """Returns the name without its password, so that it can be shown or saved; as it is if it has none."""
    scheme = name.partition("://")[0]
    authority, path, query = _split(name)
    if _has_odd_port(authority) or _is_cut(authority, path, query):
        return f"{scheme}://…"
    user, at, hosts = authority.rpartition("@")
    theirs = "&".join(pair for pair in query.split("&") if "password" not in unquote(pair.partition("=")[0]))
    return f"{scheme}://{user.partition(':')[0]}{at}{hosts}{path}{'?' if theirs else ''}{theirs}"


def _has_odd_port(authority: str) -> bool:
    hosts = authority.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].partition(":")[2] for host in hosts]  # an IPv6 address is in brackets
    return any(port and not port.isdecimal() for port in ports)


def _is_cut(authority: str, path: str, query: str) -> bool:
    """Whether a password seems to go on where libpq takes it for a host or a path: it has an `@`, `/` or `?`."""
    keys = [key for key, _ in parse_qsl(query, keep_blank_values=True)]
    password_like_a_port = ":" in authority and "@" not in authority and not path
    return (
        authority.count("@") > 1
        or "@" in path
        or any("@" in key for key in keys)
        or (password_like_a_port and "@" in query)
    )


def _split(name: str) -> tuple[str, str, str]:
    """Returns the name's authority, its path with the slash, and its query."""
    rest, _, query = name.partition("://")[2].partition("?")
    authority, slash, path = rest.partition("/")
    return authority, slash + path, query


def _place(authority: str, path: str, parameters: dict[str, str], schema: str) -> str:
    hosts = authority.rpartition("@")[2] or parameters.get("host", "")
    if not hosts and "port" in parameters:
        hosts = f":{parameters['port']}"
    database = path.removeprefix("/") or parameters.get("dbname", "")
    service = parameters.get("service")
    where = f"service {service}" if service and not (hosts or database) else f"{unquote(hosts)}/{unquote(database)}"
    return printable(where if schema == USUAL_SCHEMA else f"{where}/{schema}", limit=160)
