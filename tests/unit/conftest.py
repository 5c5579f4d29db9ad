"""Fixtures of the tests of downloads, and of trainings."""

import pytest
from softscene.training.runtime import prepare

from tests.http_server import Server
from tests.unit.data.archive_place import Place
from tests.unit.tiny_training import make_clips


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def server(place, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with Server(place.published) as server:
        place.publisher = server.url
        yield server


@pytest.fixture(scope="module")
def one_thread():
    prepare(1, "cpu")


@pytest.fixture(scope="module")
def clips(one_thread):
    return make_clips()
