"""Requests to Withings and what its answers mean; nothing in this room reads a store."""
