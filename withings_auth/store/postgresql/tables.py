"""The tables of a store, as plain SQL that an administrator can read and run; it is printed without psycopg, too."""

from __future__ import annotations

SCHEMA_VERSION = 1

# One row for each name. Without a text the name has no record, but perhaps a note of attempts to renew it; `version` is
# never used twice, so that each save and clear shows. `store` says which key seals what is saved next.
_SQL = """\
-- withings-auth keeps logins here, one row each. It can be run again: what is there stays as it is.
SET search_path = pg_catalog;
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

-- Which logins a reader may read: the name of a database role, and a profile, or * for all of them.
CREATE TABLE IF NOT EXISTS {schema}.reader (
    role text COLLATE "C" NOT NULL,
    profile text COLLATE "C" NOT NULL,
    PRIMARY KEY (role, profile)
);
CREATE OR REPLACE VIEW {schema}.readable WITH (security_barrier) AS
    SELECT name, text, note, version FROM {schema}.record WHERE starts_with(name, 'token/') AND EXISTS (
        SELECT FROM {schema}.reader JOIN pg_roles ON rolname = role
        WHERE profile IN ('*', substr(name, 7)) AND pg_has_role(pg_roles.oid, 'USAGE')
    );

-- Whoever runs this may do everything here. Another user of the database, who logs in and renews, needs:
--   GRANT USAGE ON SCHEMA {schema} TO a_writer;
--   GRANT SELECT, INSERT, UPDATE ON {schema}.record TO a_writer;
--   GRANT SELECT, UPDATE ON {schema}.store TO a_writer;
--   GRANT USAGE ON SEQUENCE {schema}.changes TO a_writer;
-- A reader, who only gets valid tokens of some profiles, needs:
--   GRANT USAGE ON SCHEMA {schema} TO a_reader;
--   GRANT SELECT ON {schema}.store, {schema}.readable TO a_reader;
--   INSERT INTO {schema}.reader (role, profile) VALUES ('a_reader', 'default');
-- A reader sees no other profile and no client secret, and changes nothing. It cannot renew either: somebody who may
-- write must do so in time, as by a timer that runs: withings-auth token --profile NAME --min-valid 3600
-- Its limits: with the key that seals (or with sealed=off), a reader can read a profile's refresh token beside the
-- access token; and whoever may connect to this database can take the locks here, and so keep others from renewing.
"""

NAMES = ("store", "record", "reader", "readable")


def schema_sql(schema: str) -> str:
    """Returns the SQL that makes the schema and its tables."""
    return _SQL.format(schema=schema, version=SCHEMA_VERSION)
