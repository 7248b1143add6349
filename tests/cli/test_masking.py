"""A service that repeats what it was sent: every command, with everything that it prints searched for secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import pytest

from tests.support.places import Place, Reply, Seen

if TYPE_CHECKING:
    from tests.support.logins import Desk

FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "percent": lambda text: "".join(f"%{ord(char):02X}" for char in text),
    "in part": lambda text: f"{text[:30]}…",
}


class Parrot(Place):
    """A service that answers each request with the secrets in it and, in `status`, what it thinks of them."""

    status = 503

    def __init__(self) -> None:
        super().__init__()
        self.written = FORMS["as it is"]
        self.answer = self.repeat

    def repeat(self, seen: Seen) -> Reply:
        """Repeats every secret so far, as a service with a memory can."""
        forms = [dict(parse_qsl(each.body.decode())) for each in self.seen]
        names = ("client_secret", "refresh_token", "code", "signature")
        told = [form[name] for form in forms for name in names if name in form]
        told.append((seen.authorization or "Bearer ").removeprefix("Bearer "))
        text = " ".join(self.written(secret) for secret in dict.fromkeys(told) if secret)
        body = {"echo": [text], "devices": [{"model": text}]}
        return Reply(body=json.dumps({"status": self.status, "body": body, "error": f"bad {text}"}).encode())


@pytest.fixture
def parrot(desk: Desk) -> Iterator[Parrot]:
    """The service of a login that is saved, and whose access token has expired."""
    with Parrot() as parrot:
        desk.env["WITHINGS_AUTH_API_URL"] = parrot.url
        desk.put_login(age=20_000, token_url=f"{parrot.url}/v2/oauth2")
        yield parrot


@pytest.mark.parametrize("form", FORMS)
def test_a_renewal(desk: Desk, parrot: Parrot, form: str) -> None:
    """Statement 47: secret and refresh token come back in the error; no command prints them."""
    parrot.written = FORMS[form]
    finished = desk.run("token")
    assert finished.returncode != 0
    assert "status 503: bad ***" in finished.stderr
    for secret in desk.sandbox.secrets:
        assert secret[:12] not in finished.stderr


@pytest.mark.usefixtures("parrot")
@pytest.mark.parametrize(
    "command",
    ["doctor", "doctor --json", "status --check", "configure --check", "logout --revoke", "-v token", "run -- true"],
)
def test_a_refusal(desk: Desk, command: str) -> None:
    """Statement 47: in `doctor` too, which people paste into bug reports."""
    finished = desk.run(*command.split())
    assert finished.returncode != 0
    assert "bad ***" in finished.stdout + finished.stderr


@pytest.mark.parametrize("status", [0, 2554])
@pytest.mark.parametrize("raw", [[], ["--raw"]])
def test_a_data_call(desk: Desk, parrot: Parrot, status: int, raw: list[str]) -> None:
    """Statement 47: the access token is masked in an answer as in an error."""
    desk.put_login(token_url=f"{parrot.url}/v2/oauth2")
    parrot.status = status
    finished = desk.run("api", "v2/user", "getdevice", *raw)
    assert finished.returncode == (0 if status == 0 else 1)
    assert "***" in finished.stdout + finished.stderr


def test_a_login(desk: Desk, parrot: Parrot) -> None:
    """Statement 47: so are the code and the client secret, and the signature that is to prove it before the consent."""
    desk.env["WITHINGS_AUTH_AUTHORIZE_URL"] = desk.sandbox.endpoints.authorize_url
    desk.run("logout")
    pending = desk.start()
    pending.allow()
    finished = pending.wait()
    assert finished.returncode != 0
    assert "status 503: bad ***" in finished.stderr
    assert [seen.target for seen in parrot.seen] == ["/v2/signature", "/v2/oauth2"]


@pytest.mark.usefixtures("parrot")
def test_an_import(desk: Desk) -> None:
    """Statement 47: and another tool's refresh token."""
    desk.run("logout")
    pair = desk.sandbox.issue_pair()
    file = desk.directory.parent / "tokens.json"
    file.write_text(json.dumps({"access_token": pair.access_token, "refresh_token": pair.refresh_token}))
    finished = desk.run("import", str(file))
    assert finished.returncode != 0
    assert "status 503: bad ***" in finished.stderr
