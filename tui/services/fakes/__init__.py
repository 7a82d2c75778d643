"""The services on made-up servers, for tests and for looking around. Not part of the wheel."""
