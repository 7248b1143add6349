"""A real browser goes through the consent page."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Literal

from withings_auth.sandbox import PEOPLE

if TYPE_CHECKING:
    from tests.sandbox.servers import Callback, Caller
    from tests.support.browser import Chromium


def test_allow(served: Caller, callback: Callback, chromium: Chromium) -> None:
    """Chromium follows the form's redirect to the app: the page's policy does not forbid it."""
    uri = served.register(callback)
    page = chromium.page()

    page.goto(served.authorize_url(uri))
    page.get_by_label(PEOPLE[1].name).check()
    page.get_by_role("button", name="Allow").click()
    page.get_by_role("heading", name="Back at the app").wait_for()

    assert page.url.startswith(f"{uri}/?")
    assert callback.queries[0]["state"] == ["the-state"]
    assert served.sandbox.events[0].userid == PEOPLE[1].userid
    assert chromium.console == []


def test_deny(served: Caller, callback: Callback, chromium: Chromium) -> None:
    uri = served.register(callback)
    page = chromium.page()

    page.goto(served.authorize_url(uri))
    page.get_by_role("button", name="Deny").click()
    page.get_by_role("heading", name="Access denied").wait_for()

    assert callback.queries == []
    assert chromium.console == []


def test_the_keyboard_is_enough(served: Caller, callback: Callback, chromium: Chromium) -> None:
    """Tab reaches the people and the buttons, and the first person is preselected."""
    uri = served.register(callback)
    page = chromium.page()

    page.goto(served.authorize_url(uri))
    for key in ("Tab", "ArrowDown", "Tab", "Tab", "Enter"):
        page.keyboard.press(key)
    page.get_by_role("heading", name="Back at the app").wait_for()

    assert served.sandbox.events[0].userid == PEOPLE[1].userid


SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
CONTRAST = """() => {
  const channel = part => { part /= 255; return part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4 };
  const light = text => { const [r, g, b] = text.match(/[0-9.]+/g).map(Number);
    return .2126 * channel(r) + .7152 * channel(g) + .0722 * channel(b) };
  const ground = node => { for (; node; node = node.parentElement) {
      const colour = getComputedStyle(node).backgroundColor;
      if (!/rgba\\(.*, 0\\)/.test(colour)) return colour } return 'rgb(255, 255, 255)' };
  return [...document.querySelectorAll('h1, h2, legend, p, code, li, li span, small, button, footer, strong')]
    .map(node => { const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort();
      return [(Math.max(a, b) + .05) / (Math.min(a, b) + .05), node.outerHTML.slice(0, 60)] })
    .filter(([ratio]) => ratio < 4.5) }"""


def test_everybody_can_read_it(served: Caller, chromium: Chromium) -> None:
    """Contrast of at least 4.5 to 1 (WCAG AA), no sideways scrolling, a language, and a label for every choice."""
    page = chromium.page()

    for address in (served.sandbox.url, served.authorize_url("http://localhost:8000")):
        page.goto(address)
        for scheme, width in product(SCHEMES, (380, 1280)):
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size({"width": width, "height": 800})
            assert page.evaluate(CONTRAST) == [], (scheme, width)
            assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), (scheme, width)
            assert page.get_by_text("Sandbox, not Withings.").is_visible()
        assert page.locator("html").get_attribute("lang") == "en"
        assert "Sandbox" in page.title()
    assert page.get_by_role("group", name="Whose data?").get_by_role("radio").count() == len(PEOPLE)
    assert chromium.console == []
