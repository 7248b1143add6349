"""The README's picture can be taken again, and is small."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import Require
from tests.screenshot import LARGEST_BYTES, PICTURE
from tests.support import browser
from tests.support.programs import Cli

ROOT = Path(__file__).parent.parent
PNG = b"\x89PNG\r\n\x1a\n"


def test_the_script_takes_the_picture(cli: Cli, home: Path, require: Require) -> None:
    require("chromium", browser.executable(), "the picture is taken by a real browser")
    finished = cli.using(sys.executable, "-m", "tests.screenshot")(
        str(home / "page.png"), env={"PYTHONPATH": str(ROOT)}
    )
    assert finished.returncode == 0, finished.stderr
    assert (home / "page.png").read_bytes().startswith(PNG)


def test_the_picture_in_the_readme_is_small() -> None:
    picture = PICTURE.read_bytes()
    assert picture.startswith(PNG)
    assert len(picture) <= LARGEST_BYTES
