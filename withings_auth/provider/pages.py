"""All pages of an answer as one body: each page says if there is `more`, and the next one's `offset`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from withings_auth.errors import ProtocolViolation
from withings_auth.validation import whole_number

MOST_PAGES = 1000
_PAGING = ("more", "offset")


def has_more(body: Mapping[str, Any]) -> bool:
    """Whether the body says that it is incomplete."""
    return bool(body.get("more"))


def each_page(
    fetch: Callable[[Mapping[str, str]], dict[str, Any]], form: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """Yields the body of each page as it comes.

    `fetch` sends a form and returns a body; whatever it raises is raised. Raises `ProtocolViolation` if the pages do
    not end.
    """
    page = fetch(form)
    yield page
    offset = whole_number(form.get("offset")) or 0
    for _ in range(MOST_PAGES - 1):
        if not has_more(page):
            return
        following = whole_number(page.get("offset"))
        if following is None or following <= offset:
            raise _endless("the offset does not grow")
        offset = following
        page = fetch({**form, "offset": str(offset)})
        yield page
    if has_more(page):
        raise _endless(f"there are more than {MOST_PAGES} pages")


def joined(pages: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns one body: the lists of all pages, joined in order, and everything else from the first page."""
    pages = iter(pages)
    whole = {name: value for name, value in next(pages).items() if name not in _PAGING}
    for page in pages:
        for name, value in page.items():
            if isinstance(value, list) and isinstance(whole.setdefault(name, []), list):
                whole[name] += value
    return whole


def _endless(why: str) -> ProtocolViolation:
    return ProtocolViolation(
        f"Withings' answer has no last page: {why}",
        hint="shorten the period with startdate and enddate, or ask for single pages with offset=",
    )
