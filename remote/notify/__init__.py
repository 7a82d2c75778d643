"""Messages to a person from a run: webhooks."""
