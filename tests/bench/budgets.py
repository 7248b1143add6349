"""What is measured, against what, and how many times as much it may be: the rows of the table."""

from __future__ import annotations

from tests.bench.timing import Extent

FULL = Extent(
    rounds=9,
    rounds_of_logins=5,
    calls=500,
    crowds=(16, 64, 256),
    profiles=500,
    awaits=10_000,
    tokens=1_000_000,
)
QUICK = Extent(rounds=1, rounds_of_logins=1, calls=20, crowds=(1, 1, 2), profiles=5, awaits=20, tokens=2000)

BARE = "python -c pass"
BARE_POST = "a Python that posts with aiohttp"
SELECT = "a Python that reads them with psycopg"
# A first login of ours has saved client id and secret by then, which proves that the store can be written to. The
# others have not.
_LOGINS = {"google-auth-oauthlib": 1.2, "httpx-auth": 1.2, "spotipy": 1.2, "withings-mcp": 1.2}
_CROWDS = {"64 at once": 1.5, "16 at once": 1.5, "one alone": 1.5}

BUDGETS: dict[str, dict[str, float]] = {
    "withings-auth token, Secret Service": {
        "keyring get": 0.35,
        "keyring's backend alone": 0.5,
        "jeepney alone": 2.0,
        "secret-tool": 15.0,
    },
    "withings-auth token, elapsed, Secret Service": {"keyring get": 0.35},
    "withings-auth api, Secret Service": {BARE_POST: 2.0},
    "a renewal, withings-auth token, Secret Service": {BARE_POST: 2.0},
    "withings-auth token, files": {BARE: 3.0},
    "import withings_auth": {BARE: 2.5},
    "withings-auth api, files": {BARE_POST: 2.0},
    "a renewal, withings-auth token, files": {BARE_POST: 2.0},
    "a first login to its browser, Secret Service": _LOGINS,
    "a first login to its browser, files": _LOGINS,
    "256 programs at once, Secret Service": _CROWDS,
    "256 programs at once, expired token, Secret Service": _CROWDS,
    "256 programs at once, files": _CROWDS,
    "256 programs at once, expired token, files": _CROWDS,
    "withings-auth list, 500 profiles, Secret Service": {"100 profiles": 10.0},
    "withings-auth list, 500 profiles, files": {"100 profiles": 5.0},
    "withings-auth list, 500 profiles, database": {"100 profiles": 3.0, SELECT: 3.0},
    "a renewal, TokenSource": {"two POSTs with aiohttp and two synced files": 3.0},
    "a renewal, 16 threads": {"one thread": 12.0},
    "a token from memory, TokenSource": {"os.stat": 5.0},
    "a token from memory, AsyncTokenSource": {"TokenSource": 2.0},
    "a token from memory, 10,000 awaits at once": {"10,000 awaits of nothing": 5.0},
    "memory, after a million tokens": {"after a thousand": 1.02},
}
