"""What a login prints, what it saves, and when it refuses."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.logins import Desk, Switches
from tests.support.remote_store import RemoteStore, Server
from tests.support.visitor import VISITOR, visit
from withings_auth import App, errors, login_sync, open_store
from withings_auth.model import Grant
from withings_auth.sandbox import DEMO_PERSON


def test_the_address_has_a_line_to_itself(desk: Desk) -> None:
    """With --no-browser the authorize URL has a line to itself, easy to copy and to parse; stdout stays empty."""
    login = desk.start()
    assert login.authorize_url.startswith(f"{desk.sandbox.endpoints.authorize_url}?")
    assert " " not in login.authorize_url
    login.allow()
    assert login.wait().stdout == ""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("path", ["", "/", "/cb"])
def test_each_spelling_of_the_redirect_uri_works(make_desk: Callable[..., Desk], host: str, path: str) -> None:
    """The redirect URI is sent exactly as registered, with and without the slash at its end."""
    assert make_desk(host=host, path=path).log_in().returncode == 0


def test_a_busy_port_is_reported_before_the_browser_opens(desk: Desk, home: Path) -> None:
    """Statement 4: exit 1 at once, naming address and port; the browser was not started."""
    opened = home / "opened"
    with socket.socket(socket.AF_INET6) as decoy:
        decoy.bind(("::1", desk.port))
        decoy.listen()
        finished = desk.run("login", BROWSER=f"touch {opened}")
    assert finished.returncode == 1
    assert f"another program listens on [::1]:{desk.port}" in finished.stderr
    assert not opened.exists()


def test_another_person_is_not_saved(desk: Desk) -> None:
    """A profile belongs to one person: another user's login saves nothing, and the error names both and what to do."""
    assert desk.log_in(person=1).returncode == 0
    token = desk.run("token").stdout
    other = desk.start()
    page = other.allow(person=2)
    finished = other.wait()
    first, second = (str(person.userid) for person in desk.sandbox.people[:2])
    assert (page.http_status, finished.returncode) == (409, 1)
    assert "different Withings user" in page.text
    assert f"user {second} signed in, but profile default belongs to user {first}" in finished.stderr
    assert "--replace" in finished.stderr
    assert desk.run("token").stdout == token
    assert desk.log_in("--replace", person=2).returncode == 0
    assert desk.run("token").stdout != token
    assert desk.log_in("--profile", "second", person=1).returncode == 0


def test_a_second_profile_of_the_same_person_is_refused(desk: Desk) -> None:
    """Two profiles of one person and app would end each other's tokens: the second is refused, naming the first."""
    assert desk.log_in("--profile", "first").returncode == 0
    finished = desk.log_in("--profile", "second")
    assert finished.returncode == 1
    assert "already logged in to this app, as profile first" in finished.stderr
    assert (
        "hint: to sign in as somebody else: withings-auth login --profile second --switch-user; or " in finished.stderr
    )
    assert desk.run("token", "--profile", "second").returncode == 3


def test_switch_user_asks_who_you_are(desk: Desk) -> None:
    """The browser is signed out on its way to the consent page, by Withings' own address for that."""
    program = desk.cli.start("login", "--no-browser", "--switch-user", env=desk.env)
    url = program.stderr.line(r"^http\S+")
    assert url.startswith(f"{desk.sandbox.url}/logout?r=http%3A%2F%2F127.0.0.1")
    assert visit(url, person=2).http_status == 200
    assert program.wait().returncode == 0


def test_the_demo_user(desk: Desk) -> None:
    """With --demo the login is that of Withings' demo user."""
    login = desk.start("--demo")
    assert login.authorize_url.endswith("&mode=demo")
    login.allow()
    finished = login.wait()
    assert finished.returncode == 0
    assert f"user {DEMO_PERSON.userid}" in finished.stderr


def test_a_refusal_without_state_is_not_believed(make_desk: Callable[..., Desk]) -> None:
    """Statement 11: any page could send it, so it is counted and reported, and the login goes on."""
    desk = make_desk(switches=Switches(denial="without_state"))
    login = desk.start("--timeout", "15")
    assert login.deny().http_status == 400
    login.program.stderr.expect("Ignored a request without state; still waiting")
    assert login.program.running
    finished = login.wait()
    assert finished.returncode == 1
    assert "1 without state" in finished.stderr


