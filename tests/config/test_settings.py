"""Where every setting comes from, and what is refused in each place."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from withings_auth.borrow.placeholders import CLIENT_SECRET
from withings_auth.config.places import config_directory, state_directory
from withings_auth.config.settings import Settings, checked_profile, open_store, read_settings
from withings_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from tests.support.canaries import Canaries
    from tests.support.programs import Cli

Read = Callable[..., Settings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Reads settings from arguments, variables and the text of a config.toml, and from nothing else."""

    def read(
        flags: dict[str, str | None] | None = None, environ: dict[str, str] | None = None, file: str | None = None
    ) -> Settings:
        if file is not None:
            (tmp_path / "config.toml").write_text(file)
        return read_settings(flags or {}, environ or {}, tmp_path)

    return read


# The setting, its variable ("" if it has none), its values in the three places, and its default.
PRECEDENCE = [
    ("client_id", "WITHINGS_CLIENT_ID", ("flag", "env", "file"), None),
    ("redirect_uri", "WITHINGS_REDIRECT_URI", ("http://flag", "http://env", "http://file"), None),
    ("scopes", "WITHINGS_SCOPES", ("flag", "env", "file"), None),
    ("listen", "", ("127.0.0.1:1", None, "127.0.0.1:3"), None),
    ("store", "WITHINGS_AUTH_STORE", ("file:/flag", "file:/env", "file:/file"), "keyring"),
    ("profile", "WITHINGS_AUTH_PROFILE", ("flag", "env", "file"), "default"),
]


class TestPrecedence:
    @pytest.mark.parametrize(("name", "variable", "values", "default"), PRECEDENCE, ids=[row[0] for row in PRECEDENCE])
    def test_flag_then_variable_then_file_then_default(
        self, read: Read, name: str, variable: str, values: tuple[str, str | None, str], default: str | None
    ) -> None:
        """Every setting: first the command line, then the environment, then config.toml, then the default."""

        def found(places: str) -> object:
            settings = read(
                {name: values[0] if "flag" in places else None},
                {variable: values[1]} if values[1] and "env" in places else {},
                f"{name} = {json.dumps(values[2])}" if "file" in places else "",
            )
            return getattr(settings if hasattr(settings, name) else settings.app, name)

        def expected(text: str | None) -> object:
            return (text,) if name == "scopes" and text is not None else text

        second = values[1] or values[2]
        assert found("") == expected(default)
        assert found("file") == expected(values[2])
        assert found("env file") == expected(second)
        assert found("flag env file") == expected(values[0])
        assert found("flag") == expected(values[0])

    @pytest.mark.parametrize("variable", [row[1] for row in PRECEDENCE if row[1]])
    def test_an_empty_variable_counts_as_unset(self, read: Read, variable: str) -> None:
        """`WITHINGS_CLIENT_ID=` in a crontab changes nothing."""
        assert read(environ={variable: ""}) == read()

    @pytest.mark.parametrize(
        "variable", ["WITHINGS_CLIENT_SECRET", "WITHINGS_AUTH_API_URL", "WITHINGS_AUTH_AUTHORIZE_URL"]
    )
    def test_so_do_variables_without_a_setting(self, read: Read, variable: str) -> None:
        """An empty secret is no secret, and an empty address means Withings' own."""
        assert read(environ={variable: ""}) == read()
        assert read().endpoints.token_url == "https://wbsapi.withings.net/v2/oauth2"

    def test_a_slash_is_no_address(self, read: Read) -> None:
        """Slashes after an address mean nothing, so one alone counts as unset."""
        assert read(environ={"WITHINGS_AUTH_API_URL": "/"}) == read()

    def test_an_empty_argument_counts_as_set(self, read: Read) -> None:
        """`--profile ""` is a mistake in a script, not the default profile; it is named as the caller names it."""
        with pytest.raises(ConfigurationError, match=r"^profile is “”"):
            read({"profile": ""}, {"WITHINGS_AUTH_PROFILE": "env"})
        with pytest.raises(ConfigurationError, match=r"^--profile is “”"):
            read_settings({"profile": ""}, {"WITHINGS_AUTH_PROFILE": "env"}, name_argument="--{}".format)

    def test_what_the_environment_sets_is_kept_apart(self, read: Read) -> None:
        """Statement 38: a stored login is checked against variables, never against the file or the defaults."""
        settings = read(
            {"client_id": "flag"}, {"WITHINGS_AUTH_API_URL": "https://other.example/"}, 'client_id = "file"'
        )
        assert settings.environment_client_id is None
        assert settings.environment_api_url == "https://other.example"
        assert settings.endpoints.token_url == "https://other.example/v2/oauth2"
        assert read(environ={"WITHINGS_CLIENT_ID": "env"}).environment_client_id == "env"
        assert read().environment_api_url is None

    def test_scopes_are_a_comma_list_or_a_toml_list(self, read: Read) -> None:
        """Both mean the same."""
        both = ("user.info", "user.metrics")
        assert read(file='scopes = "user.info, user.metrics"').app.scopes == both
        assert read(file='scopes = ["user.info", "user.metrics"]').app.scopes == both
        assert read(environ={"WITHINGS_SCOPES": "user.info,user.metrics"}).app.scopes == both

    def test_a_command_is_a_list_of_words_or_a_string(self, read: Read) -> None:
        """A string is split as a shell would, which expands nothing; an empty one counts as unset."""
        words = ("notify-send", "log in again", "$HOME", "")
        assert read(file='on_login_needed = ["notify-send", "log in again", "$HOME", ""]').on_login_needed == words
        assert read(file="on_login_needed = '''notify-send \"log in again\" $HOME \"\" '''").on_login_needed == words
        assert read(file='on_renewed = ""\non_login_needed = []') == read(file="")


