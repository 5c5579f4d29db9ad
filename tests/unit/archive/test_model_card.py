"""The model card says what the run's files say, and shows names unchanged."""

import re

import numpy as np
import pytest
from markdown_it import MarkdownIt
from scipy import stats
from softscene.archive.model_card import write_card
from softscene.core.tsv import read_table

from tests.conftest import ROOT
from tests.unit.archive.made_up import VARIANTS, make_run


@pytest.fixture(scope="module")
def made(tmp_path_factory, labels):
    """The run's folder and its card."""
    folder = tmp_path_factory.mktemp("made")
    run, files = make_run(folder, labels)
    return folder, write_card(run, files)


def shown(card):
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(card)
    return re.sub(r"\s+", " ", re.sub("<[^>]+>", " ", body))


def test_its_scores_and_intervals_are_those_of_the_students(made):
    folder, card = made
    students = sorted((folder / "evaluation" / VARIANTS[1].folder).glob("*/overall.tsv"))
    values = []
    for path in students:
        table = read_table(path)
        row = table[(table.convention == "frame") & (table.threshold == "adaptive")].iloc[0]
        values.append(row.f_score * 100)
    folds = np.array(values).reshape(2, 2)
    spread = np.sqrt(folds.var(axis=1, ddof=1).mean() / 4) * stats.t.ppf(0.975, 2)
    mean = np.mean(values)
    expected = f"{mean:.2f} % | {mean - spread:.2f} % to {mean + spread:.2f} % |"
    assert expected in re.sub(" +", " ", card)


def test_it_says_what_it_knows_on_what_and_on_which_terms(made, labels):
    text = shown(made[1])
    assert "The average of 2 students of Soft *labels* | new, beta = 1, T = 1" in text
    assert "It knows 25 events and no other sound" in text
    for name in labels.events:
        assert name in text
    assert f"It knows 4 scenes: {', '.join(labels.scenes)}." in text
    assert "doi:10.5281/zenodo.45759" in text
    assert "non-commercial" in text
    terms = (ROOT / "resources/data_terms.txt").read_text(encoding="utf-8")
    for line in terms.splitlines():
        assert re.sub(r"^[\d ]+\. ", "", line).strip() in text
    assert "generated" not in text


def test_the_demos_is_said_to_be_of_no_use(tmp_path, labels):
    run, files = make_run(tmp_path, labels, "synthetic")
    text = shown(write_card(run, files))
    assert "These students have never heard a recording." in text
    assert "Sound that the workflow generated. No recording." in text
    assert "zenodo" not in text


def test_of_own_recordings_the_terms_are_the_publishers_to_say(tmp_path, labels):
    run, files = make_run(tmp_path, labels, "own")
    text = shown(write_card(run, files))
    assert "Recordings of those who made this run" in text
    assert "those who publish it must say so" in text
    assert "zenodo" not in text
    assert "non-commercial" not in text