def test_a_logout_during_a_login_takes_nothing_from_it(desk: Desk) -> None:
    """Logging out the app's last login does not take the app away from a pending one."""
    assert desk.log_in("--profile", "first").returncode == 0
    pending = desk.start("--profile", "second")
    assert desk.run("logout", "--profile", "first").returncode == 0
    pending.allow()
    assert pending.wait().returncode == 0
    assert len(list((desk.directory / "app").glob("*.json"))) == 1


def test_the_time_out_explains(desk: Desk) -> None:
    """Statement 15: a login without an answer ends by itself, and says what to do."""
    finished = desk.run("login", "--no-browser", "--timeout", "0.5")
    assert finished.returncode == 1
    for word in (
        "the browser did not come back",
        "redirect_uri_mismatch",
        f"http://localhost:{desk.port}",
        "Invalid clientid",
    ):
        assert word in finished.stderr


def test_the_time_out_names_what_was_ignored(desk: Desk) -> None:
    """Statement 11: the ignored requests are counted by reason, and explained to the user."""
    login = desk.start("--timeout", "15")
    login.send(b"\x16\x03\x01\x02\x00")
    login.get("code=abc&state=another")
    login.get("code=abc&state=another")
    finished = login.wait()
    assert finished.returncode == 1
    assert "2 with the state of another login; 1 in https" in finished.stderr
    assert "forces https on localhost" in finished.stderr
    assert "an old tab answered" in finished.stderr


def test_the_secret_is_asked_for_on_a_terminal(desk: Desk) -> None:
    """What is typed is not shown, but used and saved."""
    env = {**desk.env, "WITHINGS_CLIENT_SECRET": None, "BROWSER": VISITOR}
    program = desk.cli.on_terminal("login", env=env)
    program.screen.expect("Client secret")
    program.type(f"{desk.sandbox.client_secret}\n")
    finished = program.wait()
    assert finished.returncode == 0
    assert desk.sandbox.client_secret not in finished.screen
    desk.env["WITHINGS_CLIENT_SECRET"] = None
    desk.grow_older(10_800)
    assert desk.run("token").returncode == 0


def test_a_second_login_needs_no_environment(desk: Desk) -> None:
    """What the first login saved of the app (id, secret, redirect URI, scopes) is enough for the next."""
    assert desk.log_in("--scope", "user.metrics").returncode == 0
    for name in ("WITHINGS_CLIENT_ID", "WITHINGS_CLIENT_SECRET", "WITHINGS_REDIRECT_URI"):
        desk.env[name] = None
    login = desk.start()
    assert "scope=user.metrics&" in login.authorize_url
    login.allow()
    assert login.wait().returncode == 0


def test_login_sync(desk: Desk, home: Path) -> None:
    """A Python program logs in with one call, even in a notebook, which has a running loop; the saved app will do."""
    told: list[str] = []
    app = App(
        client_id=desk.sandbox.client_id,
        client_secret=desk.sandbox.client_secret,
        redirect_uri=desk.redirect_uri,
    )
    store = open_store(f"file:{home / 'mine'}")

    def log_in(app: App | None = None) -> str:
        token = login_sync(
            app, store=store, endpoints=desk.sandbox.endpoints, browser=VISITOR, tell=told.append, timeout=60
        )
        assert desk.canaries.plant("the access token", token.access_token)
        return token.userid

    async def in_a_notebook() -> str:
        return log_in()

    assert log_in(app) == asyncio.run(in_a_notebook()) == str(desk.sandbox.people[0].userid)
    assert any("Signed in as" in line for line in told)


def test_a_login_is_saved_with_the_time_of_a_store_that_has_a_clock(desk: Desk) -> None:
    """The caller gets the time of this machine, whose clock is an hour behind."""
    server = Server()
    app = App(
        client_id=desk.sandbox.client_id, client_secret=desk.sandbox.client_secret, redirect_uri=desk.redirect_uri
    )
    token = login_sync(
        app,
        store=RemoteStore(server, behind_seconds=3600),
        endpoints=desk.sandbox.endpoints,
        browser=VISITOR,
        tell=lambda _: None,
        timeout=60,
    )
    assert desk.canaries.plant("the access token", token.access_token)
    assert 0 < token.expires_at - time.time() <= 10_800
    assert Grant.from_record(server.records["token/default"]).expires_at == token.expires_at + 3600


