"""The dashboard's page as a person starts it."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from web_page import Page, open_page  # noqa: E402


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    process = open_page(tmp_path_factory.mktemp("home"))
    assert process.stdout is not None
    reported = json.loads(process.stdout.readline())
    yield Page(reported["address"], process)
    process.send_signal(signal.SIGINT)
    process.wait(timeout=60)
