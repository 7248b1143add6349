"""The command line as transcripts: the commands, their output on either stream, and their exit codes.

A transcript in `transcripts/` begins with its promise (`# …`) and is a list of steps:

    sandbox advance 10800        a method of the sandbox, with its arguments, NAME=VALUE among them
    env NAME=VALUE               a variable from here on; without a value it is removed
    age 10800                    the stored login grows older by so many seconds
    write PATH TEXT              a file in the person's home, for the person alone
    foreign PATH                 the same, with a login of the sandbox's first person as withings-sync keeps it
    hold token/default           another program has the lock of this name from here on
    patience 1                   for how many seconds a renewal waits for a lock; two minutes otherwise
    take PORT                    another program listens there from here on
    # error: LoginRequired       the class that ended the next command, according to its log; not checked if left out
    answer n                     the next command is on a terminal (`|` stands before what it shows), and is told this
    $ withings-auth token        a command, then its whole output: `2> ` stands before what stderr got
    exit 3                       with which the command ended

`UPDATE_TRANSCRIPTS=1 pytest tests/cli` writes them anew, to be read before they are believed.
What differs between runs is named: PORT, STORE, HOME, TOKEN, STATE, CLIENT_ID, SANDBOX, LATELY, PROGRAM, HH:MM.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.errors import all_errors
from tests.support.logins import Desk
from tests.support.visitor import VISITOR
from withings_auth import errors
from withings_auth.store.file_store import FileStore

pytestmark = pytest.mark.usefixtures("unmeasured")

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))

# The command, with its log in a file, from which the class of an error is known.
LOGGED = """
import logging, os, sys
logger = logging.getLogger("withings_auth")
logger.setLevel(logging.DEBUG)
logger.addHandler(logging.FileHandler(os.environ["TRANSCRIPT_LOG"], mode="w"))
if "TRANSCRIPT_PATIENCE" in os.environ:
    from withings_auth.tokens import renewal
    renewal.LOCK_PATIENCE_SECONDS = float(os.environ["TRANSCRIPT_PATIENCE"])
from withings_auth.cli import main
if "TRANSCRIPT_WITHOUT_THREADS" in os.environ:  # as for a user at the limit of `ulimit -u`
    import threading
    def refuse(thread):
        raise RuntimeError("can't start new thread")
    threading.Thread.start = refuse
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path, desk: Desk, home: Path) -> None:
    """Every command prints exactly what the transcript says."""
    desk.cli = desk.cli.by(LOGGED)
    desk.env["TRANSCRIPT_LOG"] = str(home / "log")
    desk.env["BROWSER"] = VISITOR
    desk.keep_store()
    written = transcript.read_text()
    with ExitStack() as held:
        played = "\n".join(_played(written, desk, home, held)) + "\n"
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        transcript.write_text(played)
    assert played == written


def shown_errors() -> dict[str, list[str]]:
    """The output of every command in a transcript that an error ended, by the error's class."""
    shown: dict[str, list[str]] = {}
    for transcript in TRANSCRIPTS:
        for found in re.finditer(r"^# error: (\w+)\n(.*?^exit \d+)$", transcript.read_text(), re.MULTILINE | re.DOTALL):
            shown.setdefault(found[1], []).append(found[2])
    return shown


def test_every_error_has_a_transcript() -> None:
    """Each error class that is raised anywhere ends a command in a transcript; no other class is named there."""
    sources = "\n".join(path.read_text() for path in Path(errors.__file__).parent.rglob("*.py"))
    raised = {error.__name__ for error in all_errors() if re.search(rf"(?<!class )\b{error.__name__}\([^)]", sources)}
    assert {error.__name__ for error in all_errors()} - raised == {"StoreError"}, "a base class, and nothing more"
    assert set(shown_errors()) == raised


@pytest.mark.parametrize("error", [error for error in all_errors() if error is not errors.StoreError])
def test_an_error_is_told_with_message_hint_and_its_exit_code(error: type[errors.WithingsAuthError]) -> None:
    for output in shown_errors()[error.__name__]:
        assert output.endswith(f"\nexit {error.exit_code}"), output
        assert re.search(r"^(2>|\|) withings-auth: error: \S.*\n(2>|\|) hint: \S", output, re.MULTILINE), output


