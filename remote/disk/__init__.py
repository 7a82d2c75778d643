"""What lies on a server's disk and on this computer's, and what of it may go."""
