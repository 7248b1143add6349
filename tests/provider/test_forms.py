"""What is sent to Withings, to the character."""

from __future__ import annotations

from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.provider.replies.answers import app
from withings_auth.model import ALL_SCOPES, Endpoints, Grant
from withings_auth.provider.forms import authorize_url, code_form, refresh_form


class TestAuthorizeUrl:
    def test_it_is_exactly_this(self) -> None:
        """The documented parameters and no other, scopes joined by commas."""
        assert authorize_url(Endpoints(), app(), state="the-state") == (
            "https://account.withings.com/oauth2_user/authorize2"
            "?response_type=code&client_id=0123abcd&state=the-state"
            "&scope=user.info%2Cuser.metrics%2Cuser.activity%2Cuser.sleepevents"
            "&redirect_uri=http%3A%2F%2Flocalhost%3A8000"
        )

    def test_another_service_is_asked_at_its_own_address(self) -> None:
        endpoints = Endpoints(authorize_url="http://127.0.0.1:1234/oauth2_user/authorize2")
        assert authorize_url(endpoints, app(), state="s").startswith("http://127.0.0.1:1234/oauth2_user/authorize2?")

    @pytest.mark.parametrize(
        "redirect_uri",
        [
            "http://localhost:8000",
            "http://localhost:8000/",
            "http://LOCALHOST:8000/Callback",
            "http://localhost:80/",
            "https://example.org:443/a/../b",
            "http://localhost:8000/caf%C3%A9%2f%2F",
            "http://localhost:8000/?next=%2Fhome&a=1+2&b=%2B",
            "http://localhost:8000/?state=mine&redirect_uri=http://evil/#x",
            "http://[::1]:8000/a;b=c,d",
        ],
    )
    def test_the_redirect_uri_arrives_character_for_character(self, redirect_uri: str) -> None:
        """What was registered is text: nothing in it is normalised, and nothing in it becomes a parameter."""
        query = urlsplit(authorize_url(Endpoints(), app(redirect_uri), state="s")).query
        assert parse_qs(query, strict_parsing=True) == {
            "response_type": ["code"],
            "client_id": ["0123abcd"],
            "state": ["s"],
            "scope": [",".join(ALL_SCOPES)],
            "redirect_uri": [redirect_uri],
        }

    @given(st.text(alphabet="!#$%&()*+,-./09:;=?@AZ[]_az~"), st.text(min_size=1, alphabet="aZ0-_~/+=&%#"))
    def test_any_text_comes_back_out(self, rest: str, state: str) -> None:
        redirect_uri = f"http://localhost:8000/{rest}"
        url = authorize_url(Endpoints(), app(redirect_uri), state=state)
        assert url.isascii()
        sent = dict(parse_qsl(urlsplit(url).query, keep_blank_values=True))
        assert (sent["redirect_uri"], sent["state"]) == (redirect_uri, state)


class TestForms:
    def test_the_code_is_exchanged_with_the_redirect_uri_that_was_sent(self) -> None:
        assert code_form(app("http://localhost:8000/a%2Fb?c=d"), "the-code") == {
            "action": "requesttoken",
            "grant_type": "authorization_code",
            "client_id": "0123abcd",
            "client_secret": "the-secret",
            "code": "the-code",
            "redirect_uri": "http://localhost:8000/a%2Fb?c=d",
        }

    def test_a_refresh_names_the_records_app_and_no_redirect_uri(self) -> None:
        grant = Grant(
            access_token="a",
            refresh_token="r",
            expires_at=2,
            obtained_at=1,
            scopes=(),
            userid="1",
            client_id="of-the-record",
            token_url="https://wbsapi.withings.net/v2/oauth2",
        )
        assert refresh_form(grant, "the-secret") == {
            "action": "requesttoken",
            "grant_type": "refresh_token",
            "client_id": "of-the-record",
            "client_secret": "the-secret",
            "refresh_token": "r",
        }
