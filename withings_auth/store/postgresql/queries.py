"""What a store in PostgreSQL asks the server for; `{record}`, `{store}` and `{now}` are filled in by the store.

`{now}` is the last column wherever it is.
"""

from __future__ import annotations

import hashlib

NOW = "extract(epoch FROM clock_timestamp())::float8"
LOAD = "SELECT text, note, version, {now} FROM (SELECT) AS one LEFT JOIN {record} ON name = %s"
# All of them, or those that are given, with the keys of all locks that somebody holds.
LOOK = """SELECT name, text, note, version, ARRAY(
        SELECT classid::bigint << 32 | objid::bigint FROM pg_locks WHERE locktype = 'advisory' AND granted
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND objsubid = 1
    ), {now} FROM {record} WHERE text IS NOT NULL AND (%(names)s::text[] IS NULL OR name = ANY(%(names)s))"""
NAMES = "SELECT name FROM {record} WHERE text IS NOT NULL ORDER BY name"
TRACES = "SELECT name FROM {record} WHERE text IS NULL AND note IS NOT NULL ORDER BY name"
LOCK = "SELECT pg_try_advisory_lock(%s), {now}"
UNLOCK = "SELECT pg_advisory_unlock(%s)"
MINE = """WITH mine AS (
    SELECT FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
        AND objsubid = 1 AND (classid::bigint << 32) | objid::bigint = %(key)s
), changed AS ({change} RETURNING 1)
SELECT (SELECT count(*) FROM mine), (SELECT count(*) FROM changed)"""
SAVE = """INSERT INTO {record} (name, text) SELECT %(name)s, %(text)s FROM mine
    ON CONFLICT (name) DO UPDATE SET text = excluded.text, version = excluded.version"""
NOTE = """INSERT INTO {record} (name, note) SELECT %(name)s, %(text)s FROM mine
    ON CONFLICT (name) DO UPDATE SET note = excluded.note"""
CLEAR = """UPDATE {record} SET text = NULL, version = DEFAULT FROM mine WHERE name = %(name)s AND text IS NOT NULL"""
SERVER = """SELECT current_setting('server_version'),
    (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl),
    coalesce(inet_server_addr() = inet_client_addr(), true), {now}"""


def lock_key(schema: str, name: str) -> int:
    """Returns the number of the advisory lock, the same on every machine."""
    return int.from_bytes(hashlib.sha256(f"{schema} {name}".encode()).digest()[:8], "big", signed=True)