def test_a_login_that_may_not_be_saved_has_to_be_repeated(desk: Desk) -> None:
    """Its code works only once: nothing would come of asking again."""
    server = Server()
    store = RemoteStore(server)
    app = App(
        client_id=desk.sandbox.client_id, client_secret=desk.sandbox.client_secret, redirect_uri=desk.redirect_uri
    )

    def lose(_: str) -> None:
        server.away = "token/default" in server.owners

    store.before = lose
    with pytest.raises(errors.LockLost, match="nobody knows whether the login was saved") as lost:
        login_sync(app, store=store, endpoints=desk.sandbox.endpoints, browser=VISITOR, tell=lambda _: None, timeout=60)
    assert lost.value.hint.startswith("log in: withings-auth login; ")
    assert "token/default" not in server.records


def test_login_sync_raises_what_the_command_reports(desk: Desk, home: Path) -> None:
    """The errors of the Python call are those of the command, with hint and exit code."""
    app = App(client_id=desk.sandbox.client_id, client_secret="wrong", redirect_uri=desk.redirect_uri)
    with pytest.raises(errors.ConfigurationError, match="invalid client id/secret") as refused:
        login_sync(
            app,
            store=open_store(f"file:{home / 'mine'}"),
            endpoints=desk.sandbox.endpoints,
            browser=VISITOR,
            tell=lambda _: None,
        )
    assert refused.value.exit_code == 2
    assert refused.value.hint.startswith("the App in this program must have")  # which configure does not change
    assert open_store(f"file:{home / 'mine'}").names() == []


def test_a_failed_login_takes_no_good_secret_away(desk: Desk) -> None:
    """A failed attempt with a wrong secret does not keep the earlier login from being renewed."""
    assert desk.log_in().returncode == 0
    desk.leave_unproved()
    abandoned = desk.start("--timeout", "0.5", WITHINGS_CLIENT_SECRET="wrong")
    assert abandoned.wait().returncode == 1
    refused = desk.start(WITHINGS_CLIENT_SECRET="wrong")
    refused.allow()
    assert refused.wait().returncode == 2
    desk.env["WITHINGS_CLIENT_SECRET"] = None
    assert desk.start().allow().http_status == 200  # with the secret that was saved


def test_a_redirect_uri_that_cannot_work_is_refused_before_the_secret_is_asked_for(desk: Desk) -> None:
    """With the reason, and at once."""
    for redirect_uri in ("http://me@localhost:8000", "http://localhost:99999", "https://me.example/cb"):
        program = desk.cli.on_terminal(
            "login", "--redirect-uri", redirect_uri, env={**desk.env, "WITHINGS_CLIENT_SECRET": None}
        )
        finished = program.wait()
        assert finished.returncode == 2
        assert "cannot work: " in finished.screen
        assert "Client secret" not in finished.screen


def test_the_secret_of_another_client_id_is_not_used(desk: Desk) -> None:
    """A secret in the environment belongs to the client id beside it, not to one from a flag."""
    finished = desk.run("login", "--client-id", "another")
    assert finished.returncode == 2
    assert "the client secret is not set" in finished.stderr


def test_hostile_text_from_withings_is_escaped(desk: Desk) -> None:
    """Statement 35: an error text with terminal sequences reaches the terminal as text."""
    login = desk.start()
    desk.sandbox.fail_next("hostile_text")
    login.allow()
    finished = login.wait()
    assert finished.returncode == 1
    assert all(line.isprintable() for line in finished.stderr.splitlines())
    assert "\\x1b" in finished.stderr


def test_hostile_text_from_the_browser_is_escaped(desk: Desk) -> None:
    """Statement 35: so does an error code in the callback, and the page does not repeat it."""
    login = desk.start()
    reply = login.get(f"error=%1b%5b31mowned%0d%0aforged&state={login.state}")
    finished = login.wait()
    assert (reply.status, finished.returncode) == (403, 1)
    assert "owned" not in reply.body
    assert all(line.isprintable() for line in finished.stderr.splitlines())
    assert "\\x1b[31mowned\\r\\nforged" in finished.stderr
