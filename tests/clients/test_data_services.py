"""The published clients understand every data service of the sandbox, by its published transport."""

from __future__ import annotations

import asyncio
import sys
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from importlib.util import find_spec

import pytest
import requests
from aiohttp import ClientSession
from aiowithings import NotificationCategory, SleepDataFields, SleepSummaryDataFields, WithingsClient

from tests.conftest import Require
from withings_auth import AsyncTokenSource, TokenSource
from withings_auth.adapters.requests import BearerAuth
from withings_auth.sandbox import Sandbox
from withings_auth.testing.aiohttp import SandboxConnector
from withings_auth.testing.requests import SandboxAdapter

pytestmark = pytest.mark.usefixtures("unmeasured")

WEEK = timedelta(days=7)


def test_aiowithings(withings_sandbox: Sandbox, withings_async_token_source: AsyncTokenSource) -> None:
    """The client of Home Assistant, unchanged."""
    now = datetime.fromtimestamp(withings_sandbox.now(), UTC)
    today, last_week = now.date(), now.date() - WEEK

    async def main() -> None:
        async with (
            ClientSession(connector=SandboxConnector(withings_sandbox)) as session,
            WithingsClient(session, refresh_token_function=withings_async_token_source.access_token) as withings,
        ):
            assert [device.raw_model for device in await withings.get_devices()] == ["Body+", "Steel HR"]
            assert 50 < ((await withings.get_goals()).weight or 0) < 100
            assert await withings.get_measurement_in_period(now - WEEK, now)
            (yesterday,) = await withings.get_activities_in_period(today - timedelta(1), today - timedelta(1))
            assert (yesterday.steps > 1000, yesterday.average_heart_rate is not None) == (True, True)
            assert await withings.get_activities_since(now - WEEK)
            assert [one.average_heart_rate for one in await withings.get_workouts_since(now - 8 * WEEK)] > [0]
            nights = await withings.get_sleep_summary_in_period(last_week, today, list(SleepSummaryDataFields))
            assert nights[0].sleep_score is not None
            night = nights[0]
            stages = await withings.get_sleep(night.start_date, night.end_date, list(SleepDataFields))
            assert all(stage.heart_rate for stage in stages)
            await withings.subscribe_notification("https://app.example/hook", NotificationCategory.WEIGHT)
            (hook,) = await withings.list_notification_configurations()
            await withings.revoke_notification_configurations(hook.callback_url, hook.notification_category)
            assert await withings.list_notification_configurations(NotificationCategory.WEIGHT) == []

    asyncio.run(main())


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="its pydantic 1 ends with Python 3.13")
def test_withings_api(withings_sandbox: Sandbox, withings_token_source: TokenSource, require: Require) -> None:
    """Its models refuse an answer that lacks a field."""
    require("withings-api", find_spec("withings_api"), "there is an example for it")
    published, common = import_module("withings_api"), import_module("withings_api.common")
    with requests.Session() as session:
        session.auth = BearerAuth(withings_token_source)
        session.mount("https://wbsapi.withings.net", SandboxAdapter(withings_sandbox))

        def request(path: str, params: dict[str, str], method: str = "GET") -> object:
            return session.request(method, f"{withings.URL}/{path}", params=params, timeout=60).json()

        withings = type("WithingsApi", (published.AbstractWithingsApi,), {"_request": staticmethod(request)})()
        now = int(withings_sandbox.now())
        day = datetime.fromtimestamp(now - 86400, UTC).date()
        days = {"startdateymd": day, "enddateymd": day, "lastupdate": None}
        assert withings.user_get_device().devices[0].model == "Body+"
        assert withings.measure_get_activity(**days).activities[0].steps > 1000
        fields = common.GetSleepSummaryField
        nights = withings.sleep_get_summary(fields, now - 7 * 86400, now, lastupdate=None).series
        assert nights[0].data.sleep_score is not None
        dates = {"startdate": nights[0].startdate.int_timestamp, "enddate": nights[0].enddate.int_timestamp}
        assert withings.sleep_get(common.GetSleepField, **dates).series[1].hr
        beat = withings.heart_list(now - 30 * 86400, now).series[0]
        assert withings.heart_get(beat.ecg.signalid).sampling_frequency == 500


def test_legnoh_withings(withings_sandbox: Sandbox, withings_token_source: TokenSource) -> None:
    """It sends without a session of its own, so it is sent to the sandbox by its setting for the address."""
    published = import_module("withings")
    withings = published.WithingsClient(client_id="", client_secret="", redirect_uri="")
    withings.API_BASE_URL = withings_sandbox.url
    token = withings_token_source.access_token()
    withings.set_token(published.OAuth2Token(token, refresh_token="", expires_in=10_800, scope=""))
    now = datetime.fromtimestamp(withings_sandbox.now(), UTC)
    assert withings.get_intraday_activity()["series"]
    assert withings.get_workouts(startdateymd=date(2020, 1, 1), enddateymd=now.date())["series"]
    recording = withings.list_heart_records(startdate=now - 5 * WEEK)["series"][0]
    assert withings.get_heart_signal(recording["ecg"]["signalid"])["signal"]
    assert withings.get_user_goals()["goals"]["steps"] == 10_000
