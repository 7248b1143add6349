"""The picture of the page in the README: `python -m tests.screenshot [FILE]` takes it anew.

The page is the one that a browser is shown when a login is done, in a real Chromium.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import browser
from withings_auth.authorization.pages import signed_in

PICTURE = Path(__file__).parent / "pictures" / "signed_in.png"
LARGEST_BYTES = 50_000
SIZE = {"width": 520, "height": 540}
SHOWN = signed_in(userid="38210457", profile="default", store="the keyring of this desktop")


def taken() -> bytes:
    """Returns the picture as PNG."""
    path = browser.executable()
    if path is None:
        raise SystemExit("a Chromium is needed: apt install chromium")
    with browser.engine(path) as engine, engine.awake() as running:
        chromium = browser.Chromium(running)
        page = chromium.page(viewport=SIZE, color_scheme="light")
        page.set_content(SHOWN.body.decode())
        picture = page.screenshot()
        chromium.close()
        return picture


if __name__ == "__main__":
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    picture.write_bytes(taken())
    print(f"{picture}: {picture.stat().st_size} bytes")
