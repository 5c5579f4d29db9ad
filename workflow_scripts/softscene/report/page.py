"""The report: one page on what was run, and what it says about the paper."""

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from softscene.analysis.claims import (
    BETTER,
    EVENTS,
    INCONCLUSIVE,
    LABELS,
    LACKING,
    OF_TABLE3,
    PER_DECADE,
    READING,
    SCALE,
    SETTINGS,
    joint,
)
from softscene.analysis.field_comparisons import bounds, in_order, name_of, side, survival
from softscene.analysis.intervals import AGAINST, CONFIDENCE, of, side_of
from softscene.analysis.softness import PARTS, nearly_one_hot
from softscene.config.overrides import inner_teachers
from softscene.config.reading import read_yaml
from softscene.config.variants import (
    Chosen,
    Variant,
    choose_variants,
    row_of,
    shown_variants,
    title_of,
)
from softscene.core.files import write_text
from softscene.core.tsv import read_table
from softscene.data.splits import EVALUATION
from softscene.evaluation.tables import ROW, best_of, headline, setting_title
from softscene.report import provenance
from softscene.report.figures import sum_confusion

FIGURES = (
    "forest", "fig3", "table1_map", "curves", "confusion", "soft_map", "sensitivity_plot",
)  # fmt: skip
TEMPLATE = Path(__file__).with_name("report.html.j2")
DIGITS = {"f_score": 2, "error_rate": 4, EVENTS: 1}
FACTORS = SCALE | {EVENTS: 1.0}
MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
UNBROKEN_EQUALS = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class ReportedRun:
    """What the run is.

    Attributes
    ----------
    configuration
        Resolved, without the keys that change no result.
    variants
        All that are trained: the fields of each :class:`Variant`.
    folder
        Of the workflow, for its commit.
    benchmarks
        Folder of the run's benchmarks; those that exist are read.
    synthetic
        Whether the corpus is synthetic.
    """

    configuration: Mapping[str, object]
    variants: Sequence[Mapping[str, Any]]
    folder: str
    benchmarks: str
    synthetic: bool


