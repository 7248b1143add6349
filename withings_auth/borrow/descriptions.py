"""What a program insists on before it talks to Withings, described so that a run can provide it.

The table of known programs is in `programs`; config.toml can describe more, with the same fields:

    [programs.my-sync]
    environment = { MY_SYNC_TOKENS = "{directory}/tokens.json" }

    [programs.my-sync.files."{directory}/tokens.json"]
    access_token = "{access_token}"
    refresh_token = "{refresh_token}"
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from withings_auth.borrow.templates import NAMES, PLACES, Fields, names_in, templates_in
from withings_auth.errors import ConfigurationError
from withings_auth.validation import is_profile, printable

_EXAMPLE = '[programs.my-sync.files."{directory}/tokens.json"]'
_SECRET_NAME = re.compile(r"secret|password|token$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """A program and what it must find. The texts are templates, with `templates.NAMES` in braces.

    `files` are JSON objects by their paths; a path that is not absolute begins in the working directory.
    `{directory}` is a private directory of ours that the program keeps from run to run. If the user names another one
    with the program's own `directory_option`, in one of its spellings, it is that one, and `arguments`, which go right
    after the program's name, are left out.
    """

    name: str
    about: str = ""
    files: Mapping[str, Fields] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: tuple[str, ...] = ()
    directory_option: tuple[str, ...] = ()

    @property
    def uses_directory(self) -> bool:
        """Whether it needs `{directory}` at all."""
        return any("directory" in names_in(text) for text in (*self.files, *self.environment.values(), *self.arguments))

    @property
    def takes_access_token(self) -> bool:
        """Whether one of its files has the access token."""
        return any("access_token" in names_in(text) for each in self.files.values() for _, text in templates_in(each))


_FIELDS = tuple(each.name for each in fields(Description) if each.name != "name")


def read_description(name: str, content: object, file: Path) -> Description:
    """Returns what a table of config.toml describes. Raises `ConfigurationError`, which names the key."""
    at = _Place(f"programs.{name}", file)
    if not is_profile(name):  # it becomes a directory's
        raise at.refuse("cannot be the name of a program", "use letters, digits, dots, hyphens and underscores")
    table = at.as_table(content)
    for key in table:
        if key not in _FIELDS:
            raise at.inside(key).refuse("is not a field of a program", f"the fields are {', '.join(_FIELDS)}")
    files = at.inside("files").as_table(table.get("files", {}))
    for path, content_of_file in files.items():
        at.inside("files").check_template(path, PLACES)
        if path.startswith("~"):
            raise at.inside(f'files."{path}"').refuse("begins with ~, which would be a directory's name", "use {home}")
        at.inside(f'files."{path}"').check_fields(content_of_file)
    return Description(
        name=name.lower(),
        about=at.inside("about").as_text(table.get("about", "")),
        files=files,
        environment=at.inside("environment").as_texts(table.get("environment", {})),
        arguments=at.inside("arguments").as_words(table.get("arguments", [])),
        directory_option=at.inside("directory_option").as_words(table.get("directory_option", [])),
    )


@dataclass(frozen=True, slots=True)
class _Place:
    """A key of config.toml, at which a value is read."""

    key: str
    file: Path

    def inside(self, key: str) -> _Place:
        return _Place(f"{self.key}.{key}", self.file)

    def refuse(self, what: str, hint: str) -> ConfigurationError:
        return ConfigurationError(f"“{printable(self.key)}” in {printable(str(self.file))} {what}", hint=hint)

    def as_table(self, value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise self.refuse("is not a table", f"write it like {_EXAMPLE}")
        return value

    def as_text(self, value: object) -> str:
        if not isinstance(value, str):
            raise self.refuse("is not a string", "put it in quotes")
        self.check_template(value, NAMES)
        return value

    def as_texts(self, value: object) -> dict[str, str]:
        texts = {name: self.inside(name).as_text(text) for name, text in self.as_table(value).items()}
        for name, text in texts.items():
            if not name or {"=", "\0"} & set(name):
                raise self.inside(name).refuse(
                    "cannot be the name of a variable", "use letters, digits and underscores"
                )
            self.inside(name).refuse_secret(name, text)
        return texts

    def as_words(self, value: object) -> tuple[str, ...]:
        if not isinstance(value, list):
            raise self.refuse("is not a list of words", 'write it like ["--config", "{directory}"]')
        return tuple(self.as_text(word) for word in value)

    def check_fields(self, value: object) -> None:
        """Raises `ConfigurationError` if a text in the object cannot be filled in, or seems to be a secret."""
        for name, text in templates_in(self.as_table(value)):
            self.inside(name).check_template(text, NAMES)
            self.inside(name).refuse_secret(name, text)
        try:
            json.dumps(value)
        except TypeError:
            raise self.refuse("has a date or a time, which JSON has not", "put it in quotes") from None

    def check_template(self, text: str, known: Iterable[str]) -> None:
        if "\0" in text:
            raise self.refuse("has a null character", "leave it out")
        for name in names_in(text):
            if name not in known:
                names = ", ".join(f"{{{each}}}" for each in known)
                raise self.refuse(f"has {{{printable(name, limit=40)}}}, which stands for nothing", f"use {names}")

    def refuse_secret(self, name: str, text: str) -> None:
        """Raises `ConfigurationError` for the value of something that sounds secret, unless a run fills it in."""
        if text and not names_in(text) and _SECRET_NAME.search(name):
            raise self.refuse("must not be a secret itself", "use {access_token}, {refresh_token} or {client_secret}")
