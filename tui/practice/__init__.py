"""A server on this computer with a practice dataset, for the demo."""
