"""Speaking on a server: sessions, takes, auditions, HTTP endpoints."""
