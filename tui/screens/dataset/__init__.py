"""The Dataset screen: check a folder of recordings, correct transcripts, push it."""
