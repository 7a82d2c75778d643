"""Every reader of text that comes from a server, a file of the user or the web, as one table.

A target takes bytes and may raise Problem, which is a sentence; anything else is a fault of ours.
"""

from __future__ import annotations

from file_readers import FILE_PARSERS
from provider_answers import ANSWERS, read_with
from reading import Parser
from server_readers import SERVER_PARSERS
from speech_requests import SAMPLES, read_requests

PARSERS = (
    *SERVER_PARSERS,
    *FILE_PARSERS,
    *(
        Parser(f"{account.name} answers", samples, read_with(account))
        for account, samples in ANSWERS
    ),
    Parser("speech requests", SAMPLES, read_requests),
)
