"""What config.toml can say about a program, and what it is told if it says it wrong."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from tests.support.canaries import Canaries
from withings_auth.borrow.descriptions import Description, read_description
from withings_auth.borrow.programs import find_program, known_programs
from withings_auth.config.save import write_config
from withings_auth.config.settings import read_settings
from withings_auth.errors import ConfigurationError

FILE = Path("/etc/config.toml")


def read(text: str) -> Description:
    """Reads the one program in the text of a config.toml."""
    ((name, content),) = tomllib.loads(text)["programs"].items()
    return read_description(name, content, FILE)


def test_every_field_can_be_described() -> None:
    """config.toml has the fields of the table of programs."""
    found = read("""
        [programs.My-Sync]
        about = "to my diary"
        arguments = ["--dir", "{directory}"]
        directory_option = ["-d", "--dir"]
        environment = { MY_APP = "{client_id}" }

        [programs.My-Sync.files."{home}/tokens.json"]
        until = "{expires_at}"
        kind = 2
        body = { access_token = "{access_token}", refresh_token = "{refresh_token}" }
        """)
    assert found == Description(
        name="my-sync",
        about="to my diary",
        arguments=("--dir", "{directory}"),
        directory_option=("-d", "--dir"),
        environment={"MY_APP": "{client_id}"},
        files={
            "{home}/tokens.json": {
                "until": "{expires_at}",
                "kind": 2,
                "body": {"access_token": "{access_token}", "refresh_token": "{refresh_token}"},
            }
        },
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("x = 1", "“programs.x” in /etc/config.toml is not a table"),
        ("'a/b' = {}", "“programs.a/b” in /etc/config.toml cannot be the name of a program"),
        ("x = { file = {} }", "“programs.x.file” in /etc/config.toml is not a field of a program"),
        ("x = { about = 1 }", "“programs.x.about” in /etc/config.toml is not a string"),
        ("x = { files = ['a'] }", "“programs.x.files” in /etc/config.toml is not a table"),
        ("x = { files = { a = 'b' } }", '“programs.x.files."a"” in /etc/config.toml is not a table'),
        (
            "x = { files = { '{userid}' = {} } }",
            "“programs.x.files” in /etc/config.toml has {userid}, which",
        ),
        (
            "x = { files = { a = { t = '{acces}' } } }",
            '“programs.x.files."a".t” in /etc/config.toml has {acces}, which',
        ),
        (
            "x = { files = { a = { b = { t = '{c}' } } } }",
            '“programs.x.files."a".t” in /etc/config.toml has {c}, which',
        ),
        ("x = { environment = 'A=b' }", "“programs.x.environment” in /etc/config.toml is not a table"),
        ("x = { environment = { A = 1 } }", "“programs.x.environment.A” in /etc/config.toml is not a string"),
        ("x = { environment = { A = '{a_b}' } }", "“programs.x.environment.A” in /etc/config.toml has {a_b}, which"),
        (
            "x = { environment = { 'A=B' = 'c' } }",
            "“programs.x.environment.A=B” in /etc/config.toml cannot be",
        ),
        ("x = { environment = { '' = 'c' } }", "“programs.x.environment.” in /etc/config.toml cannot be the name"),
        ('x = { environment = { A = "\\u0000" } }', "“programs.x.environment.A” in /etc/config.toml has a null"),
        ('x = { arguments = ["\\u0000"] }', "“programs.x.arguments” in /etc/config.toml has a null"),
        ('x = { files = { "\\u0000" = {} } }', "“programs.x.files” in /etc/config.toml has a null"),
        ("x = { files = { '~/t' = {} } }", '“programs.x.files."~/t"” in /etc/config.toml begins with ~'),
        ("x = { files = { a = { b = [2026-01-01] } } }", '“programs.x.files."a"” in /etc/config.toml has a date'),
        ("x = { arguments = '-c' }", "“programs.x.arguments” in /etc/config.toml is not a list of words"),
        ("x = { arguments = [1] }", "“programs.x.arguments” in /etc/config.toml is not a string"),
        ("x = { directory_option = '-c' }", "“programs.x.directory_option” in /etc/config.toml is not a list of words"),
    ],
)
def test_a_mistake_is_named_by_its_key(text: str, says: str) -> None:
    """Statement 35: exit code 2, with the place of the mistake and a hint."""
    with pytest.raises(ConfigurationError) as wrong:
        read(f"[programs]\n{text}")
    assert str(wrong.value).startswith(says)
    assert wrong.value.hint
    assert (str(wrong.value) + wrong.value.hint).isprintable()


@pytest.mark.parametrize("place", ["environment = {{ GARMIN_PASSWORD = '{}' }}", "files.a.b.client_secret = '{}'"])
def test_a_secret_is_refused_and_not_repeated(canaries: Canaries, place: str) -> None:
    """Statement 24: config.toml must not hold a secret."""
    secret = canaries.plant("a secret")
    with pytest.raises(ConfigurationError, match="must not be a secret itself") as refused:
        read("[programs.x]\n" + place.format(secret))
    assert secret not in str(refused.value) + refused.value.hint


def test_the_name_of_a_token_file_is_no_secret() -> None:
    """Nor is what a run fills in."""
    variables = {"MY_TOKENS": "/srv/tokens.json", "MY_TOKEN": "{access_token}", "MY_SECRET": ""}
    assert read_description("x", {"environment": variables}, FILE).environment == variables


class TestTheTable:
    def test_a_program_in_config_toml_replaces_the_known_one(self, tmp_path: Path) -> None:
        """By name, in any case; the others stay."""
        (tmp_path / "config.toml").write_text('[programs.Withings-Sync]\nabout = "mine"\n')
        settings = read_settings(environ={}, directory=tmp_path)
        known, usual = known_programs(settings.programs, FILE), known_programs({}, FILE)
        assert known.keys() == usual.keys()
        assert find_program("WITHINGS-sync", known) == Description(name="withings-sync", about="mine")
        assert known["withings-mcp"] == usual["withings-mcp"]

    def test_configure_leaves_it_alone(self, tmp_path: Path) -> None:
        """What it adds to the file stays above the tables."""
        (tmp_path / "config.toml").write_text('[programs.mine]\nabout = "x"\n')
        write_config(tmp_path / "config.toml", {"store": "file:/x"})
        settings = read_settings(environ={}, directory=tmp_path)
        assert (settings.store, settings.programs) == ("file:/x", {"mine": {"about": "x"}})

    def test_programs_must_be_tables(self, tmp_path: Path) -> None:
        """A mistake in the table's shape is found by every command, as in any other setting."""
        (tmp_path / "config.toml").write_text('programs = "withings-sync"\n')
        with pytest.raises(ConfigurationError, match=r"“programs” in .*config\.toml is not a table"):
            read_settings(environ={}, directory=tmp_path)

    def test_a_mistyped_name_is_guessed(self) -> None:
        """The hint has the name that was probably meant, and the other ways on."""
        with pytest.raises(ConfigurationError, match="“withing-sync” is not a known program") as wrong:
            find_program("withing-sync", known_programs({}, FILE))
        assert wrong.value.hint.startswith(
            "did you mean “withings-sync”? list the known ones: withings-auth run --as; "
        )
        with pytest.raises(ConfigurationError) as wrong:
            find_program("curl", known_programs({}, FILE))
        assert wrong.value.hint.startswith("list the known ones: ")


def test_contributing_shows_the_same_program_in_both_ways() -> None:
    """What it says about a program of one's own is true: the fields are the same, and it takes ten lines."""
    shown = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    _, _, shown = shown.partition("\n## Describe a program\n")
    python, toml = (re.findall(rf"(?ms)^```{language}\n(.*?)^```", shown)[0] for language in ("python", "toml"))
    described = eval(python, {"Description": Description})  # noqa: S307  it is ours
    assert described == read(toml)
    assert described.takes_access_token
    assert max(len(text.strip().splitlines()) for text in (python, toml)) <= 10
