"""A machine of its own: a network, process ids and a home that are not those of other machines, full of busy programs.

It runs in new namespaces, if the system has them for us. It gives the tests the sockets on which it wants to reach the
database and Withings under their usual addresses, and then forks programs: each asks for a token again and again, uses
it, and says how that went. All have imported everything before, so that they can be killed by the hundred.
"""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from urllib.parse import urlencode, urlsplit

from withings_auth import Token, TokenSource
from withings_auth.errors import WithingsAuthError

LONGEST_PAUSE_SECONDS = 0.3


def main() -> None:
    """Obeys orders until there are no more: `start`, and `kill` one of the programs, which another one follows."""
    orders = socket.socket(fileno=int(sys.argv[1]))
    ports = [int(port) for port in sys.argv[2:]]
    if ports:
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    listeners = [socket.create_server(("127.0.0.1", port)) for port in ports]
    socket.send_fds(orders, [b"ready\n"], [listener.fileno() for listener in listeners])
    import withings_auth.provider.http
    import withings_auth.store.postgresql.database_store
    import withings_auth.tokens.renewal  # what a renewal needs, too

    withings_auth.tokens.renewal.LATEST_ARRIVAL_SECONDS = 5  # none is on its way for longer: Withings is near
    programs: list[int] = []
    for order in orders.makefile():
        if order == "kill\n" and programs:
            victim = programs.pop(random.randrange(len(programs)))  # noqa: S311  for a test
            os.kill(victim, signal.SIGKILL)
            os.waitpid(victim, 0)
        programs.append(start())
    for program in programs:
        os.kill(program, signal.SIGTERM)
        os.waitpid(program, 0)


def start() -> int:
    """Forks a program."""
    program = os.fork()
    if program == 0:
        try:
            live()
        finally:
            os._exit(1)
    return program


def live() -> None:
    """Asks for tokens, and uses each new one, until it is told to end; who has asked gets an answer first."""
    random.seed()
    ending = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ending.set())
    source, used, ends_at = TokenSource(), "", 0.0
    for number in itertools.count():
        if ending.is_set():
            os._exit(0)
        if number % 4 == 3:
            source = TokenSource()  # as a program does that has just been started
        asked_at = time.time()
        try:
            token = source.token()
        except WithingsAuthError as error:
            said: dict[str, object] = {"error": f"{type(error).__name__}: {error}"}
        else:
            ends_at = token.expires_at
            said = {"digest": hashlib.sha256(token.access_token.encode()).hexdigest()}
            if used != (used := token.access_token):
                said["status"] = use(token)
        said |= {"asked_at": asked_at, "seconds": time.time() - asked_at}
        os.write(1, json.dumps(said).encode() + b"\n")  # a file that is appended to takes a line whole
        pause = random.uniform(0, LONGEST_PAUSE_SECONDS)  # noqa: S311  for a test
        if number % 2:  # all come back at the moment when the token expires
            pause = max(0.0, ends_at - time.time()) or pause
        ending.wait(pause)


def use(token: Token) -> int:
    """Returns the status of a request with the token, whose first use ends the pair before it."""
    form = urlencode({"action": "getdevice", "number": random.getrandbits(60)})  # no two requests are the same
    headers = {"Authorization": f"Bearer {token.access_token}", "Content-Type": "application/x-www-form-urlencoded"}
    connection = http.client.HTTPConnection(urlsplit(token.api_origin).netloc, timeout=60)
    try:
        connection.request("POST", "/v2/user", form, headers)
        return int(json.loads(connection.getresponse().read())["status"])
    finally:
        connection.close()


if __name__ == "__main__":
    main()