def make_report(
    study: ReportedRun, files: Mapping[str, str | Sequence[str]], target: str | Path
) -> None:
    """Write the report, a page that needs no other file.

    Parameters
    ----------
    study
        What was run.
    files
        ``table3``, ``table4``, ``means``, ``comparisons``, ``event_comparisons``, ``claims``,
        ``controls``, ``field_means``, ``field_comparisons``, ``events``, ``audit``,
        ``recordings`` (of each fold), ``default`` (``config.yaml``) and the figures ``fig3``,
        ``table1_map``, ``curves``; where there are claims, the figure ``forest``; where there are
        teachers, ``teachers`` (a file of each, only counted); where the usual ones are among them,
        ``confusions``, ``soft_labels``, ``softness``, and the figures ``confusion`` and
        ``soft_map``; where open choices are compared, ``sensitivity`` and the figure
        ``sensitivity_plot``; with a held-out test, its ``heldout_table3``, ``heldout_means``,
        ``heldout_claims``, ``heldout_audit``, ``heldout_events`` and ``heldout_recordings``.
    target
        Path of the page.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_in_one_line,
    )
    page = environment.get_template(TEMPLATE.name)
    write_text(target, page.render(_contents(study, files)))


def _in_one_line(value: object) -> object:
    """Keep ``T = 1`` together where a line ends; leave HTML unchanged."""
    return value.replace(" = ", UNBROKEN_EQUALS) if type(value) is str else value


def _contents(study: ReportedRun, files: Mapping[str, str | Sequence[str]]) -> dict[str, object]:
    """All that the template needs."""
    configuration = study.configuration
    variants = [Variant(**each) for each in study.variants]
    chosen = choose_variants(variants)
    claims = read_table(files["claims"])
    compared = headline(read_table(files["comparisons"]))
    return {
        "run": configuration["run"],
        "synthetic": study.synthetic,
        "confidence": f"{CONFIDENCE:.0%}",
        "answer": _answer(claims) or _own_answer(compared, chosen),
        "claims": _claims(claims),
        "shared_reason": _in_words(_shared_reason(claims)),
        "summary": _summary(claims),
        "pairs": _pairs(compared),
        "table3": _table3(files, variants, configuration["evaluation"]["conventions"]),
        "comparisons": _comparisons(compared, variants, chosen),
        "controls": _controls(read_table(files["controls"])),
        "table4": _table4(read_table(files["table4"]), shown_variants(variants)),
        "event_comparisons": _event_comparisons(
            read_table(files["event_comparisons"]), variants, chosen
        ),
        "field": _field(files, chosen),
        "teachers": _teachers(files),
        "sensitivity": _sensitivity(files),
        "heldout": _heldout(study, files, variants),
        "figures": {name: _image(str(files[name])) for name in FIGURES if name in files},
    } | _what_was_run(study, files)


def _what_was_run(study: ReportedRun, files: Mapping) -> dict[str, object]:
    configuration = study.configuration
    hop = configuration["features"]["hop_length"] / configuration["features"]["sample_rate"]
    default = read_yaml(files["default"], "configuration")
    took = provenance.hours(study.benchmarks, configuration)
    places = len(configuration["folds"]) * len(configuration["seeds"])
    crossed = len(inner_teachers(configuration))
    return {
        "made": provenance.today(),
        "data": _records(provenance.describe_data(files["events"], files["recordings"], hop)),
        "audit": [
            row
            for name in ("audit", "heldout_audit")
            if name in files
            for row in _records(provenance.count_audit(files[name]))
        ],
        "data_name": _data_name(study),
        "source": configuration["annotations"]["source"],
        "own": configuration["data"]["own"],
        "folds": configuration["folds"],
        "seeds": configuration["seeds"],
        "students": len(study.variants) * places,
        "all_teachers": len(files.get("teachers", ())),
        "inner_teachers": crossed * places * configuration["control_settings"]["parts"],
        "variants": len(study.variants),
        "differences": [
            (key, _plain(here), _plain(there))
            for key, here, there in provenance.differences(configuration, default)
        ],
        "configuration": [
            (key, _plain(value))
            for key, value in provenance.in_order(configuration, default).items()
        ],
        "versions": provenance.versions(),
        "commit": provenance.commit(study.folder),
        "hardware": provenance.hardware(),
        "took": _records(took),
        "hours": f"{took.hours.sum():.2f}",
        "cpu_hours": f"{took.cpu_hours.sum():.2f}",
    }


def _data_name(study: ReportedRun) -> str | None:
    """What the data are called; a synthetic corpus is named by the banner alone."""
    if study.synthetic:
        return None
    if own := study.configuration["data"]["own"]:
        return f"{own['annotations']}, {own['audio']}"
    return "TUT Sound Events 2016 and 2017, TUT Acoustic Scenes 2016"


def _plain(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _records(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _image(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")


def number(value: float, score: str) -> str:
    """A score for the page: F-score in percent, error rate unscaled."""
    return MISSING if pd.isna(value) else f"{value * FACTORS[score]:.{DIGITS[score]}f}"


def gap(value: float, score: str) -> str:
    """A difference of scores, with its sign; points of the F-score's percentage."""
    if pd.isna(value):
        return MISSING
    return f"{value * FACTORS[score]:+.{DIGITS[score]}f}".replace("-", MINUS)


def interval(low: float, high: float, score: str, signed: bool = False) -> str:
    """An interval for the page."""
    if pd.isna(low) or pd.isna(high):
        return MISSING
    shown = gap if signed else number
    return f"[{shown(low, score)}, {shown(high, score)}]"


def _answer(claims: pd.DataFrame) -> dict | None:
    """What the first screen says about the paper's main claim; None for the user's own data."""
    rows = headline(claims[claims.claim == OF_TABLE3[0].key])
    if rows.empty:
        return None
    return {
        "verdict": joint(list(rows.verdict)),
        "comparison": rows.comparison.iloc[0],
        "scores": [_claim_row(row) for row in rows.itertuples()],
        "reasons": _reasons(rows),
    }


def _reasons(rows: pd.DataFrame) -> list[str]:
    """Reasons of a claim's verdicts: only one if its scores share it."""
    reasons = rows.reason.unique()
    if len(reasons) == 1:
        return list(reasons)
    return [f"{_score_name(row.score)}: {row.reason}" for row in rows.itertuples()]


def _own_answer(compared: pd.DataFrame, chosen: Chosen) -> dict | None:
    """The same for the user's own data: soft labels vs one-hot scenes, better or worse."""
    if chosen.soft is None or chosen.hard is None:
        return None
    rows = of(compared, chosen.soft)
    against = dict(zip(AGAINST, chosen.hard.row, strict=True))
    for column, value in against.items():
        rows = rows[rows[column].isna() if value is None else rows[column] == value]
    differences = {row.score: _difference(row) for row in rows.itertuples()}
    sides = {each["side"] for each in differences.values()}
    return {
        "verdict": sides.pop() if len(sides) == 1 and "" not in sides else INCONCLUSIVE,
        "comparison": f"{chosen.soft.title} vs {chosen.hard.title}",
        "scores": [
            {
                "score": _score_name(score),
                "difference": each["difference"] + " points" * (score == "f_score"),
                "bounds": each["bounds"],
                "published": MISSING,
            }
            for score, each in differences.items()
        ],
        "reasons": [],
    }


