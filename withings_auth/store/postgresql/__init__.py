"""Secrets in a PostgreSQL database, for several machines that share logins."""
