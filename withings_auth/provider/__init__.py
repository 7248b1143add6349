"""Asking Withings' API: with a person's access token, or with what an app signs; nothing here reads a store."""
