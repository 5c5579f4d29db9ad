"""The report: one page that says what was run, and what it says of the paper."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from softscene.analysis.claims import BETTER, EVENTS, PER_DECADE, READING, SCALE, SETTINGS, joint
from softscene.analysis.intervals import AGAINST, CONFIDENCE, of, side_of
from softscene.config.controls import need_inner_teachers
from softscene.config.reading import read_yaml
from softscene.config.variants import Chosen, Variant, choose, row_of
from softscene.core.files import write_text
from softscene.core.tsv import read_table
from softscene.evaluation.tables import ROW, best_of, headline, setting_title
from softscene.report import provenance
from softscene.report.figures import sum_confusion

TEMPLATE = Path(__file__).with_name("report.html.j2")
DIGITS = {"f_score": 2, "error_rate": 4, EVENTS: 1}
FACTORS = SCALE | {EVENTS: 1.0}
MISSING = "\N{EN DASH}"
MINUS = "\N{MINUS SIGN}"
UNBROKEN_EQUALS = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"


@dataclass(frozen=True)
class Study:
    """What the run is.

    Attributes
    ----------
    configuration
        As resolved, without what changes no result.
    variants
        All that are trained, as :class:`Variant` has them.
    folder
        Of the workflow, for its commit.
    benchmarks
        Rule -> the benchmark files of its jobs, which are read as far as they are there.
    synthetic
        Whether the corpus is.
    """

    configuration: Mapping[str, object]
    variants: Sequence[Mapping[str, Any]]
    folder: str
    benchmarks: Mapping[str, Sequence[str]]
    synthetic: bool


def make_report(study: Study, files: Mapping[str, str | Sequence[str]], target: str | Path) -> None:
    """Write the report, a page that needs no other file.

    Parameters
    ----------
    study
        What was run.
    files
        ``table3``, ``table4``, ``means``, ``comparisons``, ``event_comparisons``, ``claims``,
        ``controls``, ``events``, ``audit``, ``recordings`` (of each fold), ``published``,
        ``default`` (``config.yaml``) and the figures ``fig3``, ``table1_map``, ``curves``; where
        there are teachers, ``confusions``, ``soft_labels``, and the figures ``confusion`` and
        ``soft_map``.
    target
        Of the page.
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
    """Keep ``T = 1`` together where a line ends; what is HTML already stays as it is."""
    return value.replace(" = ", UNBROKEN_EQUALS) if type(value) is str else value


def _contents(study: Study, files: Mapping[str, str | Sequence[str]]) -> dict[str, object]:
    """All that the template needs."""
    configuration = study.configuration
    variants = [Variant(**each) for each in study.variants]
    chosen = choose(variants, files["published"])
    claims = read_table(files["claims"])
    return {
        "run": configuration["run"],
        "synthetic": study.synthetic,
        "confidence": f"{CONFIDENCE:.0%}",
        "claims": _claims(claims),
        "summary": _summary(claims),
        "table3": _table3(files, variants, configuration["evaluation"]["conventions"]),
        "comparisons": _comparisons(files, variants, chosen),
        "controls": _controls(read_table(files["controls"])),
        "table4": _table4(read_table(files["table4"]), list(chosen)),
        "event_comparisons": _event_comparisons(read_table(files["event_comparisons"]), chosen),
        "teachers": _teachers(files),
        "figures": {
            name: _image(str(files[name]))
            for name in ("fig3", "table1_map", "curves", "confusion", "soft_map")
            if name in files
        },
    } | _what_was_run(study, files)


