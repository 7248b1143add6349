"""What each published program is started with, beside the shape that its own source reads."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.borrow.test_placeholder_files import TOKEN
from tests.support.readme import blocks, example, section
from withings_auth.borrow.descriptions import Description
from withings_auth.borrow.placeholder_files import Places, write_files
from withings_auth.borrow.placeholders import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN
from withings_auth.borrow.preparing import complete_command, complete_environment, find_places, stand_ins
from withings_auth.borrow.programs import known_programs
from withings_auth.config.settings import read_settings

KNOWN = known_programs({}, Path("config.toml"))
TOKENS = {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}
APP = {"client_id": "id", "client_secret": CLIENT_SECRET}
APP_VARIABLES = {"WITHINGS_CLIENT_ID": "id", "WITHINGS_CLIENT_SECRET": CLIENT_SECRET}
KEPT = "{home}/.local/state/withings-auth/programs/{name}/default"

# The variables and the files of each program.
STARTED: dict[str, tuple[dict[str, str], dict[str, dict[str, Any]]]] = {
    "withings-sync": (
        {"WITHINGS_USER": f"{KEPT}/.withings_user.json", "WITHINGS_APP": f"{KEPT}/withings_app.json"},
        {
            f"{KEPT}/.withings_user.json": {**TOKENS, "userid": "38210457"},
            f"{KEPT}/withings_app.json": {
                "client_id": "id",
                "consumer_secret": CLIENT_SECRET,
                "callback_url": "http://localhost:8000",
            },
        },
    ),
    "withings-mcp": (
        {"WITHINGS_MCP_CONFIG_DIR": KEPT},
        {
            f"{KEPT}/withings_client.json": APP,
            f"{KEPT}/withings_tokens.json": {**TOKENS, "userid": "38210457", "expires_at": 1_800_000_000},
        },
    ),
    "withings-mcp-unofficial": (
        {
            **APP_VARIABLES,
            "WITHINGS_REDIRECT_URI": "http://localhost:8000",
            "WITHINGS_TOKEN_PATH": f"{KEPT}/tokens.json",
        },
        {f"{KEPT}/tokens.json": {"access_token": ACCESS_TOKEN}},
    ),
    "withings-health-cli": (
        {},
        {
            "{home}/.config/withings-cli/credentials.json": APP,
            "{home}/.config/withings-cli/tokens.json": {**TOKENS, "userid": "38210457"},
        },
    ),
    "withings2garmin": (
        {**APP_VARIABLES, "WITHINGS_TOKENS_FILE": f"{KEPT}/withings_tokens.json"},
        {f"{KEPT}/withings_tokens.json": {**TOKENS, "user_id": "38210457"}},
    ),
    "withings-to-intervals-icu": (
        {**APP_VARIABLES, "XDG_CONFIG_HOME": KEPT},
        {f"{KEPT}/withings-to-intervals-icu/withings-token.json": {**TOKENS, "expires_at": 1_800_000_000}},
    ),
    "withings2intervals": ({}, {"{home}/work/withings.json": {**TOKENS, "userid": "38210457"}}),
    "withingpy": (
        {},
        {"{home}/work/withings_config.json": {"base_url": "https://wbsapi.withings.net", **APP, **TOKENS}},
    ),
}


def find(description: Description, *command: str, profile: str = "default", store: str = "keyring") -> Places:
    settings = read_settings({"profile": profile, "store": store}, {})
    return find_places(description, command, state=settings.place_of_state, profile=settings.profile)


def test_every_program_is_here() -> None:
    assert KNOWN.keys() == STARTED.keys()
    assert all(each.about for each in KNOWN.values())


@pytest.mark.parametrize("name", STARTED)
def test_a_program_finds_what_it_insists_on(name: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its variables, and its files with placeholders, where it looks for them; nothing else is written."""
    (home / "work").mkdir()
    monkeypatch.chdir(home / "work")
    places = find(KNOWN[name], name)
    write_files(KNOWN[name], places, stand_ins(TOKEN, places))
    places_in_text = {"home": str(home), "name": name}
    variables, files = STARTED[name]
    assert complete_environment(KNOWN[name], {"A": "b"}, stand_ins(TOKEN, places)) == {
        "A": "b",
        **{variable: text.format_map(places_in_text) for variable, text in variables.items()},
    }
    assert {str(path): json.loads(path.read_text()) for path in home.rglob("*.json")} == {
        path.format_map(places_in_text): content for path, content in files.items()
    }


