"""The report's tables: what its template needs for each section."""

from collections.abc import Mapping, Sequence
from dataclasses import fields

import numpy as np
import pandas as pd

from softscene.analysis.claims import BETTER, INCONCLUSIVE, LABELS, SETTINGS, joint
from softscene.analysis.field_comparisons import SIDES, in_order, name_of, side, survival
from softscene.analysis.intervals import AGAINST, Estimate, bounds_of, of
from softscene.analysis.softness import PARTS, nearly_one_hot
from softscene.config.variants import Chosen, Variant, row_of, title_of
from softscene.core.tsv import read_table
from softscene.data.splits import EVALUATION
from softscene.evaluation.tables import ROW, best_of, headline, setting_title
from softscene.report import provenance
from softscene.report.figures import sum_confusion
from softscene.report.numbers import (
    MINUS,
    MISSING,
    difference,
    gap,
    interval,
    number,
    records,
    score_name,
)
from softscene.report.verdicts import answer, claim_row, summary

# Why a difference is inconclusive.
NO_INTERVAL, HAS_ZERO = "no interval", "the interval includes zero"


def table3(
    files: Mapping, variants: Sequence[Variant], conventions: Mapping[str, float]
) -> list[dict]:
    """Table 3 of each setting, the headline's first: means, intervals, published, differences."""
    table = read_table(files["table3"])
    means = read_table(files["means"])
    sections = []
    for setting in table[["convention", "threshold"]].drop_duplicates().itertuples(index=False):
        here, known = (
            each[(each.convention == setting.convention) & (each.threshold == setting.threshold)]
            for each in (table, means)
        )
        sections.append(
            {
                "title": setting_title(tuple(setting), conventions),
                "headline": tuple(setting) == SETTINGS[0],
                "of_paper": tuple(setting) == SETTINGS[1],
                "published": bool(here.published_f_score.notna().any()),
                "rows": [_table3_row(each, of(here, each), of(known, each)) for each in variants],
            }
        )
    return sections


def heldout_test(
    configuration: Mapping, files: Mapping, variants: Sequence[Variant]
) -> dict | None:
    """The held-out test beside the cross-validation: claims, and scores in the headline setting."""
    heldout = provenance.heldout_files(files)
    if not heldout:
        return None
    features, conventions = (configuration[key] for key in ("features", "evaluation"))
    hop = features["hop_length"] / features["sample_rate"]
    known, claims = (headline(read_table(each["claims"])) for each in (files, heldout))
    usual = {(row.claim, row.score): row for row in known.itertuples()}
    numbers = {key: place for place, key in enumerate(claims.claim.unique(), start=1)}
    tables = [table3(each, variants, conventions["conventions"])[0] for each in (files, heldout)]
    verdicts = [
        each.groupby("claim", sort=False).verdict.agg(lambda v: joint(list(v)))
        for each in (known, claims)
    ]
    return {
        "data": records(
            provenance.describe_data(heldout["events"], [heldout["recordings"]], hop, EVALUATION)
        )[-1],
        "answer": answer(claims),
        "students": len(variants) * len(configuration["seeds"]),
        "teachers": len(heldout.get("teachers", ())),
        "summary": summary(claims),
        "agree": int((verdicts[0] == verdicts[1]).sum()),
        "claims": [
            {
                "title": f"{numbers[row.claim]}: {LABELS[row.claim]}, {score_name(row.score)}",
                "here": claim_row(row),
                "usual": claim_row(usual[row.claim, row.score]),
            }
            for row in claims.itertuples()
        ],
        "methods": list(zip(*(each["rows"] for each in tables), strict=True)),
        "convention": tables[1]["title"],
    }


def _table3_row(variant: Variant, row: pd.DataFrame, means: pd.DataFrame) -> dict:
    (own,) = row.itertuples()
    cells = {"title": variant.title, "runs": own.runs}
    for score in BETTER:
        (mean,) = means[means.score == score].itertuples()
        published = getattr(own, f"published_{score}")
        cells[score] = {
            "mean": number(getattr(own, f"{score}_mean"), score),
            "interval": interval(*bounds_of(mean), score),
            "published": number(published, score),
            "gap": gap(getattr(own, f"{score}_mean") - published, score),
        }
    return cells


