"""The Slurm that the tests here share."""

import pytest

from tests.cluster.slurm import Cluster, unusable


@pytest.fixture(scope="session")
def cluster(tmp_path_factory):
    """A Slurm of two nodes, n1 with a GPU that is none."""
    if reason := unusable():
        pytest.fail(reason)  # who asks for the cluster's tests is not to think that they passed
    with Cluster(tmp_path_factory.mktemp("slurm")) as cluster:
        yield cluster