class TestFile:
    def test_it_is_optional(self, tmp_path: Path) -> None:
        """Neither config.toml nor its directory needs to exist."""
        assert read_settings({}, {}, tmp_path / "nowhere").profile == "default"
        (tmp_path / "file").touch()
        assert read_settings({}, {}, tmp_path / "file").profile == "default"

    @pytest.mark.parametrize(
        ("text", "says"),
        [
            ("profile = ", "is not TOML"),
            ("profile = default", "is not TOML"),
            ("profile = 'a'\nprofile = 'b'", "is not TOML"),
            ("x = " + "[" * 5000, "is not TOML"),
            ("profil = 'a'", "“profil”, which is not a setting"),
            ("'\x1b[2J' = 'a'", "is not TOML"),
            (r'"\u001b]0;x\u0007" = "a"', r"\x1b\]0;x\x07".replace("\\x", r"\\x")),
            ("[profile]\nname = 'a'", "“profile” in .* is not a string"),
            ("profile = 5", "“profile” in .* is not a string"),
            ("scopes = [['a']]", "“scopes” in .*cannot be a scope"),
            ("scopes = []", "“scopes” in .* names no scope"),
            ("profile = '../x'", "“profile” in .* is “../x”"),
            ("client_id = 'a b'", "“client_id” in .* is not a valid client id"),
            ("on_renewed = 'notify-send \"done'", "“on_renewed” in .* a quote in it is not closed"),
            ("on_login_needed = ['echo', 1]", "“on_login_needed” in .* has a word that is not a string"),
            ("on_login_needed = true", "“on_login_needed” in .* is not a string"),
            ("browser = 'firefox'", "which is not a setting"),
            ("api_url = 'https://evil.example'", "which is not a setting"),
        ],
    )
    def test_a_mistake_is_named_with_its_place(self, read: Read, tmp_path: Path, text: str, says: str) -> None:
        """Statement 35: exit code 2, the file's name and the mistake, escaped."""
        with pytest.raises(ConfigurationError, match=says) as wrong:
            read(file=text)
        assert str(tmp_path / "config.toml") in str(wrong.value)
        assert wrong.value.exit_code == 2
        assert wrong.value.hint
        assert (str(wrong.value) + wrong.value.hint).isprintable()

    def test_it_must_be_utf_8(self, read: Read, tmp_path: Path) -> None:
        """Another encoding is not guessed."""
        (tmp_path / "config.toml").write_bytes(b"profile = '\xe4'")
        with pytest.raises(ConfigurationError, match="is not TOML"):
            read()

    def test_it_must_be_readable(self, read: Read, tmp_path: Path) -> None:
        """A directory in its place is an error, not an empty file."""
        (tmp_path / "config.toml").mkdir()
        with pytest.raises(ConfigurationError, match="cannot read"):
            read()

    @pytest.mark.parametrize("name", ["client_secret", "CLIENT_SECRET", "withings_client_secret", "secret"])
    def test_a_secret_in_it_is_refused(self, read: Read, canaries: Canaries, name: str) -> None:
        """Statement 24: config.toml must not hold a secret, and the error does not repeat it."""
        secret = canaries.plant("client secret")
        with pytest.raises(ConfigurationError, match="must not hold a secret: remove") as refused:
            read(file=f'{name} = "{secret}"')
        assert secret not in str(refused.value) + refused.value.hint

    def test_the_command_line_reads_it(self, cli: Cli) -> None:
        """It is read from the user's configuration directory."""
        config_directory().mkdir(parents=True)
        (config_directory() / "config.toml").write_text(f'store = "file:{Path.home() / "s"}"\nprofile = "Me"')
        ran = cli("token")
        assert (ran.returncode, ran.stdout) == (3, "")
        assert "nobody is logged in as profile me" in ran.stderr


