"""Variables of OpenSSL and of proxies that cannot be obeyed, as a user meets them in each command."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cli.commands.doctor_report import findings
from tests.provider.http.server import PROXIES
from tests.support.places import Place, own_certificate
from tests.support.ports import free_port

if TYPE_CHECKING:
    from tests.support.logins import Desk
    from tests.support.programs import Finished

CERTIFICATES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
UNSET: dict[str, str | None] = {name: None for proxy in PROXIES for name in (proxy, proxy.upper())}
UNSET |= dict.fromkeys((*CERTIFICATES, "WITHINGS_AUTH_API_URL", "WITHINGS_AUTH_AUTHORIZE_URL"))
ELSEWHERE = "https://wbsapi.withings.invalid"


def is_refused_for(variable: str, finished: Finished, remedy: str = "unset") -> bool:
    """Whether the command failed with exit code 2, an error that names the variable, and its remedy."""
    error, hint = finished.stderr.splitlines()[-2:]
    assert "Traceback" not in finished.stderr
    return finished.returncode == 2 and variable in error and "cannot be reached" not in error and remedy in hint


@pytest.fixture
def expired(desk: Desk) -> Desk:
    """A login that every command has to renew."""
    desk.env |= UNSET | {"WITHINGS_AUTH_API_URL": desk.sandbox.url}
    desk.put_login(age=20_000)
    return desk


def at(desk: Desk, api_url: str) -> Desk:
    """The same login, but at another service."""
    desk.put_login(age=20_000, token_url=f"{api_url}/v2/oauth2")
    desk.env["WITHINGS_AUTH_API_URL"] = api_url
    return desk


class TestFiles:
    @pytest.mark.parametrize(
        "command",
        [
            "token",
            "api measure getmeas",
            "status --check",
            "login --no-browser",
            "login --sandbox --no-browser",
            "configure --check",
            "run -- true",
            "sandbox",
        ],
    )
    def test_a_key_log_that_cannot_be_opened(self, expired: Desk, tmp_path: Path, command: str) -> None:
        """Statement 51: with such an SSLKEYLOGFILE `import aiohttp` fails; each command that needs it says why."""
        missing = str(tmp_path / "missing" / "keys.log")
        finished = expired.run(*command.split(), SSLKEYLOGFILE=missing)
        assert is_refused_for(f"SSLKEYLOGFILE names {missing}, which cannot be opened: No such file", finished)

    @pytest.mark.parametrize("variable", ["SSLKEYLOGFILE", "SSL_CERT_FILE"])
    def test_a_proxy_is_not_started_even_for_a_valid_token(self, desk: Desk, tmp_path: Path, variable: str) -> None:
        """Statement 51: not the program is to blame, and none of its files is written."""
        desk.put_login()
        missing = str(tmp_path / "missing" / "file")
        finished = desk.run("run", "--as", "withings-sync", "--", "true", **{variable: missing})
        assert is_refused_for(f"{variable} names {missing}, which cannot be opened: No such file", finished)
        assert not (desk.directory / "programs").exists()

    @pytest.mark.parametrize("command", ["status", "logout", "login --help", "doctor --offline"])
    def test_commands_that_send_nothing_do_not_mind(self, expired: Desk, tmp_path: Path, command: str) -> None:
        finished = expired.run(*command.split(), SSLKEYLOGFILE=str(tmp_path), SSL_CERT_FILE=str(tmp_path / "none"))
        assert (finished.returncode, "SSLKEYLOGFILE names" in finished.stderr) == (0, False), finished.stderr

    def test_a_logout_removes_the_local_copies_before_it_complains(self, expired: Desk, tmp_path: Path) -> None:
        finished = expired.run("logout", "--revoke", SSLKEYLOGFILE=str(tmp_path))
        assert finished.returncode == 2
        assert "was revoked: SSLKEYLOGFILE names" in finished.stderr
        assert not (expired.directory / "token" / "default.json").exists()

    def test_a_program_gets_an_error_of_ours(self, expired: Desk, tmp_path: Path) -> None:
        """Statement 51: no foreign exception escapes from `TokenSource`."""
        script = (
            "from withings_auth import TokenSource, errors\n"
            "try: TokenSource().token()\n"
            "except errors.ConfigurationError as error: print(error)"
        )
        ran = expired.cli.using(sys.executable, "-c")(script, env={**expired.env, "SSLKEYLOGFILE": str(tmp_path)})
        assert ran.stdout == f"SSLKEYLOGFILE names {tmp_path}, which cannot be opened: Is a directory\n", ran.stderr

    def test_a_pipe_as_key_log_does_not_make_it_wait(self, expired: Desk, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        finished = expired.run("token", SSLKEYLOGFILE=str(tmp_path / "pipe"))
        assert is_refused_for("SSLKEYLOGFILE names", finished)

    def test_a_key_log_that_works_is_obeyed(self, expired: Desk, tmp_path: Path) -> None:
        """OpenSSL creates it; an answer without TLS leaves nothing in it."""
        assert expired.run("token", SSLKEYLOGFILE=str(tmp_path / "keys.log")).returncode == 0
        assert (tmp_path / "keys.log").exists()

    def test_certificates_that_are_missing(self, expired: Desk, tmp_path: Path) -> None:
        """Statement 51: OpenSSL says nothing of an SSL_CERT_FILE that is missing, and every certificate looks bad."""
        finished = expired.run("token", SSL_CERT_FILE=str(tmp_path / "ca.pem"))
        assert is_refused_for(f"SSL_CERT_FILE names {tmp_path / 'ca.pem'}, which cannot be opened: No such", finished)


class TestCertificates:
    """A service with a certificate that only a private authority vouches for, as behind a company's proxy."""

    @pytest.fixture
    def bundle(self, tmp_path: Path) -> Path:
        return own_certificate(tmp_path)

    @pytest.fixture
    def private(self, expired: Desk, bundle: Path) -> Iterator[Desk]:
        with Place(host="localhost", certificate=bundle) as place:
            yield at(expired, place.url)

    def test_the_hint_says_how_a_private_authority_is_named(self, private: Desk) -> None:
        finished = private.run("token")
        assert finished.returncode == 4
        assert "certificate is not valid" in finished.stderr
        assert "set SSL_CERT_FILE to a PEM file" in finished.stderr
        clock = findings(private.run("doctor", "--json"))["Clock"]
        assert (clock["verdict"], "set SSL_CERT_FILE to a PEM file" in clock["remedy"]) == ("failed", True)
        assert "HTTPS_PROXY" not in clock["remedy"]

    @pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_a_variable_of_another_program_is_named(self, private: Desk, bundle: Path, variable: str) -> None:
        """Statement 51: it is set on many machines, and not read here."""
        private.env[variable] = str(bundle)
        finished = private.run("token")
        assert is_refused_for(f"does not read {variable}", finished, "set SSL_CERT_FILE to the file")
        clock = findings(private.run("doctor", "--json"))["Clock"]
        assert variable in clock["words"]

    def test_the_remedy_works(self, private: Desk, bundle: Path) -> None:
        finished = private.run("token", SSL_CERT_FILE=str(bundle))
        assert "certificate" not in finished.stderr

    def test_another_authority_than_the_one_in_the_file(self, private: Desk, tmp_path: Path) -> None:
        (tmp_path / "other").mkdir()
        finished = private.run("token", SSL_CERT_FILE=str(own_certificate(tmp_path / "other")))
        assert finished.returncode == 4
        assert "add your network's certificate authority to the file in SSL_CERT_FILE" in finished.stderr


