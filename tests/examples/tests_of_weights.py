"""A test of a program with a Withings on your machine: copy it as test_weights.py; it needs requests and pytest."""

import requests

from withings_auth.adapters.requests import BearerAuth
from withings_auth.testing.requests import SandboxAdapter


def fetch_weights(session):  # your program
    return session.post("https://wbsapi.withings.net/measure", data={"action": "getmeas", "meastype": 1}).json()["body"]


def test_the_program_outlives_its_token(withings_sandbox, withings_token_source):
    with requests.Session() as session:
        session.auth = BearerAuth(withings_token_source)
        session.mount("https://wbsapi.withings.net", SandboxAdapter(withings_sandbox))  # sends calls to the sandbox
        withings_sandbox.advance(hours=3)  # or: expire_access_token(), revoke_person(), fail_next("bad_gateway"), …
        assert len(fetch_weights(session)["measuregrps"]) == 100
    assert withings_sandbox.counters.refreshes == 1
