"""`withings-auth api`: one call with the stored login, answered in JSON and with an exit code."""

from __future__ import annotations

import json
import signal

import pytest

from tests.support.logins import Desk
from withings_auth.provider.calls import LARGEST_DATA_BYTES
from withings_auth.provider.http import LARGEST_BODY_BYTES
from withings_auth.sandbox import HOSTILE_TEXT

WEIGHTS = ("measure", "getmeas", "meastype=1")


class TestAnswers:
    def test_the_body_is_printed(self, desk: Desk) -> None:
        """Only the body, without a format version of ours: it is Withings' own."""
        desk.put_login()
        finished = desk.run("api", *WEIGHTS, "startdate=0")
        body = json.loads(finished.stdout)
        assert {measure["type"] for group in body["measuregrps"] for measure in group["measures"]} == {1}
        assert set(body) == {"updatetime", "timezone", "measuregrps", "more", "offset"}
        assert (finished.returncode, finished.stderr) == (0, "")

    def test_data_may_be_larger_than_an_answer_of_the_token_service(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("huge", where="measure", size=2 * LARGEST_BODY_BYTES)
        finished = desk.run("api", *WEIGHTS)
        assert (finished.returncode, len(json.loads(finished.stdout)["padding"])) == (0, 2 * LARGEST_BODY_BYTES)

    @pytest.mark.parametrize("path", ["v2/user", "/v2/user"])
    def test_the_path_may_begin_with_a_slash(self, desk: Desk, path: str) -> None:
        desk.put_login()
        assert len(json.loads(desk.run("api", path, "getdevice").stdout)["devices"]) == 2

    def test_parameters_are_sent_as_they_are(self, desk: Desk) -> None:
        """Empty values, spaces, equals signs and non-ASCII text arrive unchanged."""
        desk.put_login()
        url, comment = "https://me.example/?a=b&c=%20", "Größe = 1,80 m"
        assert desk.run("api", "notify", "subscribe", f"callbackurl={url}", "appli=", f"comment={comment}").stdout == (
            "{}\n"
        )
        profiles = json.loads(desk.run("api", "notify", "list").stdout)["profiles"]
        assert profiles == [{"appli": 1, "callbackurl": url, "comment": comment}]

    @pytest.mark.parametrize(
        "words",
        [
            ("--raw", "measure", "getmeas", "category=2", "meastype=1"),
            ("measure", "getmeas", "--raw", "category=2", "meastype=1"),
            ("measure", "getmeas", "category=2", "--raw", "meastype=1"),
            ("measure", "getmeas", "category=2", "meastype=1", "--raw"),
        ],
    )
    def test_a_flag_may_come_anywhere(self, desk: Desk, words: tuple[str, ...]) -> None:
        desk.put_login()
        whole = json.loads(desk.run("api", *words).stdout)
        assert (whole["status"], len(whole["body"]["measuregrps"])) == (0, 1)

    def test_a_dead_token_is_renewed_once_and_the_call_repeated_once(self, desk: Desk) -> None:
        """Statement 33: Withings says so in HTTP 200; the repeated call does not count as the same request."""
        desk.put_login()
        desk.sandbox.expire_access_token()
        finished = desk.run("api", *WEIGHTS)
        assert (finished.returncode, finished.stderr) == (0, "")
        assert json.loads(finished.stdout)["measuregrps"]
        assert (desk.sandbox.counters.refreshes, desk.sandbox.counters.data_requests) == (1, 2)

    def test_text_from_withings_is_escaped(self, desk: Desk) -> None:
        """Statement 35: control characters, colours and right-to-left text, in the body and in an error."""
        desk.put_login()
        hostile = {"status": 0, "body": {"model": HOSTILE_TEXT, HOSTILE_TEXT: [HOSTILE_TEXT]}}
        desk.sandbox.fail_next("wrong_shape", where="measure", json=hostile)
        finished = desk.run("api", *WEIGHTS)
        assert json.loads(finished.stdout) == hostile["body"]
        desk.sandbox.fail_next("hostile_text", where="user")
        refused = desk.run("api", "v2/user", "getdevice", "--raw")
        assert refused.returncode == 1
        for text in (finished.stdout, refused.stdout, refused.stderr):
            assert text.isascii() or "“" in text
            assert all(char.isprintable() or char == "\n" for char in text)


class TestPages:
    def test_all_pages_are_merged(self, desk: Desk) -> None:
        desk.put_login()
        one_by_one = []
        for offset in (0, 100, 200, 300):
            page = json.loads(desk.run("api", "measure", "getmeas", "startdate=0", f"offset={offset}").stdout)
            one_by_one += page["measuregrps"]
        desk.sandbox.advance(11)  # earlier, the same requests would be refused
        finished = desk.run("api", "measure", "getmeas", "startdate=0", "--paginate")
        body = json.loads(finished.stdout)
        assert body["measuregrps"] == one_by_one
        assert len(one_by_one) > 250
        assert set(body) == {"updatetime", "timezone", "measuregrps"}

    def test_a_token_that_dies_between_pages_is_renewed(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("wrong_shape", where="measure", json={"status": 0, "body": {"more": 1, "offset": 100}})
        desk.sandbox.fail_next("status", where="measure", status=401, error="invalid_token")
        finished = desk.run("api", "measure", "getmeas", "startdate=0", "--paginate")
        assert (finished.returncode, desk.sandbox.counters.refreshes) == (0, 1)
        assert len(json.loads(finished.stdout)["measuregrps"]) > 150

    def test_a_failure_between_pages_prints_nothing(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("wrong_shape", where="measure", json={"status": 0, "body": {"more": 1, "offset": 100}})
        desk.sandbox.fail_next("too_many", where="measure")
        finished = desk.run("api", *WEIGHTS, "--paginate", "--no-wait")
        assert (finished.returncode, finished.stdout) == (4, "")

    def test_pages_without_an_end_are_an_error(self, desk: Desk) -> None:
        desk.put_login()
        again = {"status": 0, "body": {"measuregrps": [], "more": True, "offset": 100}}
        desk.sandbox.fail_next("wrong_shape", where="measure", times=9, json=again)
        finished = desk.run("api", *WEIGHTS, "--paginate")
        assert (finished.returncode, finished.stdout) == (1, "")
        assert "the offset does not grow" in finished.stderr

    def test_a_user_is_told_that_there_are_more_pages(self, desk: Desk) -> None:
        desk.put_login()
        program = desk.cli.on_terminal("api", "measure", "getmeas", "startdate=0", env=desk.env)
        assert program.wait().screen.endswith("There are more pages: --paginate fetches them all.\n")

    def test_nobody_is_told_if_there_are_no_more_pages(self, desk: Desk) -> None:
        desk.put_login()
        program = desk.cli.on_terminal("api", "v2/user", "getdevice", env=desk.env)
        assert program.wait().screen.endswith("\n}\n")

    def test_not_together_with_raw(self, desk: Desk) -> None:
        assert desk.run("api", *WEIGHTS, "--paginate", "--raw").returncode == 2


class TestRefusals:
    @pytest.mark.parametrize(
        ("fault", "details", "code", "message"),
        [
            ("too_many", {"wait_seconds": 13}, 4, "Withings asks to wait 13 s (status 601"),
            ("timeout_status", {}, 4, "Withings is not available (status 522"),
            ("bad_gateway", {}, 4, "Withings is not available (HTTP 502)"),
            ("html", {}, 4, "an HTML page instead of JSON"),
            ("redirect", {}, 4, "a redirect (HTTP 302)"),
            ("lost", {}, 4, "there was no complete answer from Withings"),
            ("huge", {"size": LARGEST_DATA_BYTES}, 1, "Withings' answer makes no sense"),
            ("status", {"status": 503, "error": "Invalid Params: no meastype"}, 1, "status 503: Invalid Params"),
            ("too_many", {"wait_seconds": 300}, 4, "Withings asks to wait 5 min (status 601"),
            ("status", {"status": 214, "error": "Unauthorized"}, 1, "Withings does not allow this call"),
            (
                "status",
                {"status": 214, "error": "insufficient_scope"},
                1,
                "does not have the scope that this call needs",
            ),
            ("status", {"status": 2554, "error": "Not implemented"}, 1, "Withings refused the call (status 2554"),
            ("status", {"status": 9999, "error": "?"}, 1, "an error occurred at Withings (status 9999"),
        ],
    )
    @pytest.mark.parametrize("form", ["", "--raw", "--paginate"])
    def test_each_has_its_message_and_exit_code(
        self, desk: Desk, fault: str, details: dict[str, object], code: int, message: str, form: str
    ) -> None:
        desk.put_login()
        desk.sandbox.fail_next(fault, where="measure", **details)  # type: ignore[arg-type]  # one of the literals
        finished = desk.run("api", *WEIGHTS, *filter(None, [form]))
        assert (finished.returncode, message in finished.stderr, "hint: " in finished.stderr) == (code, True, True)
        if form != "--raw":
            assert finished.stdout == ""

    def test_a_scope_that_was_not_granted(self, desk: Desk) -> None:
        """Withings answers 403, a number of no family, which is no outage: only another login helps."""
        desk.put_login(scopes=["user.info"])
        finished = desk.run("api", *WEIGHTS)
        assert finished.returncode == 1
        assert "does not have the scope that this call needs (status 403: XRequestID: [Not prov" in finished.stderr
        assert "withings-auth status lists the granted scopes; to get more: withings-auth login" in finished.stderr

    def test_raw_prints_the_envelope_of_a_refusal_too(self, desk: Desk) -> None:
        desk.put_login()
        finished = desk.run("api", "measure", "nothing", "--raw")
        assert json.loads(finished.stdout) == {"status": 2554, "body": {}, "error": "Not implemented"}
        assert (finished.returncode, "status 2554: Not implemented" in finished.stderr) == (1, True)

    def test_raw_prints_nothing_without_an_envelope(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("html", where="measure")
        finished = desk.run("api", *WEIGHTS, "--raw")
        assert (finished.returncode, finished.stdout) == (4, "")

    def test_an_unknown_path_is_not_an_outage(self, desk: Desk) -> None:
        desk.put_login()
        finished = desk.run("api", "v2/weather", "get")
        assert (finished.returncode, finished.stdout) == (1, "")
        assert "Withings has no service at this path (HTTP 404)" in finished.stderr

    def test_a_token_that_is_refused_twice_is_an_error(self, desk: Desk) -> None:
        desk.put_login()
        desk.sandbox.fail_next("status", where="measure", times=3, status=401, error="invalid_token")
        finished = desk.run("api", *WEIGHTS)
        assert (finished.returncode, desk.sandbox.counters.refreshes) == (1, 1)
        assert "Withings refuses the access token (status 401" in finished.stderr

    def test_nobody_is_logged_in(self, desk: Desk) -> None:
        finished = desk.run("api", *WEIGHTS)
        assert (finished.returncode, finished.stdout) == (3, "")
        assert "hint: log in: withings-auth login" in finished.stderr

    def test_a_login_that_has_ended(self, desk: Desk) -> None:
        desk.put_login(age=10_800)
        desk.sandbox.kill_refresh_token()
        assert desk.run("api", *WEIGHTS).returncode == 3

    def test_another_service_than_the_logins_is_not_obeyed(self, desk: Desk) -> None:
        """Statements 26 and 38: if a variable differs, exit 2, and nobody gets the token."""
        desk.put_login()
        finished = desk.run("api", *WEIGHTS, WITHINGS_AUTH_API_URL="https://elsewhere.invalid")
        assert (finished.returncode, desk.sandbox.counters.data_requests) == (2, 0)

    @pytest.mark.parametrize(
        "words",
        [
            (),
            ("measure",),
            ("https://wbsapi.withings.net/measure", "getmeas"),
            ("../measure", "getmeas"),
            ("measure?action=getmeas", "getmeas"),
            ("v2/oauth2", "requesttoken"),
            ("measure", "meastype=1"),
            ("measure", "getmeas", "meastype"),
            ("measure", "getmeas", "action=getdevice"),
            ("measure", "getmeas", "--pages"),
            ("measure", "getmeas", "--pages", "meastype=1"),
            ("measure", "getmeas", "--wait", "-1"),
            ("measure", "getmeas", "--wait", "inf"),
            ("measure", "getmeas", "--wait", "meastype=1"),
            ("measure", "getmeas", "--wait", "1", "--no-wait"),
        ],
    )
    def test_wrong_usage_sends_nothing(self, desk: Desk, words: tuple[str, ...]) -> None:
        desk.put_login()
        finished = desk.run("api", *words)
        assert (finished.returncode, finished.stdout, desk.sandbox.counters.data_requests) == (2, "", 0)
        assert "hint: " in finished.stderr

    @pytest.mark.parametrize(
        ("number", "code", "message"), [("SIGINT", 130, "interrupted"), ("SIGTERM", 143, "terminated")]
    )
    def test_a_signal_ends_a_slow_call(self, desk: Desk, number: str, code: int, message: str) -> None:
        """Without waiting for the answer, and quietly."""
        desk.put_login()
        desk.sandbox.fail_next("slow", where="measure", seconds=120.0)
        program = desk.cli.start("api", *WEIGHTS, env={**desk.env, "PYTHONWARNINGS": "default"})
        desk.wait_for(lambda: desk.sandbox.counters.faults == 1)
        program.signal(signal.Signals[number])
        finished = program.wait(seconds=60)
        assert finished.returncode == code
        assert finished.stderr == f"withings-auth: error: {message}\n"

    def test_its_help_has_an_example(self, desk: Desk) -> None:
        assert "withings-auth api measure getmeas meastype=1" in desk.run("api", "--help").stdout