def _pairs(compared: pd.DataFrame) -> dict[str, object]:
    """In how many (fold, seed) methods are compared, and whether folds have more than one seed."""
    if compared.empty:
        return {"pairs": 0, "folds": 0, "seeds": False}
    most = compared.loc[compared.pairs.idxmax()]
    return {
        "pairs": int(most.pairs),
        "folds": int(most.folds),
        "seeds": bool(most.pairs > most.folds),
    }


def _claims(claims: pd.DataFrame) -> list[dict]:
    """Each claim: its sentence, its verdict in the headline's setting, and all comparisons."""
    shared = _shared_reason(claims)
    found = []
    for (_, text), rows in claims.groupby(["claim", "text"], sort=False):
        own = headline(rows)
        reasons = {row.score: _without(shared, row.reason) for row in own.itertuples()}
        found.append(
            {
                "text": text,
                "reading": own.origin.iloc[0] == READING,
                "comparison": own.comparison.iloc[0],
                "verdict": joint(list(own.verdict)),
                "scores": [
                    _claim_row(row) | {"reason": reasons[row.score]} for row in own.itertuples()
                ],
                "reason": reasons.popitem()[1] if len(set(reasons.values())) == 1 else None,
                "rows": [_claim_row(row) for row in rows.itertuples()],
            }
        )
    return found


def _parts(reason: str) -> list[str]:
    """The sentences of a reason, without the names of weights that a run lacks."""
    return [LACKING if each.startswith(LACKING) else each for each in reason.split(". ")]


def _shared_reason(claims: pd.DataFrame) -> str | None:
    """The most common reason, if at least half of the claims have it: the page gives it once."""
    reasons = Counter(
        part
        for _, rows in headline(claims).groupby("claim")
        for part in {part for reason in rows.reason for part in _parts(reason)}
    )
    for reason, claimed in reasons.most_common(1):
        return reason if 2 * claimed >= claims.claim.nunique() else None
    return None


def _in_words(shared: str | None) -> str | None:
    return f"{LACKING}methods or weights that are compared" if shared == LACKING else shared


def _without(shared: str | None, reason: str) -> str:
    """A reason without the shared part."""
    kept = zip(_parts(reason), reason.split(". "), strict=True)
    return ". ".join(text for part, text in kept if part != shared)


def _claim_row(row: tuple) -> dict:
    kind = EVENTS if row.unit == EVENTS else row.score
    unit = {EVENTS: " events", "f_score": " points"}.get(kind, "")
    unit += " per decade" * (row.unit == PER_DECADE)
    return {
        "score": _score_name(row.score),
        "threshold": row.threshold,
        "verdict": row.verdict,
        "reason": row.reason,
        "difference": gap(row.difference, kind) + unit * pd.notna(row.difference),
        "interval": interval(row.low, row.high, kind, signed=True),
        "fold_interval": interval(row.fold_low, row.fold_high, kind, signed=True),
        "bounds": interval(*_bounds(row), kind, signed=True),
        "published": gap(row.published_difference, kind),
        "pairs": f"{row.pairs} in {row.folds} fold{'s' * (row.folds != 1)}",
    }


def _summary(claims: pd.DataFrame) -> list[tuple[str, int]]:
    """Verdict -> number of claims, in the headline's setting."""
    verdicts = headline(claims).groupby("claim", sort=False).verdict.agg(lambda v: joint(list(v)))
    return list(verdicts.value_counts(sort=False).items())


def _score_name(score: str) -> str:
    return {"f_score": "F-score", "error_rate": "Error rate"}[score]


def _table3(
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
                "published": bool(here.published_f_score.notna().any()),
                "rows": [_table3_row(each, of(here, each), of(known, each)) for each in variants],
            }
        )
    return sections


