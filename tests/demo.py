"""The whole story in half a minute: a sandbox, a login, a token, weights, a renewal, another program, a logout.

`make demo` runs it. It shows the commands that a user would type, and runs them. It uses your browser and your keyring
if it finds them, and otherwise a scripted browser and files in a temporary directory. It leaves nothing behind.
"""

from __future__ import annotations

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
from withings_auth.config.places import state_directory
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
    """Tells the whole story; returns 0 if everything worked."""
    say("withings-auth from login to logout. The embedded sandbox plays Withings; nothing leaves this machine.")
    with tempfile.TemporaryDirectory(prefix="withings-auth-demo-") as directory, clean_up_state():
        base = {
            **os.environ,
            "PATH": f"{COMMANDS}{os.pathsep}{os.environ.get('PATH', '')}",
            "XDG_CONFIG_HOME": directory,  # your own configuration must not take part
            **choose_browser(),
            **choose_store(directory),
        }
        with start_sandbox(base) as variables:
            environ = {**base, **variables, "WITHINGS_AUTH_PROFILE": PROFILE}
            tell_story(environ)
    say("\nDone. Nothing of this is left on your machine.")
    say("Next, for a login of your own: pipx install . && withings-auth login")
    return 0


def tell_story(environ: Mapping[str, str]) -> None:
    """Does in half a minute what a user does in a day."""
    say("\n1. Log in, once.")
    run("withings-auth login --timeout 60", environ)
    try:
        issued = time.monotonic()
        say("\n2. From now on, every program on this machine can get a working access token.")
        first = run("withings-auth token", environ)
        say("\n3. Use it: ask for the latest weights, in kilograms.")
        show_weights(environ)
        say(f"\n4. This token lives {TOKEN_LIFE_SECONDS} seconds (at Withings, three hours). Waiting until it expires…")
        time.sleep(max(0.0, issued + TOKEN_LIFE_SECONDS + 1 - time.monotonic()))
        say("   It has expired. Whoever asks next gets a new one:")
        second = run("withings-auth token", environ)
        if second == first:
            raise SystemExit("the token was not renewed")
        run("withings-auth status", environ)
        say("\n5. Another program asks for the token, and lists your devices with it.")
        say("$ python another_program.py")
        subprocess.run([sys.executable, "-c", _ANOTHER_PROGRAM], env=dict(environ), check=True)
    finally:
        say("\n6. Log out.")
        run("withings-auth logout", environ)


def run(command: str, environ: Mapping[str, str]) -> str:
    """Shows a command, runs it, shows its output, and returns it."""
    say(f"$ {command}")
    output = capture(command, environ)
    if output:
        say(output)
    return output


def capture(command: str, environ: Mapping[str, str]) -> str:
    """Runs a command and returns its output; exits if it fails."""
    finished = subprocess.run(shlex.split(command), env=dict(environ), stdout=subprocess.PIPE, text=True, check=False)
    if finished.returncode != 0:
        raise SystemExit(f"“{command}” ended with exit code {finished.returncode}")
    return finished.stdout.strip()


def show_weights(environ: Mapping[str, str]) -> None:
    """Asks the API for the weights in kilograms, and shows the latest five."""
    command = "withings-auth api measure getmeas meastype=1 category=1 --csv"
    say(f"$ {command} | head -6")
    say("\n".join(capture(command, environ).splitlines()[:6]))


def choose_browser() -> dict[str, str]:
    """Returns the variables that set the browser, and says which one it is."""
    chosen = browser.choose(None, os.environ, detect_environment(os.environ))
    if isinstance(chosen, list) and sys.stdout.isatty():
        say("Browser: yours. Please click Allow on the page that opens.")
        return {}
    why = chosen.why if isinstance(chosen, browser.NotStarted) else "the output is not a terminal"
    say(f"Browser: a scripted one, which clicks Allow ({why}).")
    visitor = Path(__file__).parent / "support" / "visitor.py"
    return {"BROWSER": f"{shlex.join([sys.executable, str(visitor)])} %s"}


def choose_store(directory: str) -> dict[str, str]:
    """Returns the variables that set the store, and says which one it is."""
    store = KeyringStore(state_directory(), announce=lambda: say("Waiting for your keyring: please unlock it."))
    try:
        store.load(f"token/{PROFILE}")
    except StoreError as error:
        say(f"Store:   files in a temporary directory ({str(error).partition(':')[0]}).")
        return {"WITHINGS_AUTH_STORE": f"file:{Path(directory).resolve() / 'store'}"}
    say(f"Store:   {store.description}.")
    return {"WITHINGS_AUTH_STORE": "keyring"}


@contextmanager
def start_sandbox(environ: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Runs `withings-auth sandbox`; yields the variables that it prints."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        redirect_uri = f"http://localhost:{probe.getsockname()[1]}"
    command = f"withings-auth sandbox --token-life {TOKEN_LIFE_SECONDS} --redirect-uri {redirect_uri}"
    say(f"\n$ {command} &")
    with subprocess.Popen(
        shlex.split(command), env=dict(environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield dict(read_variables(process))
        finally:
            process.terminate()
            process.communicate()


def read_variables(process: subprocess.Popen[str]) -> Iterator[tuple[str, str]]:
    """Yields the name and the value of each `export NAME=VALUE` line."""
    for line in process.stdout or ():
        name, _, value = shlex.split(line)[1].partition("=")
        yield name, value
        if name == "WITHINGS_AUTH_PROFILE":  # the last one
            return
    raise SystemExit("the sandbox did not start")


@contextmanager
def clean_up_state() -> Iterator[None]:
    """Removes the locks and stamps of the demo's own profile and app, which nobody else waits for."""
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
            with suppress(OSError):  # it is not empty, or does not exist
                directory.rmdir()


def say(line: str) -> None:
    """Prints a line at once, so that it appears before the output of the next command."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
