"""What tests share: where things lie, and small data in the real forms."""

from pathlib import Path

import h5py
import pytest
from softscene.config.labels import read_labels
from softscene.config.reading import read_schema
from softscene.data.annotations import clean, read_published
from softscene.features.store import FeatureParameters

pytest_plugins = ["tests.reliability", "tests.checkout"]
ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
SCHEMA = read_schema(ROOT / "rules" / "schemas" / "config.schema.yaml")
PAPER = read_schema(ROOT / "config.yaml")
FEATURES = FeatureParameters(**PAPER["features"])
AUTHORS_LISTS = SHARED / "data" / "metadata_SEDandASC01"
TUT_LISTS = SHARED / "data" / "tut"


@pytest.fixture(scope="session")
def labels():
    return read_labels(ROOT / "resources" / "labels.yaml")


@pytest.fixture(scope="session")
def authors_lists():
    """The authors' real lists, which may not be committed."""
    if not AUTHORS_LISTS.is_dir():
        pytest.skip(f"needs the authors' annotations in {AUTHORS_LISTS}")
    return AUTHORS_LISTS


@pytest.fixture(scope="session")
def tut_lists():
    """Some of TUT's real lists, which may not be committed."""
    if not TUT_LISTS.is_dir():
        pytest.skip(f"needs TUT's lists in {TUT_LISTS}")
    return TUT_LISTS


@pytest.fixture(scope="session")
def published(authors_lists, labels):
    """The authors' list as the DAG uses it, and its audit."""
    return clean(read_published(authors_lists / "meta" / "meta_development.txt"), labels)


def datasets(path):
    """All datasets of an HDF5 file: name -> array."""
    found = {}
    with h5py.File(path) as store:
        store.visititems(
            lambda name, item: (
                found.update({name: item[:]}) if isinstance(item, h5py.Dataset) else None
            )
        )
    return found
