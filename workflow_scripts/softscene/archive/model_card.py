"""The model card: what a run's detector is, knows, scores and may be used for."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from softscene.analysis.intervals import CONFIDENCE, of
from softscene.archive.contents import ArchivedRun
from softscene.config.overrides import student_settings
from softscene.core.tsv import read_table
from softscene.data.archives import read_registries
from softscene.detect.detector import Detector, load_detector
from softscene.evaluation.tables import as_markdown, headline

TEMPLATE = Path(__file__).with_name("model_card.md.j2")
SCALES = {"f_score": ("F-score", 100.0, 2, " %"), "error_rate": ("error rate", 1.0, 4, "")}


class _Raw(str):
    """Markdown, or text that needs no escaping."""


def write_card(run: ArchivedRun, files: Mapping[str, Any]) -> str:
    """Write the card, in Markdown.

    Parameters
    ----------
    run
        The run.
    files
        ``detector``, ``means`` (``table3_intervals.tsv``) and ``table4``; ``terms`` of the
        published data, and their ``registries``.
    """
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE.parent),
        autoescape=False,  # it is no HTML; names are escaped for Markdown by `finalize`
        undefined=StrictUndefined,
        finalize=_escaped,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["raw"] = _Raw
    page = environment.get_template(TEMPLATE.name)
    detector = load_detector(files["detector"], torch.device("cpu"))
    return page.render(_contents(run, detector, files))


def _escaped(value: object) -> object:
    return as_markdown(value) if type(value) is str else value


def _contents(run: ArchivedRun, detector: Detector, files: Mapping[str, Any]) -> dict[str, Any]:
    about, configured = detector.about, run.configuration
    (variant,) = {each for each, _, _ in run.students() if each.folder == about.variant}
    scores = of(headline(read_table(files["means"])), variant)
    hop = about.features.hop_length / about.features.sample_rate
    return {
        "run": run.name,
        "folder": run.folder,
        "synthetic": about.synthetic,
        "members": len(detector.members),
        "variant": variant.title,
        "frame": f"{hop * 1000:g}",
        "clip_seconds": f"{about.clip_frames * hop:g}",
        "knows_scenes": detector.knows_scenes,
        "events": about.events,
        "scenes": about.scenes,
        "event_table": _event_table(detector, of(headline(read_table(files["table4"])), variant)),
        "datasets": _datasets(run, files),
        "folds": _Raw(", ".join(map(str, configured["folds"]))),
        "seeds": _Raw(", ".join(map(str, configured["seeds"]))),
        "several_folds": len(configured["folds"]) > 1,
        "epochs": student_settings(configured, variant.method).training["epochs"],
        "score_table": _score_table(scores),
        "no_interval": bool(scores[["low", "fold_low"]].isna().all(axis=None)),
        "confidence": f"{CONFIDENCE:.0%}",
        "terms": Path(files["terms"]).read_text(encoding="utf-8").strip().splitlines(),
    }


def _datasets(run: ArchivedRun, files: Mapping[str, Any]) -> list[Any]:
    if not run.datasets:
        return []
    registry = read_registries(files["registries"])
    return [registry.datasets[name] for name in run.datasets]


def _event_table(detector: Detector, table4: pd.DataFrame) -> _Raw:
    scores = table4.set_index("event").f_score_mean
    rows = [
        (as_markdown(event), f"{threshold:.2f}", _number(scores.get(event, math.nan), "f_score"))
        for event, threshold in zip(detector.about.events, detector.thresholds, strict=True)
    ]
    return _table(["event", "threshold", "F-score"], rows)


def _score_table(scores: pd.DataFrame) -> _Raw:
    rows = [
        (
            SCALES[row.score][0],
            _number(row.mean, row.score),
            _interval(row.low, row.high, row.score),
            _interval(row.fold_low, row.fold_high, row.score),
            str(row.pairs),
        )
        for row in scores.itertuples()
    ]
    return _table(["score", "mean", "over seeds", "over folds", "students"], rows)


def _number(value: float, score: str) -> str:
    _, scale, digits, unit = SCALES[score]
    return "" if pd.isna(value) else f"{value * scale:.{digits}f}{unit}"


def _interval(low: float, high: float, score: str) -> str:
    return "" if pd.isna(low) else f"{_number(low, score)} to {_number(high, score)}"


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> _Raw:
    table = pd.DataFrame(rows, columns=heads)
    return _Raw(table.to_markdown(index=False, disable_numparse=True))
