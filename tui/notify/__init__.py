"""Desktop notifications and webhooks that a run has ended."""