class TestPlaces:
    def test_each_profile_has_its_own(self, home: Path) -> None:
        """What one person's program has passed on says nothing about another's."""
        kept = home / ".local" / "state" / "withings-auth" / "programs"
        places = find(KNOWN["withings-sync"], "withings-sync", profile="mum")
        assert (places.directory, places.lock) == (kept / "withings-sync" / "mum", kept / "withings-sync.lock")

    def test_with_a_store_in_files_it_lies_there(self, home: Path) -> None:
        """On the volume that containers share."""
        places = find(KNOWN["withings-sync"], "withings-sync", store="file:~/store")
        assert places.directory == home / "store" / "programs" / "withings-sync" / "default"

    @pytest.mark.parametrize(
        "words",
        [
            ("withings-sync", "-f", "2026-01-01", "-c", "own"),
            ("/usr/bin/withings-sync", "-cown"),
            ("uvx", "-c", "other", "withings-sync", "--config-folder", "own"),
            ("python3", "-m", "withings_sync", "--config-folder=own"),
        ],
    )
    def test_a_directory_in_the_command_is_the_place(self, words: tuple[str, ...]) -> None:
        """withings-sync keeps the Garmin session there too."""
        places = find(KNOWN["withings-sync"], *words)
        assert (places.directory, places.is_ours) == (Path("own"), False)
        assert find(KNOWN["withings-mcp"], *words).is_ours

    @pytest.mark.parametrize("words", [("python3", "-c", "code"), ("withings-sync", "-c")])
    def test_another_program_s_option_is_none(self, words: tuple[str, ...]) -> None:
        assert find(KNOWN["withings-sync"], *words).is_ours


class TestArguments:
    SYNC = Description(name="my-sync", arguments=("--dir", "{directory}"), directory_option=("--dir",))

    @pytest.mark.parametrize(
        ("command", "completed"),
        [
            ("my-sync --all", "my-sync --dir DIR --all"),
            ("python3 my_sync.py --all", "python3 my_sync.py --dir DIR --all"),
            ("uvx my-sync", "uvx my-sync --dir DIR"),
            ("other x", "other --dir DIR x"),
            ("my-sync --dir own", "my-sync --dir own"),
        ],
    )
    def test_they_follow_the_name_of_the_program(self, command: str, completed: str) -> None:
        """They are left out if the user has named a directory."""
        words = command.split()
        places = find(self.SYNC, *words)
        found = complete_command(self.SYNC, words, places, stand_ins(TOKEN, places))
        assert " ".join(found).replace(str(places.directory), "DIR" if places.is_ours else "own") == completed


def test_the_readme_has_the_line_for_each_program() -> None:
    """For the shell, cron, an MCP client and a container; the image takes the program that is named."""
    text = section("withings-sync, MCP servers and others")
    lines = [shlex.split(line, comments=True) for line in "\n".join(blocks("sh", text)).splitlines()]
    runs = [line[line.index("run") :] for line in lines if line[:2] != ["docker", "build"]]
    named = {words[2] for words in runs if words[1:2] == ["--as"]}
    assert named == KNOWN.keys()
    assert ["run", "--proxy", "--", "python3", "anything.py"] in runs
    assert all(words[words.index("--") + 1 :] for words in runs)
    (cron,) = re.findall(r"`0 8 \* \* \* (.*?)`", text)
    assert cron.replace("~/.local/bin/", "") == blocks("sh", text)[0].splitlines()[0]
    (client,) = re.findall(r'`("command": .*?)`', text)
    assert [json.loads(f"{{{client}}}")["command"], *json.loads(f"{{{client}}}")["args"]] in lines
    (build,) = (line for line in lines if line[:2] == ["docker", "build"])
    argument = build[build.index("--build-arg") + 1]
    assert f"ARG {argument.partition('=')[0]}=" in example("Dockerfile")
    assert f"${argument.partition('=')[0]} " in example("Dockerfile")


def test_nothing_secret_stands_for_anything() -> None:
    """Of a token, only what is no secret gets into files, variables and arguments."""
    secret = replace(TOKEN, access_token="never")
    assert "never" not in str(stand_ins(secret, find(KNOWN["withings-sync"], "withings-sync")))