def _what_was_run(study: Study, files: Mapping) -> dict[str, object]:
    configuration = study.configuration
    hop = configuration["features"]["hop_length"] / configuration["features"]["sample_rate"]
    default = read_yaml(files["default"], "configuration")
    took = provenance.hours(study.benchmarks)
    places = len(configuration["folds"]) * len(configuration["seeds"])
    crossed = need_inner_teachers(configuration["methods"])
    return {
        "made": provenance.today(),
        "data": _records(provenance.describe_data(files["events"], files["recordings"], hop)),
        "audit": _records(provenance.count_audit(files["audit"])),
        "source": configuration["annotations"]["source"],
        "own": configuration["data"]["own"],
        "folds": configuration["folds"],
        "seeds": configuration["seeds"],
        "students": len(study.variants) * places,
        "inner_teachers": crossed * places * configuration["control_settings"]["parts"],
        "kinds": len(study.variants),
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


def _plain(value: object) -> str:
    return "none" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def _records(table: pd.DataFrame) -> list[dict]:
    return table.to_dict("records")


def _image(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")


def number(value: float, score: str) -> str:
    """A score as it is read: F-score in percent, error rate as it is."""
    return MISSING if pd.isna(value) else f"{value * FACTORS[score]:.{DIGITS[score]}f}"


def gap(value: float, score: str) -> str:
    """A difference of scores, with its sign; points of the F-score's percentage."""
    if pd.isna(value):
        return MISSING
    return f"{value * FACTORS[score]:+.{DIGITS[score]}f}".replace("-", MINUS)


def interval(low: float, high: float, score: str, signed: bool = False) -> str:
    """An interval as it is read."""
    if pd.isna(low) or pd.isna(high):
        return MISSING
    shown = gap if signed else number
    return f"[{shown(low, score)}, {shown(high, score)}]"


def _claims(claims: pd.DataFrame) -> list[dict]:
    """Each claim: its sentence, its verdict in the headline's setting, and all comparisons."""
    found = []
    for (_, text), rows in claims.groupby(["claim", "text"], sort=False):
        own = headline(rows)
        found.append(
            {
                "text": text,
                "reading": own.origin.iloc[0] == READING,
                "comparison": own.comparison.iloc[0].replace(" - ", f" {MINUS} "),
                "verdict": joint(list(own.verdict)),
                "rows": [_claim_row(row) for row in rows.itertuples()],
            }
        )
    return found


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
    """The interval within folds; of one seed in each, the one over folds."""
    within = mean.pairs > mean.folds
    return (mean.low, mean.high) if within else (mean.fold_low, mean.fold_high)


def _comparisons(
    files: Mapping, variants: Sequence[Variant], chosen: Chosen
) -> dict[str, list[dict]]:
    """Paired differences in the headline's setting: judged ones, and of others with the baseline.

    Others of the chosen, such as a control with another, are in the table alone.
    """
    table = headline(read_table(files["comparisons"]))
    titles = {each.row: each.title for each in variants}
    known = {each.row for each in chosen}
    judged = _judged_rows(chosen)
    found = {"judged": [], "others": []}
    for _, rows in table.groupby([*ROW, *AGAINST], dropna=False, sort=False):
        one, other = row_of(rows.iloc[0][ROW]), row_of(rows.iloc[0][AGAINST])
        if {one, other} <= known and {one, other} not in judged:
            continue
        cells = {"title": f"{titles[one]} {MINUS} {titles[other]}"}
        for row in rows.itertuples():
            cells[row.score] = _difference(row)
        found["judged" if {one, other} in judged else "others"].append(cells)
    return found


def _judged_rows(chosen: Chosen) -> set[frozenset[tuple]]:
    return {frozenset(each.row for each in pair) for pair in chosen.judged}


def _controls(table: pd.DataFrame) -> list[dict]:
    """Each control and score: the verdict, its sentence, and the differences behind it."""
    compared = {
        "gain": "soft labels less one-hot",
        "control_hard": "control less one-hot",
        "soft_control": "soft labels less control",
        "control_baseline": "control less no scene branch",
    }
    rows = []
    for row in _records(table):
        score = row["score"]
        rows.append(
            {
                "title": row["control"],
                "score": _score_name(score),
                "verdict": row["verdict"],
                "sentence": row["sentence"],
                "share": MISSING if pd.isna(row["share"]) else f"{row['share']:.0%}",
                "differences": [
                    {
                        "name": name,
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
        "pairs": row.pairs,
        "folds": row.folds,
        "side": {1: "better", -1: "worse"}.get(off, ""),
    }


def _table4(table: pd.DataFrame, chosen: Sequence[Variant]) -> dict[str, object]:
    """Table 4 of the chosen students, the best of each event marked."""
    own = headline(table)
    rows = []
    for event in own.event.unique():
        here = own[own.event == event]
        absent, runs = here[["absent", "runs"]].max()
        cells = {"event": event, "absent": f"{absent} of {runs}"}
        found = [of(here, each) for each in chosen]
        f_scores = [each.f_score_mean.squeeze() for each in found]
        for score in BETTER:
            values = [each[f"{score}_mean"].squeeze() for each in found]
            detected = f_scores if score == "error_rate" else None
            published = [each[f"published_{score}"].squeeze() for each in found]
            cells[score] = [
                {"mean": number(value, score), "published": number(paper, score), "best": best}
                for value, paper, best in zip(
                    values, published, best_of(values, BETTER[score], detected), strict=True
                )
            ]
        rows.append(cells)
    wins = {
        score: [sum(row[score][i]["best"] for row in rows) for i in range(len(chosen))]
        for score in BETTER
    }
    return {"titles": [each.title for each in chosen], "rows": rows, "wins": wins}


def _event_comparisons(table: pd.DataFrame, chosen: Chosen) -> list[dict]:
    """Paired differences of each event, for each pair that is judged."""
    judged = _judged_rows(chosen)
    titles = {each.row: each.title for each in chosen}
    found = []
    if table.empty:
        return found
    for _, pair in table.groupby([*ROW, *AGAINST], dropna=False, sort=False):
        one, other = (row_of(pair.iloc[0][columns]) for columns in (ROW, AGAINST))
        if {one, other} not in judged:
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
        title = f"{titles[one]} {MINUS} {titles[other]}"
        found.append({"title": title, "rows": rows, "counts": counts})
    return found


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
    }
