"""The published withings-api, on a shared login."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

from tests.clients.stories import (
    Story,
    across_a_refusal,
    across_a_renewal_by_another_process,
    across_an_expiry,
    run,
    secrets_in,
)
from tests.conftest import Require
from tests.support.logins import Desk
from withings_auth import Endpoints

pytestmark = [
    pytest.mark.usefixtures("unmeasured"),
    pytest.mark.skipif(sys.version_info >= (3, 14), reason="its pydantic 1 ends with Python 3.13"),
]


@pytest.fixture
def logged_in(logged_in: Desk, monkeypatch: pytest.MonkeyPatch, require: Require) -> Desk:
    """The client talks to the sandbox: the base of its URLs is an attribute of the class."""
    require("withings-api", find_spec("withings_api"), "there is an example for it")
    published = import_module("withings_api").AbstractWithingsApi
    assert Endpoints().api_url == published.URL
    monkeypatch.setattr(published, "URL", logged_in.sandbox.url)
    return logged_in


@pytest.fixture
def withings(logged_in: Desk, capsys: pytest.CaptureFixture[str]) -> Any:
    """The client of the example, which ran unchanged and printed the user's devices."""
    client = run("withings_api_client.py")["withings"]
    assert capsys.readouterr().out.split("\n") == ["Body+", "Steel HR", ""]
    assert logged_in.sandbox.counters.refusals == 0
    return client


def _go_through(story: Story, desk: Desk, withings: Any) -> None:
    for _ in story(desk):
        assert len(withings.measure_get_meas(startdate=None, enddate=None, lastupdate=None).measuregrps) == 100


@pytest.mark.parametrize("story", [across_an_expiry, across_a_renewal_by_another_process, across_a_refusal])
def test_the_recipes_client_goes_on(logged_in: Desk, withings: Any, story: Story) -> None:
    """One client survives an expiry, a renewal by another process and the early end of a token."""
    _go_through(story, logged_in, withings)


def test_it_never_holds_a_secret(logged_in: Desk, withings: Any) -> None:
    """Statement 27: the client has no refresh token, no client secret and, here, not even an access token."""
    _go_through(across_an_expiry, logged_in, withings)
    assert secrets_in(withings, logged_in) == set()
