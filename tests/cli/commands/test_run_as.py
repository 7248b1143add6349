"""`withings-auth run --as` and `run --proxy`: what surrounds the program; the proxy has tests of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

import pytest

from tests.support.logins import Desk
from tests.support.programs import Finished
from withings_auth.borrow.placeholders import ACCESS_TOKEN, CLIENT_SECRET, REFRESH_TOKEN
from withings_auth.validation import PLACEHOLDER_PREFIX

# A program that renews at every start and keeps in its file what it has seen, like most that are published.
SYNC = """
import json, os, pathlib, urllib.parse, urllib.request
def ask(path, **form):
    data = urllib.parse.urlencode(form).encode()
    with urllib.request.urlopen("https://wbsapi.withings.net" + path, data) as reply:
        answer = json.load(reply)
    assert answer["status"] == 0, answer
    return answer["body"]
file = pathlib.Path(os.environ["MY_TOKENS"])
content = json.loads(file.read_text())
content |= ask("/v2/oauth2", action="requesttoken", grant_type="refresh_token", client_id=os.environ["MY_ID"],
               client_secret=os.environ["MY_SECRET"], refresh_token=content["refresh_token"])
groups = ask("/measure", action="getmeas", meastype=1, access_token=content["access_token"])["measuregrps"]
content["runs"] = content.get("runs", 0) + 1
file.write_text(json.dumps(content))
print(len(groups), content["runs"], content["userid"])
"""
# One that obeys no proxy and reads its file for each call.
PAST_THE_PROXY = """
import json, os, pathlib, sys, urllib.request
file = pathlib.Path(os.environ["MY_TOKENS"])
ask = urllib.request.build_opener(urllib.request.ProxyHandler({})).open
for line in sys.stdin:
    token = json.loads(file.read_text())["access_token"]
    form = f"action=getdevice&access_token={token}".encode()
    with ask(os.environ["WITHINGS_AUTH_API_URL"] + "/v2/user", form) as reply:
        print(json.load(reply)["status"], flush=True)
"""
MINE = """
[programs.mine.environment]
MY_TOKENS = "{directory}/tokens.json"
MY_ID = "{client_id}"
MY_SECRET = "{client_secret}"

[programs.mine.files."{directory}/tokens.json"]
access_token = "{access_token}"
refresh_token = "{refresh_token}"
"""


@pytest.fixture
def described(desk: Desk, home: Path) -> Desk:
    """A desk with a login, and a program that is described in config.toml."""
    config = home / ".config" / "withings-auth" / "config.toml"
    config.parent.mkdir(parents=True)
    config.write_text(MINE)
    desk.put_login()
    return desk


def tokens_file(desk: Desk, profile: str = "default") -> Path:
    return desk.directory / "programs" / "mine" / profile / "tokens.json"


def run_mine(desk: Desk, code: str, *flags: str) -> Finished:
    return desk.run("run", *flags, "--as", "mine", "--", sys.executable, "-c", code)


class TestADescribedProgram:
    def test_it_renews_and_remembers_without_a_secret(self, described: Desk) -> None:
        """Two runs with an hour's old login: the real one is not renewed, and the program's file survives."""
        for number in (1, 2):
            finished = run_mine(described, SYNC)
            assert (finished.stdout, finished.stderr) == (f"100 {number} 38210457\n", "")
            described.sandbox.advance(11)
        assert described.sandbox.counters.refreshes == 0
        content = json.loads(tokens_file(described).read_text())
        assert (content["access_token"], content["refresh_token"]) == (ACCESS_TOKEN, REFRESH_TOKEN)
        assert content["runs"] == 2

    def test_its_environment_has_no_secret(self, described: Desk) -> None:
        """Not even that of the environment that it is started with."""
        code = "import json, os; print(json.dumps(dict(os.environ)))"
        environment = json.loads(run_mine(described, code, "--profile", "default").stdout)
        assert environment["MY_SECRET"] == CLIENT_SECRET
        assert environment["WITHINGS_AUTH_PROFILE"] == "default"
        assert "WITHINGS_CLIENT_SECRET" not in environment
        held = set(environment.values())
        assert not held & {*described.sandbox.secrets, described.sandbox.client_secret}

    def test_each_profile_has_a_directory(self, described: Desk) -> None:
        described.put_login("mum", person=2)
        userid = run_mine(described, SYNC, "--profile", "mum").stdout.split()[-1]
        assert userid == str(described.sandbox.people[1].userid)
        assert tokens_file(described, "mum").exists()
        assert not tokens_file(described).exists()

    @pytest.mark.parametrize("age", [None, 10_800])
    def test_without_a_token_it_is_not_started(self, described: Desk, age: int | None) -> None:
        """The exit codes are those of `run`, and so is that of a program that is not found."""
        (described.directory / "token" / "default.json").unlink()
        if age is not None:
            described.put_login(age=age)
            described.sandbox.fail_next("bad_gateway")
        finished = run_mine(described, "print('started')")
        assert (finished.returncode, finished.stdout) == (3 if age is None else 4, "")
        assert not tokens_file(described).exists()

    def test_verbose_shows_each_call_without_a_secret(self, described: Desk) -> None:
        """Statement 23: the sandbox's secrets are watched for."""
        shown = run_mine(described, SYNC, "-v").stderr
        assert "POST https://wbsapi.withings.net/v2/oauth2: answered here, status 0" in shown
        assert "POST https://wbsapi.withings.net/measure: HTTP 200" in shown

    def test_an_ended_login_is_told_beside_what_the_program_says(self, described: Desk) -> None:
        """The program hears it in Withings' words, and its exit code stays its own."""
        described.sandbox.revoke_person()
        finished = run_mine(described, SYNC)
        assert finished.returncode == 1
        assert finished.stderr.count("withings-auth: error: ") == 1
        assert "hint: log in: withings-auth login" in finished.stderr


