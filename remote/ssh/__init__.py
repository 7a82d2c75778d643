"""One authenticated connection a server: dialling, keepalive, channels, forwards, retries."""
