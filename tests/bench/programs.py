"""What our commands cost from start to end, one at a time and many at once."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator

from tests.bench.budgets import BARE, BARE_POST, SELECT
from tests.bench.desk import DATABASE, SECRET_SERVICE, Desk, Shelf, installed, ours, python
from tests.bench.timing import Cost, Extent, Seconds, Timing, WrongResult, time_program
from withings_auth.store.postgresql.address import parse_address

_SERVICE, _USER = "withings-auth/token/default", "withings-auth"
_BACKEND_ALONE = f"""
from keyring.backends.SecretService import Keyring
print(Keyring().get_password("{_SERVICE}", "{_USER}"))
"""
_JEEPNEY_ALONE = f"""
from jeepney import DBusAddress, new_method_call
from jeepney.io.blocking import open_dbus_connection
def call(path, interface, method, signature, *body):
    address = DBusAddress(path, "org.freedesktop.secrets", f"org.freedesktop.Secret.{{interface}}")
    return bus.send_and_get_reply(new_method_call(address, method, signature, body)).body
with open_dbus_connection() as bus:
    attributes = {{"service": "{_SERVICE}", "username": "{_USER}"}}
    (item,), _ = call("/org/freedesktop/secrets", "Service", "SearchItems", "a{{ss}}", attributes)
    _, session = call("/org/freedesktop/secrets", "Service", "OpenSession", "sv", "plain", ("s", ""))
    print(call(item, "Item", "GetSecret", "o", session)[0][2].decode())
"""
_POST_WITH_AIOHTTP = """
import asyncio, sys
import aiohttp
async def main():
    async with aiohttp.ClientSession() as session:
        async with session.post(sys.argv[1], data={"action": "getmeas"}) as response:
            print(await response.text())
asyncio.run(main())
"""
_SELECT = """
import sys
import psycopg
with psycopg.connect(sys.argv[1]) as connection:
    print(connection.execute(sys.argv[2]).fetchall())
"""


def single_programs(desk: Desk, extent: Extent, kind: str) -> Iterator[Cost]:
    """Our commands, one at a time, with a login in this kind of store."""
    shelf = desk.shelf(kind, f"programs-{kind}")
    desk.log_in(shelf, "default")
    token, bare = ours("token"), time_program(python("pass"))
    if kind == SECRET_SERVICE:
        others = {
            "keyring get": installed("keyring", "get", _SERVICE, _USER),
            "keyring's backend alone": python(_BACKEND_ALONE),
            "jeepney alone": python(_JEEPNEY_ALONE),
            "secret-tool": ["secret-tool", "lookup", "service", _SERVICE, "username", _USER],
        }
        yield Cost(
            what=f"withings-auth token, {kind}",
            run=time_program(token, shelf.variables),
            references={name: time_program(other) for name, other in others.items()},
            rounds=extent.rounds,
        )
        yield Cost(
            what=f"withings-auth token, elapsed, {kind}",
            run=time_program(token, shelf.variables, waiting=True),
            references={"keyring get": time_program(others["keyring get"], waiting=True)},
            rounds=extent.rounds,
        )
    else:
        door = time_program(python("import withings_auth"))
        yield Cost(
            what=f"withings-auth token, {kind}",
            run=time_program(token, shelf.variables),
            references={BARE: bare},
            rounds=extent.rounds,
        )
        yield Cost(what="import withings_auth", run=door, references={BARE: bare}, rounds=extent.rounds)
    post = time_program(python(_POST_WITH_AIOHTTP, desk.sandbox.endpoints.token_url))
    measures = ours("api", "measure", "getmeas", "meastype=1")
    yield Cost(
        what=f"withings-auth api, {kind}",
        # The sandbox does not answer the same call twice within ten seconds.
        run=time_program(measures, shelf.variables, before=lambda: desk.sandbox.advance(60)),
        references={BARE_POST: post},
        rounds=extent.rounds,
    )
    yield Cost(
        what=f"a renewal, withings-auth token, {kind}",
        run=time_program(token, shelf.variables, before=lambda: desk.expire(shelf, "default")),
        references={BARE_POST: post},
        rounds=extent.rounds,
    )


def lists(desk: Desk, extent: Extent, kind: str) -> Iterator[Cost]:
    """`withings-auth list` with many profiles, which loads each login."""
    profiles = [f"profile-{number}" for number in range(extent.profiles)]
    took: list[Seconds] = []
    shelves: list[Shelf] = []

    def fill_and_list() -> Seconds:
        for name, number in (("some", len(profiles) // 5), ("many", len(profiles))):  # the same keyring gets ever more
            shelves.append(shelf := desk.shelf(kind, f"{name}-{kind}"))
            desk.log_in(shelf, *profiles[:number])
            took.append(time_program(ours("list"), shelf.variables, waiting=True)())
        return took[-1]

    def select() -> Seconds:
        address = parse_address(shelves[-1].variables["WITHINGS_AUTH_STORE"])
        return time_program(python(_SELECT, address.conninfo, f"TABLE {address.schema}.record"), waiting=True)()

    yield Cost(
        what=f"withings-auth list, 500 profiles, {kind}",
        run=fill_and_list,
        references={"100 profiles": lambda: took[0]} | ({SELECT: select} if kind == DATABASE else {}),
        rounds=1,
    )


def crowds(desk: Desk, extent: Extent, kind: str) -> Iterator[Cost]:
    """Many programs at once that ask for the same token: the time for each of them is what counts."""
    shelf = desk.shelf(kind, f"crowds-{kind}")
    desk.log_in(shelf, "crowd")
    few, some, all_of_them = extent.crowds
    for expired in (False, True):
        yield Cost(
            what=f"256 programs at once, {'expired token, ' * expired}{kind}",
            run=at_once(desk, shelf, all_of_them, expired=expired),
            references={
                "64 at once": at_once(desk, shelf, some, expired=expired),
                "16 at once": at_once(desk, shelf, few, expired=expired),
                "one alone": at_once(desk, shelf, 1, expired=expired),
            },
            rounds=1,
        )


def at_once(desk: Desk, shelf: Shelf, number: int, *, expired: bool) -> Timing:
    """Measures the elapsed time for each of so many programs. They get the same token, renewed once if necessary."""

    def timing() -> Seconds:
        if expired:
            desk.expire(shelf, "crowd")
        before = desk.sandbox.counters.refreshes
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            began = time.perf_counter()
            command, environ = ours("token", "--profile", "crowd"), os.environ | shelf.variables
            programs = [subprocess.Popen(command, env=environ, stdout=output, stderr=errors) for _ in range(number)]
            failed = sum(program.wait() != 0 for program in programs)
            took = time.perf_counter() - began
            output.seek(0)
            tokens = output.read().split()
            errors.seek(0)
            said = errors.readline().decode().strip()
        if failed or len(tokens) != number or len(set(tokens)) != 1:
            raise WrongResult(f"{failed} of {number} programs failed, {len(set(tokens))} tokens; {said}")
        if desk.sandbox.counters.refreshes - before != expired:
            raise WrongResult(f"{number} programs at once did not renew the token exactly once")
        return took / number

    return timing
