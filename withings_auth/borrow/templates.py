"""Texts with names in braces, such as `{access_token}`, which a run replaces by what they stand for."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

PLACES = ("directory", "home")  # known before there is a login
NAMES = ("access_token", "refresh_token", "client_id", "client_secret", "userid", "scope", "expires_at", *PLACES)
EXPIRES_AT = "{expires_at}"  # alone it is a number, in Unix seconds

_NAME = re.compile(r"\{([A-Za-z_]+)\}")

Fields = Mapping[str, Any]
"""The fields of a JSON object: templates, objects of the same kind, and other values, which stay as they are."""


def names_in(template: str) -> list[str]:
    """Returns the names that the template has in braces, known or not."""
    return _NAME.findall(template)


def fill(template: str, values: Mapping[str, str]) -> str:
    """Returns the text with the values of its names, all of which must be there."""
    return _NAME.sub(lambda found: values[found[1]], template)


def fill_value(value: object, values: Mapping[str, str]) -> object:
    """Returns what a value stands for, with everything in it."""
    match value:
        case str():
            return int(values["expires_at"]) if value == EXPIRES_AT else fill(value, values)
        case list():
            return [fill_value(each, values) for each in value]
        case Mapping():
            return {name: fill_value(each, values) for name, each in value.items()}
        case _:
            return value


def templates_in(fields: Fields) -> Iterator[tuple[str, str]]:
    """Yields each text in the fields, and in the objects and lists among them, with its name."""
    for name, value in fields.items():
        yield from _templates_in(name, value)


def _templates_in(name: str, value: object) -> Iterator[tuple[str, str]]:
    match value:
        case str():
            yield name, value
        case list():
            for each in value:
                yield from _templates_in(name, each)
        case Mapping():
            yield from templates_in(value)