def _played(written: str, desk: Desk, home: Path, held: ExitStack) -> Iterator[str]:
    """Runs a transcript's steps and returns it with the real output."""
    names_error, answer = False, ""
    for line in written.splitlines():
        word, _, rest = line.partition(" ")
        match word:
            case "$":
                output = list(_run(_filled_in(rest, desk, home), desk, home, answer))
                if names_error:
                    yield f"# error: {_logged_error(home)}"
                if answer:
                    yield f"answer {answer}"
                yield line
                yield from output
                names_error, answer = False, ""
            case "env":
                yield line
                name, _, value = rest.partition("=")
                desk.env[name] = _filled_in(value, desk, home) or None
            case "sandbox":
                yield line
                _turn_sandbox(desk, *shlex.split(rest))
            case "age":
                yield line
                desk.grow_older(int(rest))
            case "write":
                yield line
                _write(home, *rest.split(" ", 1))
            case "foreign":
                yield line
                pair = desk.sandbox.issue_pair()
                tokens = {"access_token": pair.access_token, "refresh_token": pair.refresh_token}
                _write(home, rest, json.dumps({**tokens, "userid": pair.userid, "authentification_code": "spent"}))
            case "hold":
                yield line
                held.enter_context(FileStore(desk.directory).lock(rest, 5))
            case "patience":
                yield line
                desk.env["TRANSCRIPT_PATIENCE"] = rest
            case "take":
                yield line
                held.enter_context(socket.create_server(("127.0.0.1", int(_filled_in(rest, desk, home)))))
            case "answer":
                answer = rest
            case "#" if rest.startswith("error: "):
                names_error = True
            case "#" | "" if not line.startswith(" "):  # which is output, as JSON has it
                yield line
            case _:
                continue  # the output that is expected, which the run itself returns


def _turn_sandbox(desk: Desk, method: str, *arguments: str) -> None:
    values = [(name, int(text) if text.isdigit() else text) for name, _, text in map(_named_value, arguments)]
    positional = [value for name, value in values if not name]
    getattr(desk.sandbox, method)(*positional, **{name: value for name, value in values if name})


def _named_value(argument: str) -> tuple[str, str, str]:
    return argument.partition("=") if "=" in argument else ("", "", argument)


def _logged_error(home: Path) -> str:
    found = re.search(r"^ended by (\w+)$", (home / "log").read_text(), re.MULTILINE)
    return found[1] if found else "none"


def _write(home: Path, name: str, text: str) -> None:
    before = os.umask(0o077)
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)
    os.umask(before)


def _run(command: str, desk: Desk, home: Path, answer: str) -> Iterator[str]:
    program, *arguments = shlex.split(command)
    assert program == "withings-auth"
    if answer:
        running = desk.cli.on_terminal(*arguments, env={**desk.env, "TERM": "dumb"})
        running.screen.expect(r"\? \[y/N\] $")
        running.type(f"{answer}\n")
        finished = running.wait()
    else:
        finished = desk.run(*arguments)
    for line in _named(finished.screen, desk, home).splitlines():
        yield f"| {line}".rstrip()
    for line in _named(finished.stdout, desk, home).splitlines():
        yield line
    for line in _named(finished.stderr, desk, home).splitlines():
        yield f"2> {line}".rstrip()
    yield f"exit {finished.returncode}"


def _filled_in(text: str, desk: Desk, home: Path) -> str:
    here = {"VISITOR": VISITOR, "PORT": str(desk.port), "CLIENT_ID_HERE": desk.sandbox.client_id, "HOME": str(home)}
    for name, value in here.items():
        text = text.replace(name, value)
    return text


def _named(text: str, desk: Desk, home: Path) -> str:
    names = {
        desk.sandbox.url: "SANDBOX",
        desk.sandbox.client_id: "CLIENT_ID",
        str(desk.directory): "STORE",
        str(home): "HOME",
        str(desk.port): "PORT",
    }
    for value, name in names.items():
        text = text.replace(value, name)
    text = re.sub(r"synced (today|yesterday|\d+ days ago)", "synced LATELY", text)
    text = re.sub(r"sandbox-[0-9a-f]{40}\b", "TOKEN", text)
    text = re.sub(r"(\[pytest-xdist .*|\S+) \(process \d+\)", "PROGRAM", text)  # its title, with setproctitle
    text = re.sub(r"state=[\w-]{43}", "state=STATE", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE HH:MM", text)
    return re.sub(r"\b\d\d:\d\d\b", "HH:MM", text)
