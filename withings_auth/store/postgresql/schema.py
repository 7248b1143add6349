"""The tables of a store, as plain SQL that an administrator can read and run."""

from __future__ import annotations

from withings_auth.store.postgresql.address import Address
from withings_auth.store.postgresql.connection import SCHEMA_VERSION, connect_unprepared
from withings_auth.store.postgresql.failures import explained, newer_schema

# One row for each name. Without a text the name has no record, but perhaps a note of attempts to renew it; `version` is
# never used twice, so that each save and clear shows. `store` says which key seals what is saved next.
_SQL = """\
-- withings-auth keeps logins here, one row each. It can be run again: what is there stays as it is.
CREATE SCHEMA IF NOT EXISTS {schema};
CREATE TABLE IF NOT EXISTS {schema}.store (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version integer NOT NULL,
    key_id text
);
INSERT INTO {schema}.store (version) VALUES ({version}) ON CONFLICT DO NOTHING;
CREATE SEQUENCE IF NOT EXISTS {schema}.changes;
CREATE TABLE IF NOT EXISTS {schema}.record (
    name text COLLATE "C" PRIMARY KEY,
    text text,
    note text,
    version bigint NOT NULL DEFAULT nextval('{schema}.changes')
);
"""


def schema_sql(schema: str) -> str:
    """Returns the SQL that makes the schema and its tables."""
    return _SQL.format(schema=schema, version=SCHEMA_VERSION)


def initialise(address: Address) -> bool:
    """Makes the schema and its tables, or leaves them as they are; returns whether they are new.

    Raises `StoreUnavailable` if the user may not make them, or if a newer version has made them, and `LockLost`.
    """
    with connect_unprepared(address) as connection, explained(address), connection.transaction():
        # Two programs that make the same schema at once would get in each other's way.
        connection.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (f"init {address.schema}",))
        # Who may use the tables that an administrator has made need not be allowed to make any.
        tables = [f"{address.schema}.{table}" for table in ("store", "record")]
        found = connection.execute("SELECT to_regclass(%s) IS NULL OR to_regclass(%s) IS NULL", tables).fetchone()
        is_new = found is not None and bool(found[0])
        if is_new:
            connection.execute(schema_sql(address.schema))
        row = connection.execute(f"SELECT version FROM {address.schema}.store").fetchone()  # noqa: S608  it is checked
        if row is not None and int(row[0]) > SCHEMA_VERSION:
            raise newer_schema(address)
    return is_new
