"""The visitor goes through a login as a user would, and never leaves this machine."""

from __future__ import annotations

import shlex
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.visitor import VISITOR, VisitError, main, visit
from withings_auth.sandbox import PEOPLE

if TYPE_CHECKING:
    from tests.sandbox.servers import Callback, Caller, Elsewhere


class TestAVisit:
    @pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
    def test_allow_ends_at_the_apps_own_page(self, served: Caller, callback: Callback, host: str) -> None:
        last = visit(served.authorize_url(served.register(callback, host)))

        assert last.http_status == 200
        assert last.text == "Back at the app\nreceived & saved"
        assert callback.queries[0].keys() == {"code", "state"}
        assert served.sandbox.counters.consents == 1

    @pytest.mark.parametrize("person", [1, 2])
    def test_the_person_can_be_chosen(self, served: Caller, callback: Callback, person: int) -> None:
        visit(served.authorize_url(served.register(callback)), person=person)

        assert [event.userid for event in served.sandbox.events if event.what == "allow"] == [PEOPLE[person - 1].userid]

    def test_deny_ends_at_the_sandbox(self, served: Caller, callback: Callback) -> None:
        last = visit(served.authorize_url(served.register(callback)), deny=True)

        assert "Access denied" in last.text
        assert callback.queries == []
        assert served.sandbox.counters.denials == 1

    def test_deny_with_an_answer_to_the_app(self, served: Caller, callback: Callback) -> None:
        served.sandbox.switch(denial="with_state")

        visit(served.authorize_url(served.register(callback)), deny=True)

        assert callback.queries == [{"error": ["access_denied"], "state": ["the-state"]}]

    def test_an_unregistered_redirect_uri_ends_on_the_complaint(self, served: Caller) -> None:
        last = visit(served.authorize_url("http://localhost:1"))

        assert last.http_status == 400
        assert "redirect_uri_mismatch" in last.text

    def test_a_page_without_a_form_is_the_last_one(self, served: Caller) -> None:
        assert "Invalid clientid" in visit(served.authorize_url("http://localhost:1", client_id="x")).text

    def test_a_person_that_is_not_on_the_page(self, served: Caller) -> None:
        with pytest.raises(VisitError, match="there is no person 3"):
            visit(served.authorize_url("http://localhost:8000"), person=3)

    def test_the_last_url_has_no_repr(self, served: Caller, callback: Callback) -> None:
        """Statement 23: the last page's URL holds the code."""
        last = visit(served.authorize_url(served.register(callback)))

        assert callback.queries[0]["code"][0] in last.url
        assert callback.queries[0]["code"][0] not in repr(last)


class TestOnThisMachineOnly:
    @pytest.mark.parametrize(
        "url",
        [
            "https://account.withings.com/oauth2_user/authorize2",
            "https://localhost/",
            "http://evil.example/",
            "http://localhost.evil.example/",
            "http://localhost@evil.example/",
            "http://user:password@127.0.0.1/",
            "http://127.0.0.1.evil.example/",
            "http://0x7f000001/",
            "http://192.168.0.1/",
            "file:///etc/passwd",
            "javascript:alert(1)",
            "//127.0.0.1/",
            "",
        ],
    )
    def test_other_urls_are_refused(self, url: str) -> None:
        with pytest.raises(VisitError, match="only opens http URLs on this machine"):
            visit(url)

    def test_a_redirect_to_another_host_is_refused(self, elsewhere: Elsewhere) -> None:
        with pytest.raises(VisitError, match=r"evil\.example"):
            visit(f"{elsewhere.url}/3")
        assert elsewhere.visits == 4

    def test_ten_redirects_and_no_more(self, elsewhere: Elsewhere, served: Caller) -> None:
        elsewhere.target = f"{served.sandbox.url}/"

        assert visit(f"{elsewhere.url}/9").http_status == 200
        with pytest.raises(VisitError, match="more than 10 redirects"):
            visit(f"{elsewhere.url}/10")

    def test_proxy_variables_are_ignored(self, served: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

        assert visit(served.sandbox.url).http_status == 200

    def test_no_answer(self) -> None:
        with pytest.raises(VisitError, match=r"no answer from 127.0.0.1:1 \(URLError\)"):
            visit("http://127.0.0.1:1/?code=canary")

    def test_it_waits_for_a_page_that_is_held_back(self, elsewhere: Elsewhere) -> None:
        threading.Timer(0.05, elsewhere.release.set).start()

        assert "saved" in visit(f"{elsewhere.url}/held").text

    def test_it_does_not_wait_forever(self, elsewhere: Elsewhere) -> None:
        started = time.monotonic()
        with pytest.raises(VisitError, match="no answer"):
            visit(f"{elsewhere.url}/held", timeout=0.1)
        assert time.monotonic() - started < 30


class TestTheCommand:
    def test_it_can_serve_as_a_browser(self, served: Caller, callback: Callback) -> None:
        url = served.authorize_url(served.register(callback))

        done = subprocess.run(
            [*shlex.split(VISITOR), "--person", "2", url],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("HTTP 200\n")
        assert "Back at the app" in done.stdout
        assert served.sandbox.events[0].userid == PEOPLE[1].userid

    def test_a_failed_page_is_exit_1(self, served: Caller, capsys: pytest.CaptureFixture[str]) -> None:
        assert main([served.authorize_url("http://localhost:1")]) == 1
        assert capsys.readouterr().out.startswith("HTTP 400\n")

    def test_deny(self, served: Caller, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["--deny", served.authorize_url("http://localhost:8000")]) == 0
        assert "Access denied" in capsys.readouterr().out

    def test_it_says_why_it_refuses_a_url(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["https://account.withings.com/"]) == 1
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.startswith("visitor: the visitor only opens http URLs on this machine")

    def test_a_page_cannot_control_the_terminal(self, elsewhere: Elsewhere, capsys: pytest.CaptureFixture[str]) -> None:
        """Statement 35: text from outside reaches a terminal only without control characters."""
        elsewhere.release.set()

        main([f"{elsewhere.url}/held"])

        assert capsys.readouterr().out == "HTTP 200\n?[2J saved ?\n"
