"""Modal dialogs that ask one thing and close."""
