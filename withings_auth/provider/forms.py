"""What is sent to Withings, without I/O: the authorize URL, the forms to post, and their signatures."""

from __future__ import annotations

from urllib.parse import urlencode

from withings_auth.model import App, Endpoints, Grant


def authorize_url(endpoints: Endpoints, app: App, *, state: str, demo: bool = False, switch_user: bool = False) -> str:
    """Returns the URL where the user grants the app access.

    It has exactly the documented parameters: scopes joined by commas, the redirect URI character for character. `demo`
    asks for Withings' demo user; `switch_user` signs the browser out first, so that Withings asks who the user is.
    """
    query = {
        "response_type": "code",
        "client_id": app.client_id,
        "state": state,
        "scope": ",".join(app.scopes),
        "redirect_uri": app.redirect_uri,
    }
    if demo:
        query["mode"] = "demo"
    url = f"{endpoints.authorize_url}?{urlencode(query)}"
    return f"{endpoints.logout_url}?{urlencode({'r': url})}" if switch_user else url


def code_form(app: App, code: str) -> dict[str, str]:
    """Returns the form that exchanges an authorization code."""
    return {
        "action": "requesttoken",
        "grant_type": "authorization_code",
        "client_id": app.client_id,
        "client_secret": app.client_secret,
        "code": code,
        "redirect_uri": app.redirect_uri,
    }


def refresh_form(grant: Grant, client_secret: str) -> dict[str, str]:
    """Returns the form that exchanges a refresh token for a new pair."""
    return {
        "action": "requesttoken",
        "grant_type": "refresh_token",
        "client_id": grant.client_id,
        "client_secret": client_secret,
        "refresh_token": grant.refresh_token,
    }


def nonce_form(app: App, timestamp: int) -> dict[str, str]:
    """Returns the signed form that asks for a nonce; `timestamp` is in Unix seconds.

    For the values to sign, here and below, see developer.withings.com, "Sign your requests".
    """
    action = "getnonce"
    return {
        "action": action,
        "client_id": app.client_id,
        "timestamp": str(timestamp),
        "signature": _signature(app, action, app.client_id, str(timestamp)),
    }


def revoke_form(app: App, nonce: str, userid: str) -> dict[str, str]:
    """Returns the form that revokes the app's access to a user's data, signed with a nonce."""
    action = "revoke"
    return {
        "action": action,
        "client_id": app.client_id,
        "nonce": nonce,
        "signature": _signature(app, action, app.client_id, nonce),
        "userid": userid,
    }


def _signature(app: App, *values: str) -> str:
    import hashlib  # here, because a browser that opens would wait for it
    import hmac

    return hmac.new(app.client_secret.encode(), ",".join(values).encode(), hashlib.sha256).hexdigest()