def comparisons(
    table: pd.DataFrame, variants: Sequence[Variant], chosen: Chosen
) -> dict[str, list[dict]]:
    """Paired differences: judged ones, those of the user's methods, and of others vs the baseline.

    Other pairs of the chosen methods, such as two controls, are only in the table.
    """
    titles = {each.row: each.title for each in variants}
    known = {each.row for each in chosen}
    mine = {each.row for each in variants if each.custom}
    judged = _judged_rows(chosen)
    found = {"judged": [], "custom": [], "others": []}
    for _, rows in table.groupby([*ROW, *AGAINST], dropna=False, sort=False):
        one, other = row_of(rows.iloc[0][ROW]), row_of(rows.iloc[0][AGAINST])
        if {one, other} <= known and {one, other} not in judged:
            continue
        cells = {"title": f"{titles[one]} vs {titles[other]}"}
        for row in rows.itertuples():
            cells[row.score] = difference(row)
        kind = "judged" if {one, other} in judged else "custom" if one in mine else "others"
        found[kind].append(cells)
    return found


def _judged_rows(chosen: Chosen) -> set[frozenset[tuple]]:
    return {frozenset(each.row for each in pair) for pair in chosen.judged}


def controls(table: pd.DataFrame) -> list[dict]:
    """Each control and score: the differences that its sentence follows from."""
    compared = {
        "gain": "soft labels vs one-hot",
        "control_hard": "control vs one-hot",
        "soft_control": "soft labels vs control",
        "control_baseline": "control vs no scene branch",
    }
    rows = []
    for row in records(table):
        score = row["score"]
        rows.append(
            {
                "title": row["control"],
                "score": score_name(score),
                "share": MISSING
                if pd.isna(row["share"])
                else f"{row['share']:.0%}".replace("-", MINUS),
                "differences": [
                    {
                        "name": name,
                        "is_control": key == "control_hard",
                        "difference": gap(row[key], score),
                        "interval": interval(*_of_control(row, key).bounds(), score, signed=True),
                        "pairs": row[f"{key}_pairs"],
                    }
                    for key, name in compared.items()
                    if key in row
                ],
            }
        )
    return rows


def control_sentences(table: pd.DataFrame) -> list[str]:
    """What the controls say; once if all are inconclusive for the same reason."""
    rest = {row.sentence.removeprefix(row.control) for row in table.itertuples()}
    if len(table) > 1 and len(rest) == 1 and set(table.verdict) == {INCONCLUSIVE}:
        count = table.control.nunique()
        which = f"All {count} controls" if count > 1 else table.control.iloc[0]
        return [f"{which}, by both scores{rest.pop()}"]
    return [f"{score_name(row.score)}: {row.sentence}" for row in table.itertuples()]


def _of_control(row: Mapping, key: str) -> Estimate:
    """One of the differences that a row of ``controls.tsv`` has."""
    names = [field.name for field in fields(Estimate) if field.name != "mean"]
    return Estimate(row[key], *(row[f"{key}_{name}"] for name in names))


def table4(table: pd.DataFrame, shown: Sequence[Variant]) -> dict[str, object]:
    """Table 4 of some students, the best of each event marked."""
    own = headline(table)
    rows = []
    for event in own.event.unique():
        here = own[own.event == event]
        absent, runs = here[["absent", "runs"]].max()
        cells = {"event": event, "absent": f"{absent} of {runs}"}
        found = [of(here, each) for each in shown]
        f_scores = [each.f_score_mean.squeeze() for each in found]
        for score in BETTER:
            values = [each[f"{score}_mean"].squeeze() for each in found]
            detected = f_scores if score == "error_rate" else None
            best = best_of(values, BETTER[score], detected)
            cells[score] = [
                {
                    "mean": number(value, score),
                    "spread": number(each[f"{score}_std"].squeeze(), score),
                    "published": number(each[f"published_{score}"].squeeze(), score),
                    "best": wins,
                }
                for value, each, wins in zip(values, found, best, strict=True)
            ]
        rows.append(cells)
    wins = {
        score: [sum(row[score][i]["best"] for row in rows) for i in range(len(shown))]
        for score in BETTER
    }
    return {"titles": [each.title for each in shown], "rows": rows, "wins": wins}


def event_comparisons(
    table: pd.DataFrame, variants: Sequence[Variant], chosen: Chosen
) -> list[dict]:
    """Paired differences of each event: of judged pairs, and of the user's methods."""
    judged = _judged_rows(chosen)
    mine = {each.row for each in variants if each.custom}
    titles = {each.row: each.title for each in variants}
    found = []
    if table.empty:
        return found
    for _, pair in table.groupby([*ROW, *AGAINST], dropna=False, sort=False):
        one, other = (row_of(pair.iloc[0][columns]) for columns in (ROW, AGAINST))
        if {one, other} not in judged and one not in mine:
            continue
        rows = []
        for event, both in pair.groupby("event", sort=False):
            rows.append(
                {"title": event} | {row.score: difference(row) for row in both.itertuples()}
            )
        counts = {
            (score, side): sum(row[score]["side"] == side for row in rows)
            for score in BETTER
            for side in ("better", "worse")
        }
        title = f"{titles[one]} vs {titles[other]}"
        found.append(
            {"title": title, "rows": rows, "counts": counts, "differs": any(counts.values())}
        )
    return found


