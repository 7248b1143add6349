"""A file of shell variables: what is read, what is ignored, and what is refused without showing a value."""

from __future__ import annotations

import pytest

from withings_auth.config.app import PartialApp
from withings_auth.config.envfile import EnvFile, read_env_file
from withings_auth.errors import ConfigurationError


@pytest.mark.parametrize(
    "line",
    [
        "CLIENT_ID=abc",
        "export CLIENT_ID=abc",
        "  export   CLIENT_ID=abc  ",
        "CLIENT_ID='abc'",
        'CLIENT_ID="abc"',
        "CLIENT_ID = abc",
        'CLIENT_ID = "abc"   # mine',
        "CLIENT_ID=abc # mine",
        "CLIENT_ID='abc'; # mine",
        "CLIENT_ID=abc;",
        "\ufeffCLIENT_ID=abc",
        "CLIENT_ID=abc\r",
        "# a comment\n\nCLIENT_ID=abc\n",
        "CONSUMER_KEY=abc",
        "WITHINGS_CLIENT_ID=abc",
        "export WITHINGS_CONSUMER_KEY='abc'",
        "CLIENT_ID=\nCLIENT_ID=abc",
        "source other.sh\nCLIENT_ID=abc\nif true; then",
        "CLIENT_ID=abc\nWITHINGS_CLIENT_ID=abc",
        "CLIENT_IDS=other\nMY_CLIENT_ID=other\nCLIENT_ID=abc\nPATH=$PATH:`pwd`",
    ],
)
def test_every_way_to_write_a_variable_is_read(line: str) -> None:
    """The value is the same however it is written, and other variables are ignored."""
    assert read_env_file(line) == EnvFile(app=PartialApp(client_id="abc"))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("CLIENT_SECRET", "CONSUMER_SECRET"), EnvFile(app=PartialApp(client_secret="v"))),
        (("REDIRECT_URI", "REDIRECT_URL", "CALLBACK_URI", "CALLBACK_URL"), EnvFile(app=PartialApp(redirect_uri="v"))),
        (("SCOPE", "SCOPES"), EnvFile(app=PartialApp(scopes=("v",)))),
        (("STATE",), EnvFile(app=PartialApp(), has_state=True)),
    ],
)
def test_every_name_is_known_with_and_without_its_prefix(names: tuple[str, ...], expected: EnvFile) -> None:
    """The names that scripts and client libraries use, and our own."""
    for name in names:
        assert read_env_file(f"{name}=v") == read_env_file(f"export WITHINGS_{name}='v'") == expected


def test_a_script_may_name_its_variables_in_lower_case() -> None:
    """If it has none in upper case; otherwise the lower ones are its own affair, and often need a shell."""
    app = PartialApp(client_id="abc", client_secret="hush")
    assert read_env_file("client_id=abc\nclient_secret='hush'").app == app
    upper = "CLIENT_ID=abc\nCLIENT_SECRET=hush\n"
    assert read_env_file(f"{upper}client_id=$CLIENT_ID\nclient_secret=other\nstate=$RANDOM").app == app
    assert read_env_file("Client_Id=abc").app == PartialApp()


def test_the_file_of_an_old_script_is_read_completely() -> None:
    """The usual five lines."""
    text = (
        "export CLIENT_ID='abc'\nexport CONSUMER_SECRET='hush#hush'\nexport STATE='withings'\n"
        "export SCOPE='user.info,user.metrics'\nexport REDIRECT_URL='http://localhost:8000'\n"
    )
    app = PartialApp(
        client_id="abc",
        client_secret="hush#hush",
        redirect_uri="http://localhost:8000",
        scopes=("user.info", "user.metrics"),
    )
    assert read_env_file(text) == EnvFile(app=app, has_state=True)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        ("'a$b`c\\d'", "a$b`c\\d"),
        ("a#b", "a#b"),
        ("http://localhost:8000/#x", "http://localhost:8000/#x"),
        ('"two words"', "two words"),
        ("'it is # not a comment'", "it is # not a comment"),
        ("a\u00a0", "a\u00a0"),
        ("'a\x0b\u2028\x85'", "a\x0b\u2028\x85"),
        ("'~a'", "~a"),
        ("a~b", "a~b"),
    ],
)
def test_single_quotes_keep_everything(value: str, meant: str) -> None:
    """And a `#` begins a comment only after a space; other white space than a shell's is part of the value."""
    assert read_env_file(f"CLIENT_SECRET={value}").app.client_secret == meant


@pytest.mark.parametrize(
    "value", ["$OTHER", '"$OTHER"', "`pass withings`", '"$(pass withings)"', r"a\ b", '"a\\"', "~/secret", "a:~"]
)
def test_what_needs_a_shell_is_refused(value: str) -> None:
    """Nothing is run, expanded or misread."""
    with pytest.raises(ConfigurationError, match=r"^line 2 of the file needs a shell"):
        read_env_file(f"# first\nCLIENT_SECRET={value}")


@pytest.mark.parametrize(
    "value",
    [
        "'hush",
        '"hush',
        "hush'",
        "'hush'hush",
        "hush hush",
        "'hush' hush",
        "'hush''hush'",
        "hush X=hush",
        "#hush",
        "'hush'#",
    ],
)
def test_unbalanced_quotes_are_refused(value: str) -> None:
    """Statement 23: the message names the line and never quotes it."""
    with pytest.raises(ConfigurationError, match=r"^line 1 of the file cannot be read") as caught:
        read_env_file(f"CLIENT_SECRET={value}")
    assert "hush" not in f"{caught.value}{caught.value.hint}"


def test_two_values_for_the_same_field_are_refused() -> None:
    """Statement 23: the message names both lines and neither value."""
    with pytest.raises(ConfigurationError, match=r"^lines 1 and 3 of the file give two values for the client secret"):
        read_env_file("CLIENT_SECRET=one\n\nCONSUMER_SECRET=two")


def test_the_secret_has_no_repr() -> None:
    """Statement 23."""
    assert "hush" not in repr(read_env_file("CLIENT_SECRET=hush"))
