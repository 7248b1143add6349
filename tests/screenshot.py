"""Takes the README's picture of the page that ends a login: `python -m tests.screenshot [FILE]`, with Chromium."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.support import browser
from withings_auth.authorization.pages import signed_in

PICTURE = Path(__file__).parent / "pictures" / "signed_in.png"
LARGEST_BYTES = 50_000
SIZE = {"width": 520, "height": 540}
PAGE = signed_in(userid="38210457", profile="default", store="the keyring of this desktop")


def take_picture() -> bytes:
    """Returns the picture as a PNG."""
    path = browser.executable()
    if path is None:
        raise SystemExit("Chromium is missing: apt install chromium")
    with browser.engine(path) as engine, engine.awake() as running:
        chromium = browser.Chromium(running)
        page = chromium.page(viewport=SIZE, color_scheme="light")
        page.set_content(PAGE.body.decode())
        picture = page.screenshot()
        chromium.close()
        return picture


if __name__ == "__main__":
    picture = Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE
    picture.write_bytes(take_picture())
    print(f"{picture}: {picture.stat().st_size} bytes")
