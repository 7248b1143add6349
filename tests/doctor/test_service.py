"""What the doctor says about clock, app and login; the sandbox answers, or an answer made by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import replace

import pytest

from tests.support.ports import free_port
from withings_auth.config.settings import Settings, read_settings
from withings_auth.doctor import service
from withings_auth.doctor.results import Result, Verdict, ok, run_check
from withings_auth.doctor.service import Reply
from withings_auth.errors import ConfigurationError
from withings_auth.model import Grant
from withings_auth.profiles.status import LoginStatus
from withings_auth.provider.replies import Answer, AnswerLost, NotSent, Outcome
from withings_auth.sandbox import Sandbox

NOON = 1_800_000_000.0
SUSPECT_HINT = "codes live for 30 seconds"


def dated(date: float | None, *, took: float = 0.2, outcome: Outcome | None = None) -> Reply:
    """A request sent at noon, and an answer with this date."""
    answer = Answer(http_status=200, body=b"{}", date=date)
    return Reply(outcome=outcome or answer, before=NOON, after=NOON + took)


class TestClock:
    @pytest.mark.parametrize(
        ("off", "verdict", "words"),
        [
            (0, Verdict.OK, "agrees with Withings' to the second"),
            (-1, Verdict.OK, "agrees with Withings' to the second"),
            (12, Verdict.OK, "12 s behind Withings'"),
            (-12, Verdict.OK, "12 s ahead of Withings'"),
            (29, Verdict.OK, "29 s behind Withings'"),
            (31, Verdict.WARNING, "31 s behind Withings'"),
            (-240, Verdict.WARNING, "4 min ahead of Withings'"),
            (330, Verdict.FAILED, "6 min behind Withings'"),
            (-86_400, Verdict.FAILED, "24 h ahead of Withings'"),
        ],
    )
    def test_how_far_it_is_wrong(self, off: float, verdict: Verdict, words: str) -> None:
        """More than 30 seconds is a warning, more than five minutes a failure; the remedy says why it matters."""
        result = service.check_clock(dated(NOON + off))
        assert (result.verdict, result.words) == (verdict, words)
        assert (SUSPECT_HINT in result.remedy) == (verdict is not Verdict.OK)

    def test_a_slow_answer_does_not_mean_a_wrong_clock(self) -> None:
        """It may have been dated at any time between request and answer."""
        assert service.check_clock(dated(NOON + 4, took=4.5)).words == "agrees with Withings' to the second"
        assert service.check_clock(dated(NOON, took=4.5)).words == "agrees with Withings' to the second"

    def test_an_answer_without_a_date_is_a_warning(self) -> None:
        assert service.check_clock(dated(None)).verdict is Verdict.WARNING

    @pytest.mark.parametrize("outcome", [NotSent(why="no way"), AnswerLost(why="cut off")])
    def test_no_answer_is_a_failure(self, outcome: Outcome) -> None:
        result = service.check_clock(dated(None, outcome=outcome))
        assert (result.verdict, "HTTPS_PROXY" in result.remedy) == (Verdict.FAILED, True)

    def test_the_date_of_a_real_answer_is_read(self, sandbox: Sandbox) -> None:
        """A refusal has it too; no nonce is spent on it."""
        assert service.check_clock(service.ask(sandbox.url)) == ok("agrees with Withings' to the second")
        sandbox.advance(3600)
        assert service.check_clock(service.ask(sandbox.url)).words == "1 h behind Withings'"
        assert sandbox.counters.nonces == 0

    def test_nobody_listens(self) -> None:
        result = service.check_clock(service.ask(f"http://127.0.0.1:{free_port()}"))
        assert (result.verdict, result.words[:32]) == (Verdict.FAILED, "Withings cannot be reached: Conn")


class TestCredentials:
    def test_right_ones(self, sandbox: Sandbox) -> None:
        result = service.check_credentials(sandbox.client_id, sandbox.client_secret, sandbox.url)
        assert result == ok("Withings accepts this client id with this client secret")
        assert sandbox.counters.nonces == 1

    def test_a_wrong_secret(self, sandbox: Sandbox) -> None:
        with pytest.raises(ConfigurationError, match="does not know this client id with this client secret"):
            service.check_credentials(sandbox.client_id, "wrong", sandbox.url)

    def test_an_outage_is_a_warning(self, sandbox: Sandbox) -> None:
        sandbox.fail_next("html", where="signature")
        result = service.check_credentials(sandbox.client_id, sandbox.client_secret, sandbox.url)
        assert (result.verdict, result.words[:12]) == (Verdict.WARNING, "cannot tell:")

    @pytest.mark.parametrize(("times", "verdict"), [(1, Verdict.OK), (2, Verdict.WARNING)])
    def test_a_request_that_came_too_soon_is_repeated_once(
        self, sandbox: Sandbox, times: int, verdict: Verdict
    ) -> None:
        """A 601 is not a failure."""
        waits: list[float] = []
        sandbox.fail_next("too_many", where="signature", times=times)
        result = service.check_credentials(sandbox.client_id, sandbox.client_secret, sandbox.url, wait=waits.append)
        assert (result.verdict, len(waits)) == (verdict, 1)

    def test_an_app_that_may_not_use_the_service(self) -> None:
        """Whether free apps may is not documented."""

        def refuse(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
            return Answer(http_status=200, body=b'{"status": 2553, "body": {}, "error": "no contract"}')

        result = service.check_credentials("abc", "s3cret", "https://wbsapi.withings.net", send=refuse)
        assert (result.verdict, result.words[:12]) == (Verdict.SKIPPED, "cannot tell:")

    def test_another_refusal_is_a_failure(self) -> None:
        def refuse(_url: str, _form: Mapping[str, str], **_: object) -> Outcome:
            return Answer(http_status=200, body=b'{"status": 2554, "body": {}, "error": "Not implemented"}')

        result = run_check(
            lambda: service.check_credentials("abc", "s3cret", "https://wbsapi.withings.net", send=refuse)
        )
        assert result.verdict is Verdict.FAILED


def status_at(
    now: float = NOON,
    *,
    secret_known: bool = True,
    unknown_until: float | None = None,
    refused_at: float | None = None,
) -> LoginStatus:
    """The status of a login that was renewed at noon."""
    grant = Grant(
        access_token="a" * 40,
        refresh_token="b" * 40,
        obtained_at=int(NOON),
        expires_at=int(NOON) + 10_800,
        scopes=("user.info",),
        userid="38210457",
        client_id="an-app",
        token_url="https://wbsapi.withings.net/v2/oauth2",
    )
    return LoginStatus(
        profile="default",
        grant=grant,
        seen_at=now,
        secret_known=secret_known,
        unknown_until=unknown_until,
        refused_at=refused_at,
    )


def check(status: LoginStatus | None, environ: Mapping[str, str] | None = None, *, offline: bool = False) -> Result:
    """The result of `check_login`, as the checklist gets it."""
    settings: Settings = read_settings({}, environ or {})
    return run_check(lambda: service.check_login(status, settings, offline=offline))


DAY = 86_400


class TestLogin:
    def test_a_good_one(self) -> None:
        until = time.strftime("%Y-%m-%d %H:%M", time.localtime(NOON + 365 * DAY))
        assert check(status_at()) == ok(f"user 38210457, user.info; lasts until {until}")

    def test_nobody_is_logged_in(self) -> None:
        """A fresh machine is not a failure."""
        result = check(None, {"WITHINGS_AUTH_PROFILE": "anna"})
        assert (result.verdict, result.words) == (Verdict.WARNING, "nobody is logged in")
        assert result.remedy == "log in: withings-auth login --profile anna"

    @pytest.mark.parametrize(
        ("status", "verdict", "words", "remedy"),
        [
            (lambda: status_at(NOON + 340 * DAY), Verdict.WARNING, "which is soon", "withings-auth token --renew"),
            (lambda: status_at(NOON + 366 * DAY), Verdict.FAILED, "over a year ago", "withings-auth login"),
            (
                lambda: status_at(NOON + DAY, secret_known=False),
                Verdict.FAILED,
                "no longer saved",
                "withings-auth configure",
            ),
            (lambda: status_at(secret_known=False), Verdict.WARNING, "no longer saved", "withings-auth configure"),
            (lambda: status_at(refused_at=NOON), Verdict.WARNING, "refused to renew it on", "withings-auth import"),
            (lambda: status_at(unknown_until=NOON), Verdict.WARNING, "is unknown", "withings-auth token"),
        ],
    )
    def test_one_that_needs_attention(
        self, status: Callable[[], LoginStatus], verdict: Verdict, words: str, remedy: str
    ) -> None:
        result = check(status())
        assert (result.verdict, words in result.words) == (verdict, True)
        assert remedy in result.remedy

    def test_one_that_has_ended_is_a_failure_if_withings_cannot_be_asked(self) -> None:
        """Statement 49: otherwise the next check asks anew and decides."""
        assert check(status_at(refused_at=NOON), offline=True).verdict is Verdict.FAILED

    def test_one_for_practice_ends_with_its_sandbox(self) -> None:
        """There is nobody left to ask."""
        result = check(replace(status_at(), practice_ended=True))
        assert (result.verdict, result.words) == (
            Verdict.FAILED,
            "user 38210457; it has ended: its sandbox has stopped",
        )

    def test_an_environment_that_names_another_app(self) -> None:
        """Statement 38: a variable that differs is not obeyed, and this is reported."""
        assert check(status_at(), {"WITHINGS_CLIENT_ID": "another-app"}).verdict is Verdict.FAILED