def other_metrics(files: Mapping, chosen: Chosen) -> dict[str, object]:
    """The field's metrics of the chosen students, and the differences of soft labels."""
    means = in_order(read_table(files["field_means"]))
    apart = in_order(read_table(files["field_comparisons"]))
    own = [of(means, each) for each in chosen]
    cells = [{name_of(row): row for row in rows.itertuples()} for rows in own]
    names = list(dict.fromkeys(name for each in cells for name in each))
    compared = [
        (
            f"{title_of(rows.iloc[0][ROW])} vs {title_of(rows.iloc[0][AGAINST])}",
            [_field_difference(row) for row in rows.itertuples()],
        )
        for _, rows in apart.groupby(AGAINST, sort=False, dropna=False)
    ]
    return {
        "sentence": survival(apart),
        "titles": [each.title for each in chosen],
        "rows": [(name, [_field_cell(each.get(name)) for each in cells]) for name in names],
        "compared": compared,
    }


def _field_difference(row: tuple) -> dict[str, str]:
    return {
        "name": name_of(row),
        "difference": gap(row.difference, "f_score"),
        "bounds": interval(*bounds_of(row), "f_score", signed=True),
        "side": SIDES[side(row)],
        "why": "" if side(row) else NO_INTERVAL if pd.isna(bounds_of(row)[0]) else HAS_ZERO,
        "pairs": f"{row.pairs} in {row.folds} fold{'s' * (row.folds != 1)}",
    }


def _field_cell(row: tuple | None) -> tuple[str, str]:
    """A mean in percent, and its interval."""
    if row is None:
        return MISSING, MISSING
    return number(row.mean, "f_score"), interval(*bounds_of(row), "f_score")


def teachers(files: Mapping) -> dict[str, object] | None:
    """Accuracy of the teachers, and their mean posteriors."""
    if "confusions" not in files:
        return None
    counts = sum_confusion(files["confusions"])
    return {
        "teachers": len(files["confusions"]),
        "clips": int(counts.to_numpy().sum()),
        "accuracy": f"{counts.to_numpy().trace() / counts.to_numpy().sum():.1%}",
        "scenes": list(counts.columns),
        "confusion": list(zip(counts.index, counts.to_numpy().tolist(), strict=True)),
        "posteriors": read_table(files["soft_labels"]).to_numpy().tolist(),
    } | _softness(read_table(files["softness"]), len(counts.columns))


def open_choices(files: Mapping) -> list[dict] | None:
    """Under each open choice: the F-score's difference, how far it moved, and the labels."""
    if "sensitivity" not in files:
        return None
    table = headline(read_table(files["sensitivity"]))
    found = []
    for row in table[table.score == "f_score"].itertuples():
        moved = Estimate(
            row.moved, row.moved_low, row.moved_high, row.moved_fold_low, row.moved_fold_high,
            row.pairs, row.folds,
        )  # fmt: skip
        found.append({
            "varies": row.varies,
            "run": row.run,
            "comparison": row.comparison,
            "verdict": row.verdict,
            "reason": row.reason,
            "difference": gap(row.difference, row.score),
            "bounds": interval(*bounds_of(row), row.score, signed=True),
            "moved": gap(row.moved, row.score),
            "moved_bounds": interval(*moved.bounds(), row.score, signed=True),
            "largest": f"{row.largest_posterior:.4f}",
            "entropy": f"{row.entropy:.4f}",
            "accuracy": f"{row.accuracy:.1%}",
        })  # fmt: skip
    return found


def _softness(table: pd.DataFrame, scenes: int) -> dict[str, object]:
    """How soft the soft labels are, by T, and at which T they are nearly one-hot."""
    learnt = table[table.part == PARTS[0]].set_index("temperature")
    return {
        "softness": [
            {
                "temperature": f"{row.temperature:g}",
                "clips": {PARTS[0]: "trained on", PARTS[1]: "not seen"}[row.part],
                "number": row.clips,
                "largest": f"{row.largest_posterior:.4f}",
                "entropy": f"{row.entropy:.4f}",
                "accuracy": f"{row.accuracy:.1%}",
            }
            for row in table.itertuples()
        ],
        "most_entropy": f"{np.log(scenes):.4f}",
        "nearly_one_hot": [
            {
                "temperature": f"{temperature:g}",
                "largest": f"{learnt.largest_posterior[temperature]:.4f}",
            }
            for temperature in nearly_one_hot(table)
        ],
    }
