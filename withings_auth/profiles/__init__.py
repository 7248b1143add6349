"""Status, import and logout of stored logins."""
