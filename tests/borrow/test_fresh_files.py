"""A real access token in a program's file, as long as the program runs and no longer."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from tests.borrow.test_placeholder_files import TOKEN, describe
from withings_auth.borrow.fresh_files import fresh_files
from withings_auth.borrow.placeholder_files import Places
from withings_auth.borrow.placeholders import ACCESS_TOKEN, REFRESH_TOKEN
from withings_auth.errors import LoginRequired, ProviderUnavailable, WithingsAuthError
from withings_auth.model import Token


class Login:
    """A login that the test renews or takes away, and that says when it has been asked."""

    def __init__(self) -> None:
        self.answers: list[Token | WithingsAuthError] = [TOKEN]
        self._asked = threading.Condition()
        self._times = 0

    def token(self) -> Token:
        with self._asked:
            self._times += 1
            self._asked.notify_all()
            answer = self.answers[-1]
        if isinstance(answer, WithingsAuthError):
            raise answer
        return answer

    def wait(self) -> None:
        """Returns when the last answer has been dealt with: once it is asked for the second time."""
        with self._asked:
            until = self._times + 2
            assert self._asked.wait_for(lambda: self._times >= until, timeout=60)


@pytest.fixture
def places(home: Path) -> Places:
    kept = home / "programs"
    return Places(directory=kept / "x" / "default", home=home, lock=kept / "x.lock", is_ours=True)


def refuse(error: WithingsAuthError) -> None:
    raise AssertionError(error)


def written(places: Places) -> dict[str, str]:
    content: dict[str, str] = json.loads((places.home / "tokens.json").read_text())
    return content


def test_the_token_is_real_and_kept_fresh(places: Places) -> None:
    """Without a refresh token that could be spent; what the program writes over is put back."""
    login = Login()
    description = describe("{home}/tokens.json")
    with fresh_files(description, places, login.token, refuse, look_seconds=0.001):
        assert written(places) == {"access_token": "real", "refresh_token": REFRESH_TOKEN}
        login.answers.append(replace(TOKEN, access_token="newer"))
        login.wait()
        assert written(places) == {"access_token": "newer", "refresh_token": REFRESH_TOKEN}
    assert written(places) == {"access_token": ACCESS_TOKEN, "refresh_token": REFRESH_TOKEN}


def test_it_goes_whatever_ends_the_program(places: Places) -> None:
    with (
        pytest.raises(KeyboardInterrupt),
        fresh_files(describe("{home}/tokens.json"), places, Login().token, refuse),
    ):
        raise KeyboardInterrupt
    assert written(places)["access_token"] == ACCESS_TOKEN


def test_trouble_is_told_once_and_does_not_end_it(places: Places) -> None:
    """The token that is there may still work."""
    login = Login()
    told: list[WithingsAuthError] = []
    with fresh_files(describe("{home}/tokens.json"), places, login.token, told.append, look_seconds=0.001):
        first, second = ProviderUnavailable("down"), LoginRequired("ended")
        for answer in (first, second, replace(TOKEN, access_token="newer"), second):
            login.answers.append(answer)
            login.wait()
            assert written(places)["access_token"] == ("real" if len(login.answers) < 4 else "newer")
    assert told == [first, second, second]


def test_without_a_token_nothing_is_written(places: Places) -> None:
    login = Login()
    login.answers.append(LoginRequired("nobody is logged in"))
    with pytest.raises(LoginRequired), fresh_files(describe("{home}/tokens.json"), places, login.token, refuse):
        pass
    assert not (places.home / "tokens.json").exists()
