"""Fixtures of the tests of downloads."""

import pytest

from tests.http_server import Server
from tests.unit.archive_place import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def server(place, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(place.published) as server:
        yield server
