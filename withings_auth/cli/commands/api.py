"""`withings-auth api`: one call to Withings' API, for scripts in any language."""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from typing import Any

from withings_auth.cli.options import add_profile, load_settings, open_store
from withings_auth.cli.ui.terminal import answer, is_terminal, tell
from withings_auth.provider.calls import body_of, call, form_of, service_path
from withings_auth.provider.pages import all_pages, has_more
from withings_auth.provider.replies import read_envelope
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
    parser.add_argument("path", metavar="PATH", help="the service, for example measure or v2/user")
    parser.add_argument("action", metavar="ACTION", help="its action, for example getmeas")
    parser.add_argument(
        "parameters", metavar="NAME=VALUE", nargs="*", default=[], help="a parameter, for example meastype=1"
    )
    add_profile(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--paginate", action="store_true", help="fetch all pages and merge them into one answer")
    form.add_argument(
        "--raw", action="store_true", help="print the whole answer with its status, even if it is an error"
    )


def execute(options: argparse.Namespace) -> int:
    """Prints the body of the answer as JSON. Raises what `TokenSource.token` raises, and `ProviderError`."""
    path, form = service_path(options.path), form_of(options.action, options.parameters)
    settings = load_settings(options)
    store = open_store(settings)
    source = TokenSource(settings.profile, store=store)
    url = load_grant(store, settings.profile).api_url + path
    if options.raw:
        reply = call(source, url, form)
        whole = read_envelope(reply)
        if whole is not None:
            _print(whole)
        body_of(reply)  # raises the error that the answer reports
    elif options.paginate:
        _print(all_pages(lambda page: body_of(call(source, url, page)), form))
    else:
        body = body_of(call(source, url, form))
        _print(body)
        if has_more(body) and is_terminal():
            tell("There are more pages: --paginate fetches them all.")
    return 0


def _print(content: Mapping[str, Any]) -> None:
    # ASCII escapes whatever Withings sends, so that a terminal does not obey it.
    answer(json.dumps(content, indent=2))