class TestUsage:
    def test_without_a_name_it_lists_them(self, described: Desk) -> None:
        """Those of config.toml among them."""
        names = [line.split()[0] for line in described.run("run", "--as").stdout.splitlines()]
        assert names == sorted(names)
        assert {"mine", "withings-sync", "withings-mcp"} < set(names)

    @pytest.mark.parametrize(
        ("words", "hint"),
        [
            ("--as mine", "withings-auth run --as mine -- COMMAND …"),
            ("--as -- true", "withings-auth run --as"),
            ("--proxy", "withings-auth run --proxy -- COMMAND …"),
            ("--proxy --refresh-file true", "withings-auth run --as NAME --refresh-file -- COMMAND …"),
            ("--as withings-snyc -- true", "did you mean “withings-sync”?"),
            ("--as bare --refresh-file -- true", "leave out --refresh-file"),
        ],
    )
    def test_a_mistake_has_a_way_out(self, described: Desk, home: Path, words: str, hint: str) -> None:
        with (home / ".config" / "withings-auth" / "config.toml").open("a") as config:
            config.write("[programs.bare]\n")
        finished = described.run("run", *words.split())
        assert (finished.returncode, finished.stdout) == (2, "")
        assert hint in finished.stderr.splitlines()[-1]


def test_any_program_runs_behind_the_proxy(desk: Desk) -> None:
    """With the placeholder where `run` puts the token, which stands for a token however long the program runs."""
    desk.put_login()
    code = """
import json, os, urllib.request
form = f"action=getdevice&access_token={os.environ['WITHINGS_ACCESS_TOKEN']}".encode()
with urllib.request.urlopen("https://wbsapi.withings.net/v2/user", form) as reply:
    print(json.load(reply)["status"], os.environ["WITHINGS_ACCESS_TOKEN"], os.environ["WITHINGS_USERID"])
"""
    finished = desk.run("run", "--proxy", sys.executable, "-c", code)
    assert (finished.stdout, finished.stderr) == (f"0 {ACCESS_TOKEN} 38210457\n", "")
    assert not (desk.directory / "programs").exists()


class TestARefreshedFile:
    """`--refresh-file`: for what talks to Withings past the proxy."""

    def test_it_has_a_token_that_works_until_the_program_ends(self, described: Desk) -> None:
        """Statement 52: one with at least an hour and a half to live, and then the placeholder."""
        grant = described.put_login(age=10_800 - 5_399)
        words = ("--as", "mine", "--refresh-file", "--", sys.executable, "-c", PAST_THE_PROXY)
        program = described.cli.start("run", *words, env=described.env, stdin=True)
        program.type("ask\n")
        program.stdout.line(r"^0$")
        held = tokens_file(described).read_text()
        assert described.sandbox.counters.refreshes == 1
        assert grant.access_token not in held
        assert described.sandbox.live_access_tokens[-1] in held
        program.end_input()
        assert program.wait().returncode == 0
        assert not any(secret in tokens_file(described).read_text() for secret in described.sandbox.secrets)

    def test_what_a_killed_run_left_goes_with_the_next(self, described: Desk) -> None:
        """Statement 52: the access token gives way to the placeholder before the program is started again."""
        words = ("--as", "mine", "--refresh-file", "--", "sh", "-c", "echo $PPID; exec cat")
        program = described.cli.start("run", *words, env=described.env, stdin=True)
        os.kill(int(program.stdout.line(r"^\d+$")), signal.SIGKILL)
        program.end_input()
        program.wait()
        assert any(token in tokens_file(described).read_text() for token in described.sandbox.live_access_tokens)
        assert run_mine(described, "").returncode == 0
        assert json.loads(tokens_file(described).read_text())["access_token"] == ACCESS_TOKEN


def test_its_help_says_what_obeys_no_proxy(desk: Desk) -> None:
    help_text = desk.run("run", "--help").stdout
    assert "Some programs obey no proxy: Node.js before 22.21, and aiohttp unless it is told" in help_text
    assert PLACEHOLDER_PREFIX not in help_text
