"""The options of a login as its callers see them: keywords with names, types and defaults, for both functions."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any, assert_type

import pytest

from withings_auth import App, Token, login, login_sync
from withings_auth.authorization.options import LoginOptions

APP = App(client_id="an-app", client_secret="a-secret", redirect_uri="http://localhost:8000")


async def call_the_coroutine() -> None:
    """Never called: mypy checks it, and fails if an error that is marked here is none."""
    assert_type(await login(APP), Token)
    assert_type(await login(app=APP, profile="mum", timeout=60, replace=True, tell=print), Token)
    await login(APP, profil="mum")  # type: ignore[call-arg]  # a keyword that does not exist
    await login(APP, timeout="soon")  # type: ignore[arg-type]  # a value of the wrong type
    await login(APP, "mum")  # type: ignore[call-arg]  # all but the app are keywords
    assert_type(await login(), Token)  # with the app that is set, or the only one that is saved


def call_the_blocking_function() -> None:
    """Never called: mypy checks it, and fails if an error that is marked here is none."""
    assert_type(login_sync(APP), Token)
    assert_type(login_sync(app=APP, profile="mum", timeout=60, paste_only=True, show=print), Token)
    login_sync(APP, profil="mum")  # type: ignore[call-arg]  # a keyword that does not exist
    login_sync(APP, store="keyring")  # type: ignore[arg-type]  # a value of the wrong type


if TYPE_CHECKING:
    as_callback: Callable[[App], Coroutine[Any, Any, Token]] = login
    as_blocking_callback: Callable[[App], Token] = login_sync


@pytest.mark.parametrize("function", [login, login_sync])
def test_the_signature_shows_every_option(function: Callable[..., object]) -> None:
    """`help`, notebooks and editors list the options with their defaults, and only `app` is positional."""
    parameters = inspect.signature(function).parameters
    assert list(parameters) == [field.name for field in dataclasses.fields(LoginOptions)]
    assert [name for name, parameter in parameters.items() if parameter.kind is not parameter.KEYWORD_ONLY] == ["app"]
    assert (parameters["profile"].default, parameters["timeout"].default) == (None, 300.0)


def test_one_is_a_coroutine_function_and_the_other_is_not() -> None:
    assert inspect.iscoroutinefunction(login)
    assert not inspect.iscoroutinefunction(login_sync)
    assert (login.__name__, login_sync.__name__) == ("login", "login_sync")


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'profil'"):
        login_sync(APP, profil="mum")  # type: ignore[call-arg]  # that it is refused is the point


def test_the_options_show_no_secret() -> None:
    """Statement 23: neither the client secret nor what is pasted is in their repr."""
    assert "a-secret" not in repr(LoginOptions(APP))
    assert "pasted" not in repr(LoginOptions(APP))
