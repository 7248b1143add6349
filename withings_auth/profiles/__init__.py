"""Status, import, logout and move of stored logins."""
