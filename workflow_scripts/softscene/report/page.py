"""The report: one page on what was run, and what it says about the paper."""

import base64
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from softscene.analysis.intervals import CONFIDENCE
from softscene.config.overrides import inner_teachers
from softscene.config.reading import read_yaml
from softscene.config.variants import Variant, choose_variants, shown_variants
from softscene.core.files import write_text
from softscene.core.tsv import read_table
from softscene.evaluation.tables import headline
from softscene.report import provenance
from softscene.report.forest import LOOKS
from softscene.report.numbers import records
from softscene.report.sections import (
    comparisons,
    control_sentences,
    controls,
    event_comparisons,
    heldout_test,
    open_choices,
    other_metrics,
    table3,
    table4,
    teachers,
)
from softscene.report.verdicts import (
    answer,
    claim_list,
    counted_pairs,
    own_data_answer,
    summary,
)

FIGURES = (
    "forest", "fig3", "table1_map", "curves", "confusion", "soft_map", "sensitivity_plot",
)  # fmt: skip
OTHER_PAGES = ("explorer.html", "workflow.html")
TEMPLATE = Path(__file__).with_name("report.html.j2")
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
    write_text(target, page.render(_contents(study, files) | _beside(study, Path(target))))


def _in_one_line(value: object) -> object:
    """Keep ``T = 1`` together where a line ends; leave HTML unchanged."""
    return value.replace(" = ", UNBROKEN_EQUALS) if type(value) is str else value


def _beside(study: ReportedRun, target: Path) -> dict[str, object]:
    """What exists already of what the page may link to: pages beside it, the workflow's docs."""
    docs, folder = Path(study.folder).resolve() / "docs", target.resolve().parent
    near = docs.is_dir() and docs.parent in folder.parents
    return {
        "pages": [name for name in OTHER_PAGES if (folder / name).exists()],
        "docs": os.path.relpath(docs, folder).replace(os.sep, "/") if near else None,
    }


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
        "colours": {verdict: colour for verdict, (colour, _, _) in LOOKS.items()},
        "answer": answer(claims) or own_data_answer(compared, chosen),
        "claims": claim_list(claims),
        "summary": summary(claims),
        "pairs": counted_pairs(compared),
        "table3": table3(files, variants, configuration["evaluation"]["conventions"]),
        "comparisons": comparisons(compared, variants, chosen),
        "controls": controls(read_table(files["controls"])),
        "control_sentences": control_sentences(read_table(files["controls"])),
        "table4": table4(read_table(files["table4"]), shown_variants(variants)),
        "event_comparisons": event_comparisons(
            read_table(files["event_comparisons"]), variants, chosen
        ),
        "field": other_metrics(files, chosen),
        "teachers": teachers(files),
        "sensitivity": open_choices(files),
        "heldout": heldout_test(configuration, files, variants),
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
        "data": records(provenance.describe_data(files["events"], files["recordings"], hop)),
        "audit": [
            row
            for name in ("audit", "heldout_audit")
            if name in files
            for row in records(provenance.count_audit(files[name]))
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
        "commit": re.sub(r"^(\w{10})\w{30}\b", r"\1", provenance.commit(study.folder)),
        "hardware": provenance.hardware(),
        "took": records(took),
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


def _image(path: str) -> str:
    return "data:image/png;base64," + base64.b64encode(Path(path).read_bytes()).decode("ascii")
