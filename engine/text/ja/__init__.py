"""Japanese g2p by OpenJTalk's full-context labels."""
