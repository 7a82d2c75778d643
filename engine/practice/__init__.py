"""A generated practice dataset: twenty sentences spoken by a synthetic voice."""
