"""Records the README's picture of a first login: `python -m tests.recording [FILE]`, with a keyring and a sandbox.

It runs the real commands on a real terminal, replaces what belongs to this machine (the home directory, the port, the
random client id), and draws the screen as an SVG. The animation is CSS: without it, or if the reader wants no motion,
the picture shows the end.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from html import escape
from pathlib import Path

import pytest

from tests.support import isolation
from tests.support.canaries import Canaries
from tests.support.keyring_daemon import SecretService
from tests.support.logins import Desk, set_up_desk
from tests.support.ports import free_port
from tests.support.programs import Cli
from tests.support.visitor import VISITOR
from withings_auth.sandbox import Sandbox

PICTURE = Path(__file__).parent / "pictures" / "first_login.svg"
LARGEST_BYTES = 10_000
LOGIN = "withings-auth login"
WEIGHTS = "withings-auth api measure getmeas meastype=1 --csv | head -n 4"

COLUMNS, ROWS = 100, 18
ROW_HEIGHT, LEFT, TOP = 17, 14, 40
WIDTH, HEIGHT = 2 * LEFT + round(COLUMNS * 7.25), TOP + ROWS * ROW_HEIGHT + 6
PROMPTS = (r"\$ ", r"Open the dashboard.*\[y/N\] ?", r"Client id: ?", r"Client secret.*: ?", r".*\[\S+\]: ?")
QUESTION = "|".join(PROMPTS)
SECONDS_A_KEY, SECONDS_TO_ANSWER, SECONDS_IN_THE_BROWSER = 0.04, 0.5, 2.0

STYLE = """
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:#d6deeb;white-space:pre}
.p{fill:#7fdb8f}.k{fill:#fff;font-weight:bold}
.l{animation:show 1ms both}@keyframes show{from{opacity:0}}
.r{animation:roll both step-end}
@media(prefers-reduced-motion){*{animation:none!important}}
"""


def record(desk: Desk, keyring: SecretService) -> str:
    """Logs in for the first time and asks for weights; returns what is on the screen at the end."""
    nothing = {"WITHINGS_CLIENT_ID": None, "WITHINGS_CLIENT_SECRET": None, "WITHINGS_AUTH_STORE": None}
    env = {**desk.env, **nothing, **keyring.environ, "BROWSER": VISITOR}
    program = desk.cli.on_terminal("login", env=env)
    for question, answer in (
        (r"\[y/N\] $", ""),
        (r"Client id: $", desk.sandbox.client_id),
        (r"Client secret .*: $", desk.sandbox.client_secret),
        (r"Redirect URI.*: $", ""),
        (r"Scopes.*: $", ""),
    ):
        program.screen.expect(question)
        program.type(f"{answer}\n")
    login = program.wait()
    assert login.returncode == 0, login.screen
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    # Not on the terminal, where what `head` prints may come before or after a note on stderr.
    weights = desk.cli.using("sh", "-c", WEIGHTS)(env=env)
    text = f"$ {LOGIN}\n{left_on_screen(login.screen)}$ {WEIGHTS}\n{weights.stdout}"
    text = text.replace(os.environ["HOME"], "/home/me").replace(f":{desk.port}", ":8000")
    text = re.sub(r"synced [^;.]*", "synced today", text)
    return text.replace(desk.sandbox.client_id, "4c1fa0…").rstrip()


def left_on_screen(written: str) -> str:
    """What is on the screen in the end: of a line that was overwritten, only the last text."""
    return "\n".join(line.rpartition("\r")[2].rstrip() for line in written.split("\n"))


def without_the_day(text: str) -> str:
    """The text with the same times and weights, so that two recordings can be compared."""
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "2026-11-28 06:48:03", text)
    return re.sub(r"\d\d(\.\d+)?(?=,kg)", "72.48", re.sub(r"until \d\d:\d\d", "until 15:04", text))


def draw(screen: str) -> str:
    """Returns the picture: an SVG in which the lines appear one by one, and roll up when the screen is full."""
    seconds, rows, rolls = 0.5, list[str](), dict[float, int]()
    for line in screen.split("\n"):
        found = re.match(QUESTION, line)
        if line.startswith("Signed in"):
            seconds += SECONDS_IN_THE_BROWSER
        for part in textwrap.wrap(line, COLUMNS, drop_whitespace=False, break_long_words=True) or [""]:
            y = TOP + ROW_HEIGHT * len(rows)
            rows.append(
                f'<text class="l" x="{LEFT}" y="{y}" style="animation-delay:{seconds:.1f}s">{_spans(part)}</text>'
            )
            if len(rows) > ROWS:
                rolls[seconds] = ROW_HEIGHT * (len(rows) - ROWS)
        if found:
            seconds += SECONDS_TO_ANSWER + SECONDS_A_KEY * len(line[found.end() :])
    frames = "".join(f"{100 * at / seconds:.2f}%{{transform:translateY(-{up}px)}}" for at, up in rolls.items())
    moved = max(rolls.values(), default=0)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img">
<title>A terminal: a first login, then weights in kg</title>
<style>{STYLE}.r{{animation-duration:{seconds:.1f}s;transform:translateY(-{moved}px)}}
@keyframes roll{{0%{{transform:none}}{frames}}}</style>
<rect width="100%" height="100%" rx="8" fill="#1b2330"/>
<circle cx="16" cy="14" r="5" fill="#ff5f57"/><circle cx="33" cy="14" r="5" fill="#febc2e"/>
<circle cx="50" cy="14" r="5" fill="#28c840"/>
<svg y="28" height="{HEIGHT - 28}" viewBox="0 28 {WIDTH} {HEIGHT - 28}"><g class="r">
{chr(10).join(rows)}
</g></svg>
</svg>
"""


def _spans(line: str) -> str:
    found = re.match(QUESTION, line)
    if not found:
        return escape(line, quote=False)
    question, answer = (escape(part, quote=False) for part in (found[0], line[found.end() :]))
    return f'<tspan class="p">{question}</tspan><tspan class="k">{answer}</tspan>'


@contextlib.contextmanager
def newcomer() -> Iterator[Desk]:
    """A user who has nothing but a registered app."""
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        root = Path(__file__).parent.parent
        isolation.enter(Path(directory) / "me", patch)
        patch.setenv("PYTHONPATH", str(root))
        port, canaries = free_port(), Canaries()
        cli = Cli((sys.executable, "-m", "withings_auth"), canaries)
        redirect_uri = f"http://localhost:{port}"
        with Sandbox(redirect_uris=[redirect_uri]) as sandbox:
            yield set_up_desk(cli, canaries, Path(directory) / "me", sandbox, redirect_uri, port)
        cli.close()


if __name__ == "__main__":
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    with newcomer() as desk, SecretService() as keyring:
        picture.write_text(draw(record(desk, keyring)))
    print(f"{picture}: {picture.stat().st_size} bytes")
