"""`withings-auth api`: one call to Withings' API, for people who script in no particular language."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from withings_auth.cli.options import add_profile, open_store, settings
from withings_auth.cli.ui.terminal import answer, is_terminal, tell
from withings_auth.provider.calls import body_of, call, envelope, form_of, service_path
from withings_auth.provider.pages import all_pages, has_more
from withings_auth.provider.replies import Answer
from withings_auth.store.records import load_grant
from withings_auth.tokens.source import TokenSource

EXAMPLE = (
    "examples:\n"
    "  withings-auth api measure getmeas meastype=1                     (weights)\n"
    "  withings-auth api measure getmeas meastype=1 lastupdate=0 --paginate\n"
    "  withings-auth api v2/user getdevice\n\n"
    "All services: https://developer.withings.com/api-reference/"
)


def add_flags(parser: argparse.ArgumentParser) -> None:
    """Adds the command's words and flags."""
    parser.add_argument("path", metavar="PATH", help="the service, as in measure or v2/user")
    parser.add_argument("action", metavar="ACTION", help="what it is to do, as in getmeas")
    parser.add_argument(
        "parameters", metavar="NAME=VALUE", nargs="*", default=[], help="what to tell it, as in meastype=1"
    )
    add_profile(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--paginate", action="store_true", help="all pages as one, where the answer has several")
    form.add_argument("--raw", action="store_true", help="the whole answer with its status, refusals too")


def execute(options: argparse.Namespace) -> int:
    """Prints the body of the answer as JSON. Raises what `TokenSource.token` raises, and what refuses the call."""
    path, form = service_path(options.path), form_of(options.action, options.parameters)
    found = settings(options)
    store = open_store(found)
    source = TokenSource(found.profile, store=store)
    url = load_grant(store, found.profile).api_url + path
    if options.raw:
        _print_raw(call(source, url, form))
    elif options.paginate:
        _print(all_pages(lambda page: body_of(call(source, url, page)), form))
    else:
        body = body_of(call(source, url, form))
        _print(body)
        if has_more(body) and is_terminal():
            tell("There is more: --paginate fetches all of it.")
    return 0


def _print_raw(reply: Answer) -> None:
    """Prints what came, and then raises what it says."""
    whole = envelope(reply)
    if whole is not None:
        _print(whole)
    body_of(reply)


def _print(content: Mapping[str, Any]) -> None:
    # In ASCII: what Withings sends reaches a terminal only escaped.
    answer(json.dumps(content, indent=2))
