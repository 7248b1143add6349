"""The published programs that `withings-auth run --as` knows, each as its own source reads and writes its files."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

from withings_auth.borrow.descriptions import Description, read_description
from withings_auth.errors import ConfigurationError
from withings_auth.validation import printable

_TOKENS = {"access_token": "{access_token}", "refresh_token": "{refresh_token}"}
_APP = {"client_id": "{client_id}", "client_secret": "{client_secret}"}
_APP_VARIABLES = {"WITHINGS_CLIENT_ID": "{client_id}", "WITHINGS_CLIENT_SECRET": "{client_secret}"}

_PROGRAMS = (
    # withings_sync/withings2.py. The Garmin session, in ~ or beside the tokens, stays where it is.
    Description(
        name="withings-sync",
        about="to Garmin Connect, TrainerRoad or a file",
        directory_option=("-c", "--config-folder"),
        environment={
            "WITHINGS_USER": "{directory}/.withings_user.json",
            "WITHINGS_APP": "{directory}/withings_app.json",
        },
        files={
            "{directory}/.withings_user.json": {**_TOKENS, "userid": "{userid}"},
            "{directory}/withings_app.json": {
                "client_id": "{client_id}",
                "consumer_secret": "{client_secret}",
                "callback_url": "http://localhost:8000",
            },
        },
    ),
    # withings_mcp/config.py and auth.py, the one on PyPI. Its database stays where it is.
    Description(
        name="withings-mcp",
        about="MCP server in Python",
        environment={"WITHINGS_MCP_CONFIG_DIR": "{directory}"},
        files={
            "{directory}/withings_client.json": _APP,
            "{directory}/withings_tokens.json": {**_TOKENS, "userid": "{userid}", "expires_at": "{expires_at}"},
        },
    ),
    # src/services/config.ts and token-store.ts, the one on npm. Without a refresh token it reads the file for each
    # call and never renews.
    Description(
        name="withings-mcp-unofficial",
        about="MCP server in JavaScript",
        environment={
            **_APP_VARIABLES,
            "WITHINGS_REDIRECT_URI": "http://localhost:8000",
            "WITHINGS_TOKEN_PATH": "{directory}/tokens.json",
        },
        files={"{directory}/tokens.json": {"access_token": "{access_token}"}},
    ),
    # withings_cli/config.py, which knows no other place.
    Description(
        name="withings-health-cli",
        about="the command withings, for body measures and ECGs",
        files={
            "{home}/.config/withings-cli/credentials.json": _APP,
            "{home}/.config/withings-cli/tokens.json": {**_TOKENS, "userid": "{userid}"},
        },
    ),
    # withings2garmin/paths.py and withings_client.py. Its config.env and the Garmin session stay where they are.
    Description(
        name="withings2garmin",
        about="to Garmin Connect or a file",
        environment={**_APP_VARIABLES, "WITHINGS_TOKENS_FILE": "{directory}/withings_tokens.json"},
        files={"{directory}/withings_tokens.json": {**_TOKENS, "user_id": "{userid}"}},
    ),
    # withings_to_intervals_icu/cli.py and withings.py; it keeps nothing else in its directory.
    Description(
        name="withings-to-intervals-icu",
        about="to Intervals.icu",
        environment={**_APP_VARIABLES, "XDG_CONFIG_HOME": "{directory}"},
        files={
            "{directory}/withings-to-intervals-icu/withings-token.json": {**_TOKENS, "expires_at": "{expires_at}"},
        },
    ),
    # withings2intervals.py, which always writes this file, whatever its config.ini says.
    Description(
        name="withings2intervals",
        about="to Intervals.icu, with a config.ini",
        files={"withings.json": {**_TOKENS, "userid": "{userid}"}},
    ),
    # withingpy/models.py; a library; this is its default file.
    Description(
        name="withingpy",
        about="programs of your own that use this library",
        files={"withings_config.json": {"base_url": "https://wbsapi.withings.net", **_APP, **_TOKENS}},
    ),
)

# What every program can read that takes its tokens from the environment; for those without a description.
ANY = Description(
    name="any",
    environment={
        "WITHINGS_ACCESS_TOKEN": "{access_token}",
        "WITHINGS_REFRESH_TOKEN": "{refresh_token}",
        "WITHINGS_USERID": "{userid}",
    },
)


def known_programs(tables: Mapping[str, object], file: Path) -> dict[str, Description]:
    """Returns the descriptions by name: ours, and those in config.toml, which come first.

    `tables` is what config.toml has under `programs`. Raises `ConfigurationError`.
    """
    own = [read_description(name, content, file) for name, content in tables.items()]
    return {each.name: each for each in (*_PROGRAMS, *own)}


def find_program(name: str, known: Mapping[str, Description]) -> Description:
    """Returns the description of this name. Raises `ConfigurationError` if there is none."""
    found = known.get(name.lower())
    if found is None:
        near = difflib.get_close_matches(name.lower(), known, 1)
        meant = f"did you mean “{near[0]}”? " if near else ""
        raise ConfigurationError(
            f"“{printable(name, limit=60)}” is not a known program",
            hint=f"{meant}list the known ones: withings-auth run --as;"
            " run another: withings-auth run --proxy -- COMMAND …",
        )
    return found
