"""The commands, one module each: its flags, what it does, and what it prints."""