class TestProxies:
    @pytest.mark.parametrize(
        ("variable", "proxy", "why"),
        [
            ("HTTPS_PROXY", "socks5://127.0.0.1:1080", "names a SOCKS proxy, which withings-auth cannot use"),
            ("https_proxy", "http://proxy:port", "is not the address of an HTTP proxy"),
        ],
    )
    def test_one_that_cannot_be_used(self, expired: Desk, variable: str, proxy: str, why: str) -> None:
        """Statement 51: a proxy that cannot work is no outage of Withings."""
        finished = at(expired, ELSEWHERE).run("token", **{variable: proxy})
        assert is_refused_for(f"error: {variable} {why}", finished)

    def test_a_password_in_it_is_not_shown(self, expired: Desk) -> None:
        """It is the password that often makes it malformed."""
        secret = expired.canaries.plant("the proxy's password")
        finished = at(expired, ELSEWHERE).run("token", HTTPS_PROXY=f"http://me:{secret}#?@proxy:3128")
        assert is_refused_for("HTTPS_PROXY", finished, "%XX")

    def test_a_name_that_cannot_be_resolved(self, expired: Desk) -> None:
        """Statement 51: nor is a proxy that does not exist; a machine that cannot tell names the variable too."""
        finished = at(expired, ELSEWHERE).run("token", HTTPS_PROXY="http://proxy.invalid:3128")
        with pytest.raises(socket.gaierror) as caught:
            socket.getaddrinfo("proxy.invalid", 3128)
        if caught.value.errno == socket.EAI_NONAME:
            assert is_refused_for("the name of the proxy in HTTPS_PROXY cannot be resolved", finished)
        else:
            assert finished.returncode == 4
            assert "check the network and the proxy in HTTPS_PROXY" in finished.stderr

    def test_one_that_does_not_answer_may_come_back(self, expired: Desk) -> None:
        finished = at(expired, ELSEWHERE).run("token", HTTPS_PROXY=f"http://127.0.0.1:{free_port()}")
        assert finished.returncode == 4
        assert "the proxy cannot be reached" in finished.stderr
        assert "check the network and the proxy in HTTPS_PROXY" in finished.stderr

    def test_a_login_says_so_before_the_browser_opens(self, expired: Desk) -> None:
        """After the consent the code would be lost."""
        finished = at(expired, ELSEWHERE).run("login", "--no-browser", HTTPS_PROXY="socks5://127.0.0.1:1080")
        assert is_refused_for("HTTPS_PROXY", finished, "http://HOST:PORT")
        assert "https://" not in finished.stderr

    def test_a_login_that_finds_out_later_keeps_the_app(self, expired: Desk) -> None:
        """Whether a proxy exists is seen by the exchange; it does not mean that the client secret is wrong."""
        desk = at(expired, ELSEWHERE)
        desk.run("logout")
        desk.env |= {
            "WITHINGS_AUTH_AUTHORIZE_URL": desk.sandbox.endpoints.authorize_url,
            "HTTPS_PROXY": "http://proxy.invalid:3128",
        }
        finished = desk.log_in()
        assert is_refused_for("HTTPS_PROXY", finished)
        assert list((desk.directory / "app").glob("*.json")) != []

    def test_an_import_keeps_the_app(self, expired: Desk, tmp_path: Path) -> None:
        """Only a refusal by Withings means that client id and secret are worth nothing."""
        (tmp_path / "tokens.json").write_text('{"access_token": "aaaa", "refresh_token": "bbbb"}')
        desk = at(expired, ELSEWHERE)
        desk.run("logout")
        desk.env["HTTPS_PROXY"] = "http://proxy.invalid:3128"
        finished = desk.run("import", str(tmp_path / "tokens.json"))
        assert is_refused_for("HTTPS_PROXY", finished)
        assert list((desk.directory / "app").glob("*.json")) != []

    def test_the_doctor_names_it(self, expired: Desk) -> None:
        """Statement 51: in the line of the first request, with the remedy."""
        found = findings(at(expired, ELSEWHERE).run("doctor", "--json", HTTPS_PROXY="socks5://127.0.0.1:1080"))
        assert found["Clock"]["verdict"] == "failed"
        assert found["Clock"]["words"] == "HTTPS_PROXY names a SOCKS proxy, which withings-auth cannot use"
        assert found["Credentials"]["words"] == "Withings cannot be asked"
        assert found["Clock"]["remedy"].startswith("name an HTTP proxy there, as http://HOST:PORT")
