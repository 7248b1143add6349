"""What befalls a login besides its renewal: how it stands, how another tool's becomes ours, how one ends."""
