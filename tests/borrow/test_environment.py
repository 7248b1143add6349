"""The environment of a program behind the proxy."""

from __future__ import annotations

from pathlib import Path

import pytest

from withings_auth.borrow.environment import behind_proxy


def inside(**environment: str) -> dict[str, str]:
    return behind_proxy(environment, port=4711, password="a-password", bundle=Path("/run/authorities.pem"))


def test_the_proxy_and_its_authority_are_named_in_every_variable() -> None:
    environment = inside(PATH="/bin", HTTPS_PROXY="http://proxy.example:3128", SSL_CERT_FILE="/etc/own.pem")
    # OpenSSL with httpx and urllib, requests, curl, Node.js.
    names = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")
    assert {environment[name] for name in names} == {"/run/authorities.pem"}
    assert {environment["HTTPS_PROXY"], environment["https_proxy"]} == {
        "http://withings-auth:a-password@127.0.0.1:4711"
    }
    assert (environment["PATH"], environment["NODE_USE_ENV_PROXY"]) == ("/bin", "1")


def test_secrets_stay_outside() -> None:
    secrets = {"WITHINGS_CLIENT_SECRET", "WITHINGS_ACCESS_TOKEN", "WITHINGS_REFRESH_TOKEN"}
    assert secrets.isdisjoint(inside(**dict.fromkeys(secrets, "a-secret")))


@pytest.mark.parametrize(
    ("exceptions", "left"),
    [
        ("", ""),
        ("localhost,127.0.0.1", "localhost,127.0.0.1"),
        ("*", ""),
        ("localhost, .withings.net ,intranet.example", "localhost,intranet.example"),
        ("wbsapi.withings.net:443", ""),
        ("withings.com,WITHINGSMED.NET", ""),
        ("notwithings.net", "notwithings.net"),
    ],
)
@pytest.mark.parametrize("name", ["NO_PROXY", "no_proxy"])
def test_no_exception_from_proxies_leads_past_this_one(name: str, exceptions: str, left: str) -> None:
    environment = inside(**{name: exceptions})
    assert (environment["NO_PROXY"], environment["no_proxy"]) == (left, left)
