"""A store in a database: its server and the clock there, whether records are sealed, and whether their key is here."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from withings_auth.doctor.results import Result, failed, ok, warning
from withings_auth.doctor.setup import version_of
from withings_auth.store.base import SecretStore, clock_offset
from withings_auth.store.rekeying import UNSEALED, look_at_keys
from withings_auth.store.sealed_store import SealedStore
from withings_auth.wording import span

if TYPE_CHECKING:
    from withings_auth.store.postgresql.database_store import PostgresStore

APART_SECONDS = 60


def check_server(store: SecretStore) -> Result:
    """Reaches the server, finds the schema in the version that this program knows, and compares the clocks."""
    inner = cast("PostgresStore", store.inner if isinstance(store, SealedStore) else store)
    version, tls, is_local = inner.server()
    words = f"{store.description}; PostgreSQL {version}, psycopg {version_of('psycopg')}, {tls or 'no TLS'}"
    offset = clock_offset(inner)
    if abs(offset) > APART_SECONDS:
        return warning(
            f"{words}; its clock is {span(round(abs(offset)))} {'ahead of' if offset > 0 else 'behind'} this machine's",
            "logins keep to the server's clock, so they work; correct the clock that is wrong",
        )
    if tls is None and not is_local:
        return warning(f"{words}: others in the network can read it", "add sslmode=verify-full to the store's name")
    return ok(words)


def check_keys(store: SecretStore) -> Result:
    """Says whether the records are sealed, and whether this machine has every key that they need."""
    if not isinstance(store, SealedStore):
        return warning(
            "the records are not sealed: whoever can read the table can use the logins",
            "leave sealed=off out of the store's name, unless you trust everybody who can",
        )
    state = look_at_keys(store)
    missing = [key for key in dict.fromkeys([state.sealing, *state.in_use]) if key and key not in state.here]
    if state.sealing is None:
        return failed("there is no key yet that seals records", "make one: withings-auth store init")
    if missing:
        return failed(
            f"{state.where} does not have the key {missing[0]}, which is needed",
            f"bring it: ssh HOST withings-auth store key --show {missing[0]} | withings-auth store key --add",
        )
    if state.in_use.get(UNSEALED):
        return failed(
            f"records that are not sealed: {state.in_use[UNSEALED]}", "log in again: withings-auth login --replace"
        )
    count = sum(state.in_use.values())
    return ok(f"{count} record{'' if count == 1 else 's'}, sealed; the key {state.sealing} is in {state.where}")
