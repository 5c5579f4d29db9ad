"""The field's metrics over all students: means, differences, and what is said of them."""

import numpy as np
import pandas as pd
import pytest
from softscene.analysis.field_comparisons import compare_field_metrics, survival
from softscene.config.variants import Variant
from softscene.core.tsv import read_table, write_table

CRNN = Variant("crnn", "CNN-BiGRU", "none")
HARD = Variant("mtl", "MTL", "hard", alpha="0.0001")
SOFT = Variant("soft", "Soft", "soft", beta="1.0", temperature="1.0")
PLACES = [(fold, seed) for fold in (1, 2) for seed in (0, 1)]
SETTINGS = {
    "frame_f_score": ("micro", "adaptive"),
    "average_precision": ("macro", "none"),
    "psds_1": ("macro", "none"),
    "psds_2": ("macro", "none"),
}


def compared(folder, gains, synthetic=False, macro=None):
    """Tables of three students; soft labels gain ``gains`` over one-hot ones, give or take 0.01.

    ``macro`` is the gain in the macro frame F-score, that of the micro one by default."""
    macro = gains["frame_f_score"] if macro is None else macro
    gained = [(metric, *SETTINGS[metric], gain) for metric, gain in gains.items()]
    gained.append(("frame_f_score", "macro", "adaptive", macro))
    paths, variants, places = [], [], []
    for variant in (CRNN, HARD, SOFT):
        for fold, seed in PLACES:
            rows = [
                (*where, 0.4 + (variant is SOFT) * (gain + 0.01 * (-1) ** seed))
                for *where, gain in gained
            ]
            rows.append(("scene_accuracy", "", "none", np.nan if variant is CRNN else 0.75))
            table = pd.DataFrame(rows, columns=["metric", "average", "threshold", "value"])
            paths.append(str(folder / f"{len(paths)}.tsv"))
            # Rows of events, which are not averaged over students.
            both = pd.concat([table.assign(event=""), table.assign(event="car", value=9.0)])
            write_table(both.assign(events=20 + 2 * fold), paths[-1])
            variants.append(vars(variant))
            places.append((fold, seed))
    results = {name: folder / name for name in ("field_means", "field_comparisons", "field_page")}
    compare_field_metrics(paths, variants, places, results, synthetic)
    tables = (read_table(results[name]) for name in ("field_means", "field_comparisons"))
    return *tables, results["field_page"].read_text()


def is_macro(table):
    return (table.metric == "frame_f_score") & (table.average == "macro")


def gains(frame, *free):
    return dict(zip(SETTINGS, (frame, *free), strict=True))


def test_means_and_differences_are_over_fold_and_seed(tmp_path):
    means, apart, page = compared(tmp_path, gains(0.1, 0.05, 0.05, -0.05))
    soft = means[(means.method == "Soft") & ~is_macro(means)].set_index("metric")
    assert soft["mean"].to_dict() == pytest.approx(
        {"frame_f_score": 0.5, "average_precision": 0.45, "psds_1": 0.45, "psds_2": 0.35,
         "scene_accuracy": 0.75}
    )  # fmt: skip
    assert set(soft.events) == {23.0}
    own = apart[apart.against_method == "MTL"].set_index("metric")
    # Within each fold the values are 0.01 above and below: variance 4e-4 / 2, 2 degrees of freedom.
    half = 4.302652729911275 * np.sqrt(2e-4 / 4)
    assert own.difference["psds_1"] == pytest.approx(0.05)
    assert own.low["psds_1"] == pytest.approx(0.05 - half)
    assert own.high["psds_1"] == pytest.approx(0.05 + half)
    assert (own.pairs == 4).all()
    baseline = apart[apart.against_method == "CNN-BiGRU"]
    assert "scene_accuracy" not in set(baseline.metric), "it has no scene branch"
    assert "scene_accuracy" not in set(means[means.method == "CNN-BiGRU"].metric)
    assert "Synthetic corpus" not in page
    assert "| PSDS, scenario 1" in page


@pytest.mark.parametrize(
    ("frame", "free", "begin", "end"),
    [
        (0.1, (0.1, 0.1, 0.1), "The gain of soft labels over one-hot ones survives when",
         "average precision better, PSDS 1 better, PSDS 2 better."),
        (0.1, (-0.1, -0.1, -0.1), "The gain of soft labels over one-hot ones does not survive",
         "average precision worse, PSDS 1 worse, PSDS 2 worse."),
        (0.1, (0.1, 0.001, 0.1), "Whether the gain", "PSDS 1 inconclusive, PSDS 2 better."),
        (0.1, (0.0, 0.0, 0.0), "Whether the gain", "PSDS 2 inconclusive."),
        (0.1, (0.1, -0.1, 0.1), "Whether the gain", "PSDS 1 worse, PSDS 2 better."),
        (0.001, (0.1, 0.1, 0.1), "With thresholds there is no gain",
         "(frame F-score: inconclusive); without thresholds: average precision better, "
         "PSDS 1 better, PSDS 2 better."),
        (-0.1, (0.0, 0.1, 0.1), "With thresholds there is no gain", "PSDS 2 better."),
    ],
)  # fmt: skip
def test_the_answer_is_as_careful_as_the_intervals(tmp_path, frame, free, begin, end):
    _, apart, page = compared(tmp_path, gains(frame, *free), synthetic=True)
    said = survival(apart)
    assert said.startswith(begin)
    assert said.endswith(end)
    assert said in page
    assert "Synthetic corpus" in page


def test_a_gain_in_the_micro_average_alone_is_told_from_one_that_thresholds_made(tmp_path):
    _, apart, _ = compared(tmp_path, gains(0.1, -0.1, -0.1, -0.1), macro=-0.1)
    said = survival(apart)
    assert said.startswith(
        "With thresholds the gain of soft labels over one-hot ones is in the micro"
    )
    assert "(macro frame F-score: worse)" in said


def test_without_soft_or_one_hot_students_nothing_is_said(tmp_path):
    _, apart, _ = compared(tmp_path, gains(0.1, 0.1, 0.1, 0.1))
    assert survival(apart[apart.against_method == "CNN-BiGRU"]) is None
    assert survival(apart.iloc[:0]) is None
