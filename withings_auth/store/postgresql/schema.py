"""Makes the tables of a store."""

from __future__ import annotations

from withings_auth.store.postgresql.address import Address
from withings_auth.store.postgresql.connection import connect_unprepared
from withings_auth.store.postgresql.failures import explained, newer_schema
from withings_auth.store.postgresql.tables import NAMES, SCHEMA_VERSION, schema_sql


def initialise(address: Address) -> bool:
    """Makes the schema and its tables, or leaves them as they are; returns whether they are new.

    Raises `StoreUnavailable` if the user may not make them, or if a newer version has made them, and `LockLost`.
    """
    with connect_unprepared(address) as connection, explained(address), connection.transaction():
        # Two programs that make the same schema at once would get in each other's way.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"init {address.schema}",))
        # Who may use the tables that an administrator has made need not be allowed to make any.
        missing = "SELECT bool_or(to_regclass(name) IS NULL) FROM unnest(%s::text[]) AS name"
        found = connection.execute(missing, ([f"{address.schema}.{name}" for name in NAMES],)).fetchone()
        is_new = found is not None and bool(found[0])
        if is_new:
            connection.execute(schema_sql(address.schema))
        row = connection.execute(f"SELECT version FROM {address.schema}.store").fetchone()  # noqa: S608  it is checked
        if row is not None and int(row[0]) > SCHEMA_VERSION:
            raise newer_schema(address)
    return is_new
