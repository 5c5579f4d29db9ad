"""What jobs load: nothing that they do not use. Real jobs tell, by tests/benchmark/probe.py."""

import pytest

from tests.benchmark.probed import read_notes

pytestmark = pytest.mark.slow

# Each takes a tenth of a second or more to load.
HEAVY = (
    "PIL",
    "dcase_util",
    "h5py",
    "jinja2",
    "librosa",
    "markdown_it",
    "matplotlib",
    "networkx",
    "numba",
    "pooch",
    "requests",
    "rich",
    "scipy",
    "sklearn",
    "soundfile",
    "sympy",
    "torch",
    "torch._dynamo",
    "torch._inductor",
)
NETWORK = {"h5py", "torch"}
USED = {
    "make_corpus": {"scipy", "soundfile"},
    "download_annotations": {"pooch", "requests", "soundfile"},
    "download_dataset": {"pooch", "requests", "soundfile"},
    "merge_annotations": {"dcase_util", "librosa", "scipy", "soundfile"},
    "audit_annotations": set(),
    "extract_features": {"h5py", "librosa", "numba", "pooch", "scipy", "soundfile"},
    "make_fold": {"h5py"},
    "train_teacher": NETWORK,
    "dump_soft_labels": NETWORK,
    "train_student": NETWORK,
    "predict_student": NETWORK,
    # h5py; of sed_eval and sed_scores_eval the others
    "evaluate_student": {
        "PIL",
        "dcase_util",
        "h5py",
        "librosa",
        "matplotlib",
        "scipy",
        "soundfile",
    },
    "make_table1": {"markdown_it"},
    "make_table3": {"markdown_it"},
    "make_table4": {"markdown_it"},
    "plot_figure3": {"PIL", "markdown_it", "matplotlib"},
    "compare_methods": {"markdown_it", "scipy"},
    "plot_claims": {"PIL", "markdown_it", "matplotlib", "scipy"},
    "plot_table1": {"PIL", "matplotlib"},
    "plot_learning_curves": {"PIL", "matplotlib"},
    "plot_confusion": {"PIL", "matplotlib"},
    "plot_soft_labels": {"PIL", "matplotlib"},
    "make_report": {"PIL", "h5py", "jinja2", "markdown_it", "matplotlib", "scipy", "torch"},
    "export_detector": {"h5py", "markdown_it", "torch"},
}


@pytest.fixture(scope="module")
def notes(on_one_core):
    """Of all jobs of a run."""
    return read_notes(on_one_core)


def test_jobs_load_nothing_heavy_that_they_do_not_use(notes):
    assert {note.rule for note in notes} == set(USED)
    for note in notes:
        assert note.loaded(*HEAVY) == USED[note.rule], note.rule


def test_networks_load_nothing_once_they_compute(notes):
    """What a training loads late, it loads in every job all the same."""
    computing = [note for note in notes if "batch" in note.marks]
    assert {note.rule for note in computing} == {rule for rule in USED if USED[rule] == NETWORK}
    for note in computing:
        assert note.count("end") - note.count("main") < 40, note.rule
