"""A text to be read aloud (txt, epub, srt): from a file of any origin to chapters of sentences."""
