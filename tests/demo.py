"""The whole story in half a minute: a sandbox, a login, a token, weights, a renewal, another program, a logout.

`make demo` runs it. It types the commands that a person would type and shows them. A browser and a keyring are used
where the machine has them; otherwise a scripted visitor and files in a temporary directory. Nothing is left behind.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from withings_auth.authorization import browser
from withings_auth.authorization.environment import detect_environment
from withings_auth.config.settings import state_directory
from withings_auth.errors import StoreError
from withings_auth.store.keyring_store import KeyringStore

PROFILE = "demo"
TOKEN_LIFE_SECONDS = 15
COMMANDS = Path(sys.executable).parent

_ANOTHER_PROGRAM = """
import json, os, subprocess, urllib.request
token = subprocess.run(["withings-auth", "token"], capture_output=True, text=True, check=True).stdout.strip()
request = urllib.request.Request(os.environ["WITHINGS_AUTH_API_URL"] + "/v2/user", b"action=getdevice")
request.add_header("Authorization", f"Bearer {token}")
for device in json.load(urllib.request.urlopen(request))["body"]["devices"]:
    print(f"  {device['model']}, battery {device['battery']}")
"""


def main() -> int:
    """Tells the story; 0 if all of it went well."""
    say("withings-auth, the whole story. Withings is played by the embedded sandbox; nothing here leaves this machine.")
    with tempfile.TemporaryDirectory(prefix="withings-auth-demo-") as directory, cleaned_up_state():
        base = {
            **os.environ,
            "PATH": f"{COMMANDS}{os.pathsep}{os.environ.get('PATH', '')}",
            "XDG_CONFIG_HOME": directory,  # whatever the person has configured is not part of this
            **browser_or_visitor(),
            **keyring_or_files(directory),
        }
        with sandbox(base) as variables:
            environ = {**base, **variables, "WITHINGS_AUTH_PROFILE": PROFILE}
            story(environ)
    say("\nThat was all. Nothing of it is left on this machine.")
    return 0


def story(environ: Mapping[str, str]) -> None:
    """What a person does in a day, in half a minute."""
    say("\n1. Log in, once.")
    run("withings-auth login --timeout 60", environ)
    try:
        issued = time.monotonic()
        say("\n2. From now on every program on this machine can have an access token that works.")
        first = run("withings-auth token", environ)
        say("\n3. What it is good for: the last weights.")
        weights(environ)
        say(f"\n4. This token lives for {TOKEN_LIFE_SECONDS} seconds (at Withings: three hours). Waiting for its end…")
        time.sleep(max(0.0, issued + TOKEN_LIFE_SECONDS + 1 - time.monotonic()))
        say("   It has expired. Whoever asks next gets a new one, renewed on the spot:")
        second = run("withings-auth token", environ)
        if second == first:
            raise SystemExit("the token was not renewed")
        run("withings-auth status", environ)
        say("\n5. Another program asks for the token and uses it: the devices.")
        say("$ python another_program.py")
        subprocess.run([sys.executable, "-c", _ANOTHER_PROGRAM], env=dict(environ), check=True)
    finally:
        say("\n6. Log out.")
        run("withings-auth logout", environ)


def run(command: str, environ: Mapping[str, str]) -> str:
    """Shows a command, runs it, shows what it says, and returns its answer."""
    say(f"$ {command}")
    answer = answered(command, environ)
    if answer:
        say(answer)
    return answer


def answered(command: str, environ: Mapping[str, str]) -> str:
    """Runs a command and returns its answer; the story ends where it fails."""
    finished = subprocess.run(shlex.split(command), env=dict(environ), stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode != 0:
        raise SystemExit(f"“{command}” ended with exit code {finished.returncode}")
    return finished.stdout.strip()


def weights(environ: Mapping[str, str]) -> None:
    """Asks the API for the last weights and shows them as a person reads them."""
    command = "withings-auth api measure getmeas meastype=1 category=1"
    say(f"$ {command}")
    groups = json.loads(answered(command, environ))["measuregrps"]
    say(f"   (JSON with {len(groups)} weights; the last five as a person reads them:)")
    for group in groups[:5]:
        measure = group["measures"][0]
        kilograms = measure["value"] * 10 ** measure["unit"]
        day = time.strftime("%a %d %b %H:%M", time.localtime(group["date"]))
        say(f"   {day}   {kilograms:5.1f} kg")


def browser_or_visitor() -> dict[str, str]:
    """Returns the variables that name the visitor, if no browser would be seen here, and says which it is."""
    chosen = browser.choose(None, os.environ, detect_environment(os.environ))
    if isinstance(chosen, list) and sys.stdout.isatty():
        say("Browser: yours; please click Allow on the page that opens.")
        return {}
    why = chosen.why if isinstance(chosen, browser.NotStarted) else "nobody is at the terminal"
    say(f"Browser: the sandbox's scripted visitor, who clicks Allow ({why}).")
    return {"BROWSER": f"{shlex.quote(sys.executable)} -m withings_auth.sandbox.visitor %s"}


def keyring_or_files(directory: str) -> dict[str, str]:
    """Returns the variables that name the store, and says which it is."""
    store = KeyringStore(state_directory(), announce=lambda: say("Waiting for your keyring: please unlock it."))
    try:
        store.load(f"token/{PROFILE}")
    except StoreError as error:
        say(f"Store:   files in a temporary directory, since there is {error}.")
        return {"WITHINGS_AUTH_STORE": f"file:{Path(directory).resolve() / 'store'}"}
    say(f"Store:   {store.description}.")
    return {"WITHINGS_AUTH_STORE": "keyring"}


@contextmanager
def sandbox(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Runs `withings-auth sandbox` and yields the variables that it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        redirect_uri = f"http://localhost:{probe.getsockname()[1]}"
    command = f"withings-auth sandbox --token-life {TOKEN_LIFE_SECONDS} --redirect-uri {redirect_uri}"
    say(f"\n$ {command} &")
    with subprocess.Popen(
        shlex.split(command), env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield dict(printed_variables(process))
        finally:
            process.terminate()
            process.communicate()


def printed_variables(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    """Yields what the lines `export NAME=VALUE` of the sandbox say."""
    for line in process.stdout or ():
        name, _, value = shlex.split(line)[1].partition("=")
        yield name, value
        if name == "WITHINGS_AUTH_PROFILE":  # the last one
            return
    raise SystemExit("the sandbox did not start")


@contextmanager
def cleaned_up_state() -> Iterator[None]:
    """Removes the locks and stamps that the demo's own profile and app leave; nobody else waits on those."""
    place = state_directory()
    before = set(place.glob("*/*"))
    made = [path for path in (place, *place.parents) if not path.exists()]
    try:
        yield
    finally:
        for path in set(place.glob("*/*")) - before:
            if path.name.startswith((f"{PROFILE}.", "sandbox-")):
                path.unlink()
        for directory in (*place.glob("*/"), *made):
            with suppress(OSError):  # it holds something that is not ours, or was never there
                directory.rmdir()


def say(line: str) -> None:
    """Shows a line at once, in the order in which things happen."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
