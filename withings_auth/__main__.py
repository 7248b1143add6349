"""`python -m withings_auth` is the command `withings-auth`."""

from withings_auth.cli import run

if __name__ == "__main__":
    run()
