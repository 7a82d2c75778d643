"""SFTP packets and sessions with many requests in flight."""
