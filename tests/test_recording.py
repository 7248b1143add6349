"""The README's picture shows what a newcomer sees today, is safe to show, and small."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

from tests.conftest import Require
from tests.recording import LARGEST_BYTES, PICTURE, WIDTH, draw, without_the_day
from tests.support.keyring_daemon import PROGRAMS
from tests.support.programs import Cli
from tests.support.readme import README, blocks

ROOT = Path(__file__).parent.parent


def shown(picture: str) -> str:
    """What a reader of the picture reads, with the same times and weights on every day."""
    lines = ET.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314  our own file
    return without_the_day("\n".join("".join(line.itertext()) for line in lines))


def test_it_is_what_a_newcomer_sees(cli: Cli, home: Path, require: Require) -> None:
    """From nothing to a weight, recorded again on a real terminal with a real keyring, nothing has changed."""
    for program in PROGRAMS:
        require(program, shutil.which(program), "the login is recorded with a real keyring")
    recorded = home / "picture.svg"
    finished = cli.using(sys.executable, "-m", "tests.recording")(str(recorded), env={"PYTHONPATH": str(ROOT)})
    assert finished.returncode == 0, finished.stderr
    assert shown(recorded.read_text()) == shown(PICTURE.read_text()), "record it again: python -m tests.recording"


def test_it_ends_with_the_weights_of_the_first_screen() -> None:
    """The commands under the picture are those in it, with the same answer."""
    commands = re.findall(r"(?m)^\$ (withings-auth.*?)(?:  .*)?$", blocks("console")[0])
    picture = shown(PICTURE.read_text())
    assert all(f"$ {command}" in picture for command in commands)
    assert picture.endswith(without_the_day(blocks("console")[0].rpartition("\n$ ")[2]).rstrip())


def test_the_readme_shows_it_as_it_is() -> None:
    """Not enlarged, with a description; without a script, a link or anything from elsewhere."""
    source, width, text = re.findall(r'<img src="([^"]+)" width="(\d+)" alt="([^"]+)">', README)[0]
    assert ROOT / source == PICTURE
    assert int(width) <= WIDTH
    assert "kg" in text
    picture = PICTURE.read_text()
    assert len(picture.encode()) <= LARGEST_BYTES
    assert not re.search(r"<script|href|url\(|@import|\bon\w+=", picture)


def test_what_it_shows_cannot_break_it() -> None:
    """Text that looks like markup is shown as it is; a long line is wrapped as on a terminal."""
    screen = "$ echo '<b>&amp;</b>'\n<b>&amp;</b>\n" + "x" * 150
    assert shown(draw(screen)) == f"{screen[:-50]}\n{'x' * 50}"
