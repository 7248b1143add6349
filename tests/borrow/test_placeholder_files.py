"""The files that programs insist on: placeholders in place of secrets, and everything else as it was."""

from __future__ import annotations

import json
import shutil
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support.canaries import Canaries
from withings_auth.borrow.descriptions import Description
from withings_auth.borrow.placeholder_files import Places, refuse_logins, refuse_unmarked, write_files
from withings_auth.borrow.placeholders import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN
from withings_auth.borrow.preparing import stand_ins
from withings_auth.borrow.templates import Fields
from withings_auth.errors import ConfigurationError, StoreUnavailable
from withings_auth.model import Token
from withings_auth.store.files import make_private_directory

TOKEN = Token(
    access_token="real",
    expires_at=1_800_000_000,
    scopes=("user.info", "user.metrics"),
    userid="38210457",
    client_id="id",
    api_origin="https://wbsapi.withings.net",
)
TOKENS = {"access_token": "{access_token}", "refresh_token": "{refresh_token}"}
FILLED = {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}


@pytest.fixture
def places(home: Path) -> Places:
    """As `withings-auth run --as` finds them for a program with a directory of ours."""
    kept = home / "state" / "programs"
    return Places(directory=kept / "x" / "default", home=home, lock=kept / "x.lock", is_ours=True)


def describe(path: str, fields: Fields = TOKENS) -> Description:
    """A program with one file."""
    return Description(name="x", files={path: fields})


def write(description: Description, places: Places, **more: str) -> None:
    write_files(description, places, {**stand_ins(TOKEN, places), **more})


def content(path: Path) -> Any:
    return json.loads(path.read_text())


