"""A finished voice: its selected weights, reference clip and pack."""