class TestVariables:
    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("WITHINGS_CLIENT_ID", "a/b"),
            ("WITHINGS_CLIENT_ID", "\x1b[2J\u202e"),
            ("WITHINGS_CLIENT_ID", "\udcff"),
            ("WITHINGS_SCOPES", "user info"),
            ("WITHINGS_SCOPES", ","),
            ("WITHINGS_AUTH_PROFILE", "../../etc"),
            ("WITHINGS_AUTH_PROFILE", "x" * 10_000),
            ("WITHINGS_AUTH_API_URL", "http://withings.net"),
            ("WITHINGS_AUTH_API_URL", "https://withings.net/?x"),
            ("WITHINGS_AUTH_API_URL", "withings.net"),
            ("WITHINGS_AUTH_AUTHORIZE_URL", "javascript:alert(1)"),
            ("WITHINGS_AUTH_AUTHORIZE_URL", "http://withings.net\x07"),
        ],
    )
    def test_an_invalid_one_is_named(self, read: Read, variable: str, value: str) -> None:
        """Statements 35, 37, 38: exit code 2, the variable's name, and its value, escaped and shortened."""
        with pytest.raises(ConfigurationError, match=variable) as wrong:
            read(environ={variable: value})
        assert wrong.value.exit_code == 2
        assert str(wrong.value).isprintable()
        assert len(str(wrong.value)) < 200

    @pytest.mark.parametrize("secret", ["0123 4567", "01234567\n", "é01234567"])
    def test_an_invalid_secret_is_not_repeated(self, read: Read, secret: str) -> None:
        """Statement 23: the error names the variable and shows no part of its value."""
        with pytest.raises(ConfigurationError, match="WITHINGS_CLIENT_SECRET") as wrong:
            read(environ={"WITHINGS_CLIENT_SECRET": secret})
        assert "1234567" not in str(wrong.value) + wrong.value.hint

    def test_a_placeholder_is_no_secret(self, read: Read) -> None:
        """A program under `run --as` has one, and may ask for a token itself: the saved secret renews the login."""
        assert read(environ={"WITHINGS_CLIENT_SECRET": CLIENT_SECRET}) == read()

    def test_the_secret_has_no_repr(self, read: Read, canaries: Canaries) -> None:
        """Statement 23: settings can be printed."""
        secret = canaries.plant("client secret")
        settings = read(environ={"WITHINGS_CLIENT_SECRET": secret})
        assert settings.app.client_secret == secret
        assert secret not in f"{settings!r} {settings}"


class TestProfiles:
    @pytest.mark.parametrize("name", ["Home", "HOME", "hOmE"])
    def test_names_are_case_insensitive(self, name: str, read: Read) -> None:
        """Statement 37: two spellings are never one file on some systems and two on others."""
        assert checked_profile(name) == "home"
        assert read({"profile": name}).profile == "home"

    @pytest.mark.parametrize("name", ["", "../x", "a/b", "CON", "nul.txt", "x.next", "X.Next", "-x", "a" * 65, "é"])
    def test_invalid_names_are_refused(self, name: str) -> None:
        """Statement 37: no profile becomes a path, a device, or another record's spare file."""
        with pytest.raises(ConfigurationError, match="is not a valid profile name") as refused:
            checked_profile(name)
        assert refused.value.exit_code == 2


class TestDirectories:
    @pytest.mark.skipif(sys.platform in {"darwin", "win32"}, reason="the platform has its own place")
    def test_xdg_variables_do_not_move_the_keyrings_locks(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Statement 28: a user's desktop, cron jobs and services share the locks, whatever their variables are."""
        monkeypatch.setenv("XDG_STATE_HOME", str(home / "another"))
        assert state_directory() == home / ".local" / "state" / "withings-auth"

    @pytest.mark.skipif(platform.system() != "Linux", reason="only Linux uses XDG directories")
    def test_config_toml_follows_the_platform(self, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """On Linux it is below XDG_CONFIG_HOME."""
        assert config_directory() == Path(os.environ["XDG_CONFIG_HOME"]) / "withings-auth"
        monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "another"))
        assert config_directory() == home / "another" / "withings-auth"


class TestStore:
    def test_the_keyring_is_the_default_and_opening_it_touches_nothing(self, home: Path) -> None:
        """Opening a store neither calls the keyring nor creates a directory."""
        before = sorted(home.rglob("*"))
        assert open_store().description == "the keyring"
        assert open_store(f"file:{home}/secrets").description == f"files in {home}/secrets"
        assert sorted(home.rglob("*")) == before

    def test_the_store_that_is_set_is_opened(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """`open_store()` obeys WITHINGS_AUTH_STORE, and a name as its argument comes first."""
        monkeypatch.setenv("WITHINGS_AUTH_STORE", "file:~/secrets")
        assert open_store().description == f"files in {Path.home()}/secrets"
        assert open_store("keyring").description == "the keyring"
        monkeypatch.setenv("WITHINGS_AUTH_STORE", "plaintext")
        with pytest.raises(ConfigurationError, match="WITHINGS_AUTH_STORE is “plaintext”, not a store"):
            open_store()
