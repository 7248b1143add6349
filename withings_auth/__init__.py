"""Log in to Withings once; every program on the machine gets an access token that works."""

__version__ = "0.1.0"
