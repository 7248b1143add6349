"""requests on the shared login: prints your weights in kg."""

import requests

from withings_auth import TokenSource
from withings_auth.adapters.requests import BearerAuth

session = requests.Session()
session.auth = BearerAuth(TokenSource())
reply = session.post("https://wbsapi.withings.net/measure", data={"action": "getmeas", "meastype": 1}, timeout=30)
print([m["value"] / 10 ** -m["unit"] for group in reply.json()["body"]["measuregrps"] for m in group["measures"]], "kg")
