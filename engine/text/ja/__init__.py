"""Japanese, read through OpenJTalk's full-context labels."""
