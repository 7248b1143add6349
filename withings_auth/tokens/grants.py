"""The grant that a reply with tokens makes; the only place that turns a `TokenReply` into a `Grant`."""

from __future__ import annotations

from dataclasses import replace

from withings_auth.model import App, Grant
from withings_auth.provider.replies import TokenReply


def empty_grant(app: App, token_url: str) -> Grant:
    """Returns what is known about a grant before any reply: the app and the service, but no tokens and no user."""
    return Grant(
        access_token="",
        refresh_token="",
        expires_at=0,
        obtained_at=0,
        scopes=app.scopes,
        userid="",
        client_id=app.client_id,
        token_url=token_url,
    )


def grant_from_reply(reply: TokenReply, known: Grant, *, sent_at: float) -> Grant:
    """Returns the grant that the reply makes; what the reply leaves out is taken from the known grant.

    The access token's life counts from `sent_at`, just before the request was sent, so it never seems too long.
    """
    return replace(
        known,
        access_token=reply.access_token,
        refresh_token=reply.refresh_token or known.refresh_token,
        obtained_at=int(sent_at),
        expires_at=int(sent_at) + reply.life_seconds,
        scopes=known.scopes if reply.scopes is None else reply.scopes,
        userid=reply.userid or known.userid,
    )
