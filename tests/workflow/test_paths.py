"""Paths of a configuration: where the run is, whatever the checkout holds under the same name."""

import shutil
from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from softscene.core.tsv import read_table

from tests.checkout import copy_checkout
from tests.workflow.test_extending import FILES, RATE, SECONDS, write_files

pytestmark = pytest.mark.slow

EVENTS = "results/mine/annotations/events.tsv"
METHOD = "methods: {mtl: {code: methods/focal.py}}\n"


@pytest.fixture
def place(tmp_path):
    """A checkout, and another folder with the data set of docs/extending.md and a method."""
    with copy_checkout(tmp_path / "checkout") as checkout:
        here = tmp_path / "here"
        write_files(here, "mine/annotations.tsv", "mine/labels.yaml", "methods/focal.py")
        (here / "mine.yaml").write_text(FILES["mine.yaml"] + METHOD)
        rng = np.random.default_rng(0)
        for line in FILES["mine/annotations.tsv"].splitlines()[1:]:
            path = here / "mine/audio" / line.split("\t")[0]
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.normal(size=round(RATE * SECONDS)), RATE)

        def snakemake(*args):
            """By its Snakefile, from the other folder."""
            return checkout.snakemake(
                *args, "--snakefile", str(checkout.folder / "Snakefile"),
                config="mine.yaml", cwd=here,
            )  # fmt: skip

        yield SimpleNamespace(checkout=checkout, here=here, snakemake=snakemake)


def put_others_into_the_checkout(place):
    """The same names, with other labels: all is a kettle, and the method is no Python."""
    shutil.copytree(place.here / "mine", place.checkout.folder / "mine")
    listed = place.checkout.folder / "mine/annotations.tsv"
    text = listed.read_text().replace("\tspeech\n", "\tkettle\n").replace("\tcar\n", "\tkettle\n")
    listed.write_text(text)
    (place.checkout.folder / "mine/labels.yaml").write_text("scenes: [nowhere]\nevents: [none]\n")
    (place.checkout.folder / "methods").mkdir()
    (place.checkout.folder / "methods/focal.py").write_text("def broken(:\n")


def test_what_lies_where_the_run_is_is_used(place):
    planned = place.snakemake("-n")
    assert planned.returncode == 0, planned.stdout
    put_others_into_the_checkout(place)
    done = place.snakemake(EVENTS)
    assert done.returncode == 0, done.stdout
    counts = Counter(read_table(place.here / EVENTS).event)
    assert counts == {"car": 4, "kettle": 4, "speech": 8}
    assert not (place.checkout.folder / "results/mine").exists()
    inside = place.checkout.snakemake(
        "-n", "--directory", str(place.here), config=str(place.here / "mine.yaml")
    )
    assert inside.returncode == 0, inside.stdout


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ("mine/labels.yaml", "the label file mine/labels.yaml cannot be read"),
        ("mine/annotations.tsv", "data.own.annotations: there is no file mine/annotations.tsv"),
        ("mine/audio", "data.own.audio: there is no folder mine/audio"),
        ("methods/focal.py", "methods.mtl.code: methods/focal.py cannot be read: No such file"),
    ],
)
def test_the_checkouts_files_never_stand_in_for_what_is_missing(place, lost, said):
    put_others_into_the_checkout(place)
    path = place.here / lost
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    done = place.snakemake("-n")
    assert done.returncode != 0
    assert said in done.stdout


def test_the_workflows_own_labels_are_found_from_anywhere_and_can_be_replaced(place):
    small = (place.checkout.folder / "tests/workflow/config.small.yaml").read_text()
    (place.here / "mine.yaml").write_text(small)
    planned = place.snakemake("-n")
    assert planned.returncode == 0, planned.stdout
    (place.here / "resources").mkdir()
    (place.here / "resources/labels.yaml").write_text("scenes: nothing\n")
    refused = place.snakemake("-n")
    assert refused.returncode != 0
    assert "the label file resources/labels.yaml cannot be used:" in refused.stdout
