"""`withings-auth api`: one call to Withings' API, for scripts in any language."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, TypeVar

from withings_auth.cli.options import add_profile, load_settings, open_store, parse_seconds
from withings_auth.cli.retry import keep_trying, refuse_endless_wait
from withings_auth.cli.ui.terminal import answer, is_terminal, show, tell, wait_and_tell
from withings_auth.provider.calls import body_of, call, form_of, service_path
from withings_auth.provider.pages import each_page, has_more, joined
from withings_auth.provider.repeat_guard import ask_past_guard
from withings_auth.provider.replies import Answer, read_envelope
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import TokenSource

T = TypeVar("T")

EXAMPLE = (
    "examples:\n"
    "  withings-auth api measure getmeas meastype=1 --csv    (your weights, in kg)\n"
    "  withings-auth api measure getmeas lastupdate=0 --paginate --csv\n"
    "  withings-auth api v2/user getdevice                   (JSON)\n\n"
    "All services: https://developer.withings.com/api-reference/"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", metavar="PATH", help="the service, for example measure or v2/user")
    parser.add_argument("action", metavar="ACTION", help="its action, for example getmeas")
    parser.add_argument(
        "parameters", metavar="NAME=VALUE", nargs="*", default=[], help="a parameter, for example meastype=1"
    )
    add_profile(parser)
    parser.add_argument(
        "--csv",
        action="store_true",
        help="print a list as CSV; measurements with their date, name and unit, page by page with --paginate",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--paginate", action="store_true", help="fetch all pages and merge them into one answer")
    form.add_argument(
        "--raw", action="store_true", help="print the whole answer with its status, even if it is an error"
    )
    patience = parser.add_mutually_exclusive_group()
    patience.add_argument(
        "--wait",
        metavar="SECONDS",
        type=parse_seconds,
        help="on a temporary failure, keep trying for this long, each page anew (default: only if Withings has just"
        " answered the same call, for up to 12 seconds)",
    )
    patience.add_argument(
        "--no-wait", dest="wait", action="store_const", const=0.0, help="do not try again: exit code 4 at once"
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the body of the answer. Raises what `TokenSource.token` raises, and `ProviderError`."""
    if options.csv and options.raw:
        options.parser.error("argument --raw: not allowed with argument --csv")
    if options.wait is not None:
        refuse_endless_wait(options.wait, "api measure getmeas meastype=1 --wait 300")
    path, form = service_path(options.path), form_of(options.action, options.parameters)
    settings = load_settings(options)
    store = open_store(settings)
    source = TokenSource(settings.profile, store=store)
    url = load_grant(store, settings.profile).api_url + path

    def fetch(page: Mapping[str, str]) -> dict[str, Any]:
        return _patiently(lambda: body_of(call(source, url, page)), options.wait)

    if options.raw:
        _print_raw(lambda: call(source, url, form), options.wait)
    elif options.paginate:
        pages = _announced(each_page(fetch, form))
        _print_csv(pages) if options.csv else _print_json(joined(pages))
    else:
        body = fetch(form)
        _print_csv([body]) if options.csv else _print_json(body)
        if has_more(body) and is_terminal():
            tell("There are more pages: --paginate fetches them all.")
    return 0


def _patiently(ask: Callable[[], T], wait_seconds: float | None) -> T:
    """Returns what `ask` returns, tried again for so long; by default only past Withings' repeat guard."""
    if wait_seconds is not None:
        return keep_trying(ask, wait_seconds)
    return ask_past_guard(ask, wait=wait_and_tell if is_terminal() else time.sleep)


def _print_raw(ask: Callable[[], Answer], wait_seconds: float | None) -> None:
    """Prints the last answer as it is. Raises the error that it reports."""
    last: list[Answer] = []

    def try_once() -> None:
        last.clear()
        last.append(ask())
        body_of(last[0])

    try:
        _patiently(try_once, wait_seconds)
    finally:
        for reply in last:
            if (whole := read_envelope(reply)) is not None:
                _print_json(whole)


def _announced(pages: Iterator[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Yields the pages; while one is being fetched, says so on a terminal."""
    rows = 0
    show("Fetching page 1.")
    for number, page in enumerate(pages, start=2):
        show("")
        yield page
        rows += sum(len(value) for value in page.values() if isinstance(value, list))
        if has_more(page):
            show(f"Fetching page {number}. Entries so far: {rows}.")


def _print_csv(pages: Iterable[Mapping[str, Any]]) -> None:
    from withings_auth.cli.table import csv_parts  # here, because JSON needs no dates, units and time zones

    for part in csv_parts(pages):
        answer(part)


def _print_json(content: Mapping[str, Any]) -> None:
    # ASCII escapes whatever Withings sends, so that a terminal does not obey it.
    answer(json.dumps(content, indent=2))
