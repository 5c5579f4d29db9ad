"""Our reading of the paper's metrics, checked on the tables that it printed."""

import numpy as np
import pandas as pd
import pytest
from softscene.data.annotations import clean, read_published
from softscene.features.activity import recording_activity

from tests.conftest import ROOT, SHARED

RESOURCES = ROOT / "resources"
KEYS = ["method", "alpha", "beta", "temperature"]


def micro_f_score(event_f_scores, event_error_rates):
    """Table 4's definitions, solved for the micro F-score.

    With N reference frames in all, an event's error rate is (FP + FN) / N, and its F-score
    2 TP / (2 TP + FP + FN), so TP / N = ER F / (2 (1 - F)).
    """
    hits = event_error_rates * event_f_scores / (2 * (1 - event_f_scores))
    return 2 * hits.sum() / (2 * hits.sum() + event_error_rates.sum())


def bounds(f_scores, error_rates):
    """The least and the largest micro F-score of numbers that are printed so when rounded.

    More errors of an event move the pooled F-score towards that event's own.
    """
    towards = np.sign(f_scores - micro_f_score(f_scores, error_rates))
    for sign in (-1, 1):
        rates = (error_rates + sign * towards * 0.5e-4).clip(lower=0)
        yield micro_f_score((f_scores + sign * 0.5e-4).clip(lower=0), rates)


def test_table_4_gives_back_table_3():
    """Within 1.5 points, as far as the printed digits tell; MTL's, at 44.51, is the farthest."""
    table3 = pd.read_csv(RESOURCES / "published_table3.csv").set_index(KEYS).f_score_percent
    groups = pd.read_csv(RESOURCES / "published_table4.csv").groupby(KEYS, dropna=False, sort=False)
    assert len(groups) == len(table3) == 4
    found = {}
    for (key, rows), printed in zip(groups, table3, strict=True):
        assert len(rows) == 25
        low, high = (100 * f for f in bounds(rows.f_score_percent / 100, rows.error_rate))
        assert low - 1.5 < printed < high + 1.5, key
        assert high - low < 0.5, "the digits leave little room"
        found[key] = 100 * micro_f_score(rows.f_score_percent / 100, rows.error_rate)
    assert list(found.values()) == pytest.approx([43.2, 44.5, 29.1, 50.2], abs=0.05)


def test_the_paper_counts_frames_of_20_ms(published, labels):
    """An undetected event's error rate is its share of the reference, which tells the segment.

    Of the nine events that the CRNN never detects, these four are annotated as they were for the
    paper; the other five (children, say: 0.0255 printed, 0.0083 here) fit no segment length.
    """
    table4 = pd.read_csv(RESOURCES / "published_table4.csv")
    silent = table4[(table4.f_score_percent == 0) & (table4.method == "CNN-BiGRU")]
    events = ["(object) banging", "drawer", "glass jingling", "wind blowing"]
    printed = silent.set_index("event").error_rate[events]
    ratios = {
        resolution: shares(published[0], labels, resolution)[events] / printed
        for resolution in (0.02, 1.0)
    }
    assert ratios[0.02].between(0.93, 1.07).all()
    assert (ratios[1.0][:3] > 1.8).all()


def shares(events, labels, resolution):
    """Each event's share of all reference segments."""
    counts = sum(
        recording_activity(
            rows, labels.events, int(rows.offset.max() / resolution) + 1, resolution
        ).sum(axis=0)
        for _, rows in events.groupby("recording")
    )
    return pd.Series(counts / counts.sum(), labels.events)


def test_table_4_counts_folds_without_the_event(authors_lists, labels):
    """Each is absent from fold 1's evaluation part, and so from a quarter of the runs.

    MTL with alpha = 1 detects none of them, so its error rate is the mean of their shares in the
    folds: with 0 for fold 1 these fit (0.0247, 0.0134, 0.0020); of the other folds alone they are
    4/3 as large.
    """
    of_folds = pd.DataFrame(
        {
            fold: shares(evaluation_part(authors_lists, fold, labels), labels, 0.02)
            for fold in (1, 2, 3, 4)
        }
    )
    absent = of_folds.eq(0)
    assert absent[1][lambda gone: gone].index.tolist() == [
        "(object) squeaking", "glass jingling", "washing dishes", "wind blowing"
    ]  # fmt: skip
    assert absent[4][lambda gone: gone].index.tolist() == ["(object) squeaking"]
    assert not absent[[2, 3]].any(axis=None)
    table4 = pd.read_csv(RESOURCES / "published_table4.csv")
    printed = table4[(table4.alpha == 1) & (table4.f_score_percent == 0)].set_index("event")
    events = ["glass jingling", "washing dishes", "wind blowing"]
    of_all = of_folds.mean(axis=1) / printed.error_rate
    of_present = of_folds.mask(absent).mean(axis=1) / printed.error_rate
    assert of_all[events].between(0.9, 1.05).all()
    assert (of_present[events] > 1.2).all()


def evaluation_part(folder, fold, labels):
    path = folder / "crossvaridation" / f"meta_fold0{fold}_evaluation.txt"
    return clean(read_published(path), labels)[0]


def test_shares_that_cannot_be_the_papers(published, labels):
    """What docs and report say of them.

    TP / N is at most ER F / (2 (1 - F)) and FN / N at most ER, of any method in Table 4; printed
    digits are taken at the end that allows most.
    """
    table4 = pd.read_csv(RESOURCES / "published_table4.csv")
    f_scores = table4.f_score_percent / 100 + 0.5e-4
    most = (table4.error_rate + 0.5e-4) * (1 + f_scores / (2 * (1 - f_scores)))
    bound = most.groupby(table4.event).min()
    ratios = (shares(published[0], labels, 0.02) / bound).round(2)
    above = {"keyboard typing": 1.34, "mouse clicking": 1.50, "mouse wheeling": 1.44}
    assert ratios[list(above)].to_dict() == pytest.approx(above, abs=0.011)
    below = ["children", "(object) rustling", "(object) squeaking", "breathing"]
    assert set(ratios[ratios < 0.65].index) == set(below)
    assert ratios.drop(list(above)).max() < 1.1


@pytest.mark.parametrize("name", ["published_table3.csv", "published_table4.csv"])
def test_the_published_tables_are_the_ones_that_were_checked(name):
    if not SHARED.is_dir():
        pytest.skip("needs ../shared")
    assert (RESOURCES / name).read_bytes() == (SHARED / "paper" / name).read_bytes()
