"""A report does not tell whose machine or account it is; everything else in it is unchanged."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from withings_auth.doctor.redact import Redactor, make_redactor
from withings_auth.doctor.results import Verdict, failed

CLIENT_ID = "1f0e3dad99908345f7439f8ffabdffc4" * 2


@pytest.fixture
def redact() -> Redactor:
    redactor = Redactor()
    redactor.hide_id(CLIENT_ID)
    redactor.hide_id("38210457")
    redactor.hide_id(None)
    redactor.hide_home(Path("/home/anna"))
    redactor.hide_user("anna")
    redactor.hide_host("annas-laptop")
    redactor.hide_host("localhost")
    redactor.hide_host("")
    redactor.hide_host_of("https://Weight.Example.org/back")
    redactor.hide_host_of("http://localhost:8000")
    redactor.hide_host_of("https://wbsapi.withings.net")
    redactor.hide_host_of("no URL")
    return redactor


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/home/anna/store/x", "~/store/x"),
        ("/home/anna", "~"),
        ("chmod 600 “/home/anna”", "chmod 600 “~”"),
        ("/home/annabel/store", "/home/annabel/store"),
        ("/srv/anna/store", "/srv/USER/store"),
        (r"C:\Users\anna\store", r"C:\Users\USER\store"),
        ("anna is a word", "anna is a word"),
        ("on annas-laptop: x", "on HOST: x"),
        ("annas-laptop-2", "annas-laptop-2"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("https://wbsapi.withings.net/x", "https://wbsapi.withings.net/x"),
        ("https://weight.example.org/back and https://Weight.Example.org", "https://HOST/back and https://HOST"),
        ("https://weight.example.org.evil", "https://HOST.evil"),
        (f"client id {CLIENT_ID}.", "client id 1f0e…."),
        (f"cut short: {CLIENT_ID[:30]}…", "cut short: 1f0e……"),
        ("user 38210457, that is", "user 3821…, that is"),
        ("3821045799", "3821045799"),
        ("/store/app/abcdef0123456789.json", "/store/app/abcd….json"),
        (r"\app\abcdef0123456789.lock", r"\app\abcd….lock"),
    ],
)
def test_what_is_hidden_and_what_is_not(redact: Redactor, text: str, shown: str) -> None:
    assert redact(text) == shown


def test_words_and_remedy_of_a_result_are_redacted(redact: Redactor) -> None:
    result = redact.apply("Lock", failed("in /home/anna", "chmod 700 /home/anna"))
    assert (result.name, result.verdict) == ("Lock", Verdict.FAILED)
    assert (result.words, result.remedy) == ("in ~", "chmod 700 ~")


def test_a_secret_is_masked_wherever_it_comes_from(redact: Redactor) -> None:
    """Statement 47: even if the service heard it from another program."""
    redact.hide_secrets("c1ient-s3cret", None)
    assert redact("status 503: C1IENT-S3CRET, %631ient-s3cret") == "status 503: ***, ***"


def test_this_machine_is_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The home directory under either of its names, the user and the machine."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    monkeypatch.setenv("LOGNAME", "somebody")
    redact = make_redactor()
    assert redact(f"{tmp_path}/link/a, {real}/b") == "~/a, ~/b"
    assert redact("/srv/somebody/store") == "/srv/USER/store"
    assert redact(f"at {socket.gethostname()}") == "at HOST"


def test_a_home_that_is_the_root_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container; otherwise every path would begin with `~`."""
    monkeypatch.setenv("HOME", "/")
    assert make_redactor()("/data/store on / itself") == "/data/store on / itself"