class TestWhatIsWritten:
    def test_placeholders_and_what_is_no_secret(self, places: Places) -> None:
        """The time is a number, and objects and lists within objects are filled in too."""
        fields = {
            "body": TOKENS,
            "all": [TOKENS, "{userid}", ["{expires_at}"]],
            "secret": "{client_secret}",
            "who": "{client_id} {userid} {scope}",
            "until": "{expires_at}",
            "said": "{expires_at}!",
            "kind": 2,
        }
        write(describe("{directory}/a/b.json", fields), places)
        assert content(places.directory / "a" / "b.json") == {
            "body": FILLED,
            "all": [FILLED, "38210457", [1_800_000_000]],
            "secret": CLIENT_SECRET,
            "who": "id 38210457 user.info,user.metrics",
            "until": 1_800_000_000,
            "said": "1800000000!",
            "kind": 2,
        }

    def test_nobody_else_can_read_it(self, places: Places) -> None:
        """The file and each directory that was made for it."""
        write(describe("{directory}/a/b.json"), places)
        made = [places.directory.parent.parent, places.directory, places.directory / "a"]
        assert [stat.S_IMODE(path.stat().st_mode) for path in made] == [0o700] * 3
        assert stat.S_IMODE((places.directory / "a" / "b.json").stat().st_mode) == 0o600

    def test_a_relative_path_begins_in_the_working_directory(
        self, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        write(describe("tokens.json"), places)
        assert content(tmp_path / "tokens.json") == FILLED

    def test_what_is_nested_too_deeply_is_refused(self, places: Places) -> None:
        """By the parser or by us, which depends on Python's version."""
        places.directory.mkdir(parents=True)
        text = '{"refresh_token": "", "a": ' * 3000 + "1" + "}" * 3000
        (places.directory / "tokens.json").write_text(text)
        with pytest.raises(ConfigurationError, match=r"is nested too deeply|is not a file of this program"):
            refuse_logins(describe("{directory}/tokens.json"), places)

    def test_a_working_directory_that_is_gone_is_named(
        self, places: Places, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """It would look as if the program were not found."""
        (tmp_path / "gone").mkdir()
        monkeypatch.chdir(tmp_path / "gone")
        (tmp_path / "gone").rmdir()
        with pytest.raises(ConfigurationError, match="working directory"):
            refuse_logins(describe("tokens.json"), places)

    def test_a_link_stays_a_link(self, places: Places) -> None:
        """As in a home whose settings are kept elsewhere."""
        (places.home / "link.json").symlink_to("target.json")
        write(describe("{home}/link.json"), places)
        assert (places.home / "link.json").is_symlink()
        assert content(places.home / "target.json") == FILLED


class TestWhatStays:
    def test_what_the_program_keeps_in_the_file(self, places: Places) -> None:
        """The time of the last call, say; our own fields are brought up to date."""
        path = places.home / "tokens.json"
        path.write_text(json.dumps({**FILLED, "userid": "1", "last_sync": 7, "more": {"a": [1]}}))
        write(describe("{home}/tokens.json", {**TOKENS, "userid": "{userid}"}), places)
        assert content(path) == {**FILLED, "userid": "38210457", "last_sync": 7, "more": {"a": [1]}}

    def test_a_file_that_needs_no_change_is_not_written(self, places: Places) -> None:
        """Another run of the program may be about to write to it. Programs write the userid as a number."""
        path = places.home / "tokens.json"
        path.write_text(json.dumps({"last_sync": 7, **FILLED, "userid": 38210457}))
        before = path.stat()
        write(describe("{home}/tokens.json", {**TOKENS, "userid": "{userid}"}), places)
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    @pytest.mark.parametrize("others", [{}, TOKENS])
    def test_the_app_that_the_user_has_put_in(self, places: Places, others: Fields) -> None:
        """A client secret is no login, but it may be the only copy."""
        path = places.home / "app.json"
        path.write_text('{"client_id": "own", "client_secret": "own", "access_token": null}')
        app = {"client_id": "{client_id}", "client_secret": "{client_secret}"}
        write(describe("{home}/app.json", {**app, **others}), places)
        assert content(path) == {"client_id": "own", "client_secret": "own", "access_token": None} | (
            FILLED if others else {}
        )

    def test_an_empty_file_is_as_good_as_none(self, places: Places) -> None:
        """That is what a program leaves that is killed while it writes."""
        (places.home / "tokens.json").write_text("\n")
        write(describe("{home}/tokens.json"), places)
        assert content(places.home / "tokens.json") == FILLED


class TestLoginsOfTheirOwn:
    @pytest.mark.parametrize(
        "login",
        [
            {"access_token": "A", "refresh_token": "B"},
            {"access_token": "A"},
            {"access_token": ACCESS_TOKEN, "refresh_token": "B"},
            {"access_token": None, "refreshToken": "B"},
            {"access_token": None, "body": {"refresh_token": "B"}},
            {"access_token": None, "accounts": [{"refresh_token": "B"}]},
        ],
    )
    def test_a_login_is_never_overwritten(self, places: Places, canaries: Canaries, login: dict[str, Any]) -> None:
        """Statement 52: exit code 2, with the command that imports it, and no other file is written either."""
        path = places.home / "tokens.json"
        secret = canaries.plant("a token")
        path.write_text(json.dumps(login).replace('"A"', f'"{secret}"').replace('"B"', f'"{secret}"'))
        before = path.read_bytes()
        two = Description(name="x", files={"{home}/app.json": {"a": "b"}, "{home}/tokens.json": TOKENS})
        for attempt in (refuse_logins, write):
            with pytest.raises(ConfigurationError, match=r"tokens\.json holds a login of its own") as refused:
                attempt(two, places)
            assert f"withings-auth import --remove {path}" in refused.value.hint
            assert secret not in str(refused.value) + refused.value.hint
        assert path.read_bytes() == before
        assert not (places.home / "app.json").exists()

    def test_nor_is_one_in_our_own_directory(self, places: Places) -> None:
        """A user may have put it there."""
        make_private_directory(places.directory)
        (places.directory / "tokens.json").write_text('{"refresh_token": "real"}')
        with pytest.raises(ConfigurationError, match="holds a login of its own"):
            refuse_logins(describe("{directory}/tokens.json"), places)

    @pytest.mark.parametrize("text", ["not JSON", "[]", "{", '{"profiles": {}}', "\x00\xff"])
    def test_nor_is_a_file_of_another_kind(self, places: Places, text: str) -> None:
        """Programs share names of directories: two are called withings-cli."""
        path = places.home / "tokens.json"
        path.write_text(text)
        with pytest.raises(ConfigurationError, match="is not a file of this program's"):
            write(describe("{home}/tokens.json"), places)
        assert path.read_text() == text

    def test_nor_is_one_that_cannot_be_read(self, places: Places) -> None:
        (places.home / "tokens.json").mkdir()
        with pytest.raises(ConfigurationError, match="cannot be read: it is not a regular file"):
            write(describe("{home}/tokens.json"), places)

    def test_an_access_token_that_a_run_has_left_is_replaced(self, places: Places) -> None:
        """Of `--refresh-file`, if this process was killed: recognised by the refresh token, or by the directory."""
        for path in ("{home}/tokens.json", "{directory}/tokens.json"):
            fields = TOKENS if "home" in path else {"access_token": "{access_token}"}
            write(describe(path, fields), places, access_token="real")
            write(describe(path, fields), places)
            written = Path(path.format(home=places.home, directory=places.directory))
            assert content(written) == ({**FILLED} if fields == TOKENS else {"access_token": ACCESS_TOKEN})

    def test_one_that_could_not_be_recognised_is_never_written(self, places: Places) -> None:
        """The next run would take it for a login of the program's own."""
        alone = {"access_token": "{access_token}"}
        refuse_unmarked(describe("{directory}/tokens.json", alone), places)
        refuse_unmarked(describe("{home}/tokens.json"), places)
        refuse_unmarked(describe("{home}/tokens.json", {"user": "{userid}"}), places)
        for path, where in (
            ("{home}/tokens.json", places),
            ("{directory}/tokens.json", replace(places, is_ours=False)),
        ):
            with pytest.raises(ConfigurationError, match=r"tokens\.json cannot hold a real access token"):
                refuse_unmarked(describe(path, alone), where)


class TestTrouble:
    def test_a_place_that_others_could_have_made_is_refused(self, places: Places) -> None:
        """The program would read what they put there."""
        (places.home / "elsewhere").mkdir()
        make_private_directory(places.directory.parent)
        places.directory.symlink_to(places.home / "elsewhere")
        with pytest.raises(StoreUnavailable, match="is not safe for secrets: it is a symbolic link"):
            write(describe("{directory}/tokens.json"), places)

    def test_a_place_that_cannot_be_written_is_named(self, places: Places) -> None:
        """Exit code 5, for the directory that we keep and for any other."""
        with pytest.raises(StoreUnavailable, match=r"cannot use /proc/sys/nowhere/tokens\.json"):
            write(describe("/proc/sys/nowhere/tokens.json"), places)
        shutil.rmtree(places.home / "state")
        (places.home / "state").write_text("a file")
        with pytest.raises(StoreUnavailable, match=r"cannot use .*/state/programs/x/default"):
            write(describe("{directory}/tokens.json"), places)

    def test_runs_at_once_leave_a_whole_file(self, places: Places) -> None:
        """Each replaces it in one step, with the lock of the program held."""
        description = describe("{directory}/tokens.json", {**TOKENS, "until": "{expires_at}"})
        failures: list[BaseException] = []

        def run(number: int) -> None:
            try:
                for round_ in range(5):
                    write(description, places, expires_at=str(number * 100 + round_))
                    assert content(places.directory / "tokens.json").keys() == {*FILLED, "until"}
            except BaseException as error:  # noqa: BLE001  a thread would only print it
                failures.append(error)

        threads = [threading.Thread(target=run, args=[number]) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failures == []
        assert [path.name for path in places.directory.iterdir()] == ["tokens.json"]
