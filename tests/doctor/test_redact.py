"""What says whose machine or account it is does not stand in a report; all else stays as it was."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from withings_auth.doctor.findings import Verdict, failed
from withings_auth.doctor.redact import Disguise, disguise_of_this_machine

CLIENT_ID = "1f0e3dad99908345f7439f8ffabdffc4" * 2


@pytest.fixture
def disguise() -> Disguise:
    made = Disguise()
    made.hide_id(CLIENT_ID)
    made.hide_id("38210457")
    made.hide_id(None)
    made.hide_home(Path("/home/anna"))
    made.hide_user("anna")
    made.hide_host("annas-laptop")
    made.hide_host("localhost")
    made.hide_host("")
    made.hide_host_of("https://Weight.Example.org/back")
    made.hide_host_of("http://localhost:8000")
    made.hide_host_of("https://wbsapi.withings.net")
    made.hide_host_of("no URL")
    return made


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
def test_what_is_hidden_and_what_stays(disguise: Disguise, text: str, shown: str) -> None:
    assert disguise(text) == shown


def test_a_finding_is_disguised_in_words_and_remedy(disguise: Disguise) -> None:
    finding = disguise.finding("Lock", failed("in /home/anna", "chmod 700 /home/anna"))
    assert (finding.name, finding.verdict) == ("Lock", Verdict.FAILED)
    assert (finding.words, finding.remedy) == ("in ~", "chmod 700 ~")


def test_this_machine_is_hidden(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Home by either of its names, the user, and the machine's name."""
    real = tmp_path / "real"
    real.mkdir()
    (tmp_path / "link").symlink_to(real)
    monkeypatch.setenv("HOME", str(tmp_path / "link"))
    monkeypatch.setenv("LOGNAME", "somebody")
    disguise = disguise_of_this_machine()
    assert disguise(f"{tmp_path}/link/a, {real}/b") == "~/a, ~/b"
    assert disguise("/srv/somebody/store") == "/srv/USER/store"
    assert disguise(f"at {socket.gethostname()}") == "at HOST"


def test_a_home_that_is_the_root_hides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container: else every path would begin with `~`."""
    monkeypatch.setenv("HOME", "/")
    assert disguise_of_this_machine()("/data/store on / itself") == "/data/store on / itself"
