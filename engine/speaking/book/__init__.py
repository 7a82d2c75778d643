"""A book read aloud: sentences that are kept, chapters with their subtitles made of them."""
