"""The command line as transcripts: what is typed, what comes out, on which stream, and the exit code.

A transcript in `transcripts/` begins with its promise (`# …`) and is a list of steps:

    sandbox advance 10800        a method of the sandbox, with its arguments
    env NAME=VALUE               a variable from here on; without a value it is removed
    age 10800                    the stored login grows older by so many seconds
    write PATH TEXT              a file in the person's home, for the person alone
    foreign PATH                 the same, with a login of the sandbox's first person as withings-sync keeps it
    $ withings-auth token        a command, then its whole output: `2> ` stands before what stderr got
    exit 3                       with which the command ended

`UPDATE_TRANSCRIPTS=1 pytest tests/cli` writes them anew, to be read before they are believed.
What differs between runs is named: PORT, STORE, HOME, TOKEN, STATE, CLIENT_ID, SANDBOX, LATELY, HH:MM.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.logins import Desk

TRANSCRIPTS = sorted((Path(__file__).parent / "transcripts").glob("*.txt"))


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
def test_transcript(transcript: Path, desk: Desk, home: Path) -> None:
    """Every command of the transcript says what stands there, to the letter."""
    desk.env["BROWSER"] = shlex.join([sys.executable, "-m", "withings_auth.sandbox.visitor"])
    written = transcript.read_text()
    played = "\n".join(_played(written, desk, home)) + "\n"
    if os.environ.get("UPDATE_TRANSCRIPTS"):
        transcript.write_text(played)
    assert played == written


def _played(written: str, desk: Desk, home: Path) -> Iterator[str]:
    """Runs a transcript's steps and returns it as it came out."""
    for line in written.splitlines():
        word, _, rest = line.partition(" ")
        match word:
            case "$":
                yield line
                yield from _run(_filled_in(rest, desk, home), desk, home)
            case "env":
                yield line
                name, _, value = rest.partition("=")
                desk.env[name] = _filled_in(value, desk, home) or None
            case "sandbox":
                yield line
                method, *arguments = rest.split()
                getattr(desk.sandbox, method)(*(int(text) if text.isdigit() else text for text in arguments))
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
            case "#" | "" if not line.startswith(" "):  # which is output, as JSON has it
                yield line
            case _:
                continue  # the output that is expected, which the run itself returns


def _write(home: Path, name: str, text: str) -> None:
    before = os.umask(0o077)
    (home / name).parent.mkdir(parents=True, exist_ok=True)
    (home / name).write_text(text)
    os.umask(before)


def _run(command: str, desk: Desk, home: Path) -> Iterator[str]:
    program, *arguments = shlex.split(command)
    assert program == "withings-auth"
    finished = desk.run(*arguments)
    for line in _named(finished.stdout, desk, home).splitlines():
        yield line
    for line in _named(finished.stderr, desk, home).splitlines():
        yield f"2> {line}".rstrip()
    yield f"exit {finished.returncode}"


def _filled_in(text: str, desk: Desk, home: Path) -> str:
    here = {"PORT": str(desk.port), "CLIENT_ID_HERE": desk.sandbox.client_id, "HOME": str(home)}
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
    text = re.sub(r"state=[\w-]{43}", "state=STATE", text)
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d", "DATE HH:MM", text)
    return re.sub(r"\b\d\d:\d\d\b", "HH:MM", text)
