"""A practice dataset made on the spot: twenty sentences spoken by a synthetic voice."""