def _heldout(study: ReportedRun, files: Mapping, variants: Sequence[Variant]) -> dict | None:
    """The held-out test beside the cross-validation: claims, and scores in the headline setting."""
    heldout = provenance.heldout_files(files)
    if not heldout:
        return None
    features, conventions = (study.configuration[key] for key in ("features", "evaluation"))
    hop = features["hop_length"] / features["sample_rate"]
    known, claims = (headline(read_table(each["claims"])) for each in (files, heldout))
    usual = {(row.claim, row.score): row for row in known.itertuples()}
    numbers = {key: place for place, key in enumerate(claims.claim.unique(), start=1)}
    tables = [_table3(each, variants, conventions["conventions"])[0] for each in (files, heldout)]
    verdicts = [
        each.groupby("claim", sort=False).verdict.agg(lambda v: joint(list(v)))
        for each in (known, claims)
    ]
    return {
        "data": _records(
            provenance.describe_data(heldout["events"], [heldout["recordings"]], hop, EVALUATION)
        )[-1],
        "answer": _answer(claims),
        "students": len(variants) * len(study.configuration["seeds"]),
        "teachers": len(heldout.get("teachers", ())),
        "summary": _summary(claims),
        "agree": int((verdicts[0] == verdicts[1]).sum()),
        "claims": [
            {
                "title": f"{numbers[row.claim]}: {LABELS[row.claim]}, {_score_name(row.score)}",
                "here": _claim_row(row),
                "usual": _claim_row(usual[row.claim, row.score]),
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
            "interval": interval(*_bounds(mean), score),
            "published": number(published, score),
            "gap": gap(getattr(own, f"{score}_mean") - published, score),
        }
    return cells


def _bounds(mean: tuple) -> tuple[float, float]:
    """The interval within folds; with one seed per fold, the one over folds."""
    within = mean.pairs > mean.folds
    return (mean.low, mean.high) if within else (mean.fold_low, mean.fold_high)


def _comparisons(
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
            cells[row.score] = _difference(row)
        kind = "judged" if {one, other} in judged else "custom" if one in mine else "others"
        found[kind].append(cells)
    return found


def _judged_rows(chosen: Chosen) -> set[frozenset[tuple]]:
    return {frozenset(each.row for each in pair) for pair in chosen.judged}


def _controls(table: pd.DataFrame) -> list[dict]:
    """Each control and score: its sentence, and the differences that it follows from."""
    compared = {
        "gain": "soft labels vs one-hot",
        "control_hard": "control vs one-hot",
        "soft_control": "soft labels vs control",
        "control_baseline": "control vs no scene branch",
    }
    rows = []
    for row in _records(table):
        score = row["score"]
        rows.append(
            {
                "title": row["control"],
                "score": _score_name(score),
                "sentence": row["sentence"],
                "share": MISSING
                if pd.isna(row["share"])
                else f"{row['share']:.0%}".replace("-", MINUS),
                "differences": [
                    {
                        "name": name,
                        "is_control": key == "control_hard",
                        "difference": gap(row[key], score),
                        "interval": interval(
                            row[f"{key}_low"], row[f"{key}_high"], score, signed=True
                        ),
                        "pairs": row[f"{key}_pairs"],
                    }
                    for key, name in compared.items()
                    if key in row
                ],
            }
        )
    return rows


def _difference(row: tuple) -> dict:
    off = BETTER[row.score] * side_of(*_bounds(row))
    return {
        "published": gap(row.published_difference, row.score),
        "difference": gap(row.difference, row.score),
        "interval": interval(row.low, row.high, row.score, signed=True),
        "fold_interval": interval(row.fold_low, row.fold_high, row.score, signed=True),
        "bounds": interval(*_bounds(row), row.score, signed=True),
        "pairs": row.pairs,
        "folds": row.folds,
        "side": {1: "better", -1: "worse"}.get(off, ""),
    }


def _table4(table: pd.DataFrame, shown: Sequence[Variant]) -> dict[str, object]:
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


def _event_comparisons(
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
                {"title": event} | {row.score: _difference(row) for row in both.itertuples()}
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


def _field(files: Mapping, chosen: Chosen) -> dict[str, object]:
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
        "bounds": interval(*bounds(row), "f_score", signed=True),
        "side": {1: "better", -1: "worse"}.get(side(row), ""),
        "pairs": f"{row.pairs} in {row.folds} fold{'s' * (row.folds != 1)}",
    }


def _field_cell(row: tuple | None) -> tuple[str, str]:
    """A mean in percent, and its interval."""
    if row is None:
        return MISSING, MISSING
    return number(row.mean, "f_score"), interval(*bounds(row), "f_score")


def _teachers(files: Mapping) -> dict[str, object] | None:
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


def _sensitivity(files: Mapping) -> list[dict] | None:
    """Under each open choice: the F-score's difference, how far it moved, and the labels."""
    if "sensitivity" not in files:
        return None
    table = headline(read_table(files["sensitivity"]))
    found = []
    for row in table[table.score == "f_score"].itertuples():
        moved = pd.isna(row.moved_low), row.moved_low, row.moved_high
        moved_bounds = (row.moved_fold_low, row.moved_fold_high) if moved[0] else moved[1:]
        found.append({
            "varies": row.varies,
            "run": row.run,
            "comparison": row.comparison,
            "verdict": row.verdict,
            "reason": row.reason,
            "difference": gap(row.difference, row.score),
            "bounds": interval(*_bounds(row), row.score, signed=True),
            "moved": gap(row.moved, row.score),
            "moved_bounds": interval(*moved_bounds, row.score, signed=True),
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
