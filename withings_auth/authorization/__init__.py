"""Logging in: a browser, a one-shot listener on loopback, and checks that accept only this login's answer."""
