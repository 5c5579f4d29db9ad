"""The explorer: one page to see and hear what each method detects in the evaluation parts.

The page computes detections and counts by itself, for any threshold. It decides exactly as
the evaluation, as it knows each probability's rank among all thresholds: see :func:`.encode.codes`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from softscene.config.labels import Labels
from softscene.config.variants import Variant
from softscene.core.files import write_text
from softscene.core.progress import Progress
from softscene.core.tsv import read_numbers, read_table
from softscene.data.annotations import happenings
from softscene.data.splits import EVALUATION
from softscene.evaluation import metrics
from softscene.evaluation.probabilities import load_probabilities
from softscene.evaluation.scoring import Activity, reference_activity
from softscene.evaluation.tables import SYNTHETIC_NOTE
from softscene.evaluation.thresholds import MODES, reached
from softscene.explorer.encode import codes, frequency_marks, levels_of, packed, sound, spectrogram
from softscene.features.extraction import locate, read_mono
from softscene.features.store import FeatureParameters, FeatureStore, sources_of

PAGE = Path(__file__).with_name("web")
SCRIPTS = (
    "decisions.js", "drawing.js", "player.js", "state.js", "tables.js", "view.js", "errors.js",
    "link.js", "explorer.js",
)  # fmt: skip
# Of students. Each reaches a contrast of 3:1 on the white page and on the dark one.
COLOURS = ("#0072B2", "#B87A00", "#009E73", "#C0639A", "#3D96D0", "#D55E00")
Json = dict[str, Any]


@dataclass(frozen=True)
class Shown:
    """A student of the page: what it is, its seed, and its files of each fold."""

    variant: Variant
    seed: int
    probabilities: Sequence[str | Path]
    thresholds: Sequence[str | Path]

    @property
    def title(self) -> str:
        """The row of Table 3 that it belongs to."""
        return self.variant.title


def shown_of(
    variants: Sequence[Mapping[str, Any]],
    seed: int,
    probabilities: Sequence[str],
    thresholds: Sequence[str],
) -> list[Shown]:
    """Match the variants with the files, which are sorted by variant and then by fold."""
    folds = len(probabilities) // len(variants)
    parts = [slice(index * folds, (index + 1) * folds) for index in range(len(variants))]
    return [
        Shown(Variant(**each), seed, probabilities[part], thresholds[part])
        for each, part in zip(variants, parts, strict=True)
    ]


@dataclass(frozen=True)
class Sources:
    """Where the recordings and their reference are.

    Attributes
    ----------
    audio
        Table of downloaded recordings -> their folder.
    events
        ``events.tsv``, the reference.
    features
        ``features.h5``.
    folds
        Fold -> its ``recordings.tsv``, in the order of :class:`Shown`'s files.
    parameters
        What the features must have been made with.
    """

    audio: Mapping[str | Path, str | Path]
    events: str | Path
    features: str | Path
    folds: Mapping[int, str | Path]
    parameters: FeatureParameters

    @property
    def hop(self) -> float:
        """Seconds from frame to frame."""
        return self.parameters.hop_length / self.parameters.sample_rate

    def facts(self) -> dict[str, str]:
        """The origin that the features must have."""
        return sources_of(self.events, list(self.audio))


@dataclass(frozen=True)
class StudentOutput:
    """A student's output for an evaluation part.

    Attributes
    ----------
    probabilities
        Recording -> frames x events.
    thresholds
        Mode -> threshold of each event.
    """

    probabilities: Activity
    thresholds: dict[str, np.ndarray]


@dataclass(frozen=True)
class Part:
    """An evaluation part.

    Attributes
    ----------
    fold
        The fold that it belongs to.
    scenes
        Recording -> its scene.
    reference
        Recording -> frames x events.
    outputs
        One for each student.
    """

    fold: int
    scenes: dict[str, str]
    reference: Activity
    outputs: list[StudentOutput]


def choose_recordings(scenes: Mapping[str, str], number: int) -> list[str]:
    """Choose up to ``number`` recordings: from each scene in turn, in the order given.

    Parameters
    ----------
    scenes
        Recording -> its scene.
    number
        How many.
    """
    of_scene: dict[str, list[str]] = {}
    for recording, scene in scenes.items():
        of_scene.setdefault(scene, []).append(recording)
    in_turn = chain.from_iterable(zip_longest(*of_scene.values()))
    chosen = set([name for name in in_turn if name is not None][:number])
    return [name for names in of_scene.values() for name in names if name in chosen]


def chosen_recordings(folds: Iterable[str | Path], number: int) -> list[str]:
    """:func:`choose_recordings` of each fold, by its ``recordings.tsv``."""
    return [name for source in folds for name in choose_recordings(_evaluated(source), number)]


def _evaluated(source: str | Path) -> dict[str, str]:
    """Recording -> scene, of a fold's evaluation part."""
    table = read_table(source)
    table = table[table.part == EVALUATION]
    return dict(zip(table.recording, table.scene, strict=True))


def make_explorer(
    sources: Sources,
    shown: Sequence[Shown],
    labels: Labels,
    number: int,
    target: str | Path,
    run: str,
    synthetic: bool,
    terms: str | None,
) -> None:
    """Write the page: one HTML file that needs no other and no network.

    Parameters
    ----------
    sources, shown, labels
        What it shows.
    number
        Recordings of each evaluation part, see :func:`choose_recordings`.
    target
        The HTML file.
    run
        Its name.
    synthetic
        Whether the sounds were generated, which the page then says.
    terms
        Terms of the data that the page contains, if any.

    Raises
    ------
    AudioError, FeatureError, ResultError
        A file is missing or damaged.
    """
    of_recording = read_table(sources.events).groupby("recording")
    events = {name: happenings(rows) for name, rows in of_recording}
    parts = [
        _read_part(sources, shown, events, labels, index) for index in range(len(sources.folds))
    ]
    levels = levels_of(
        limit
        for part in parts
        for each in part.outputs
        for limits in each.thresholds.values()
        for limit in limits
    )
    tallies = [_tally(part, levels) for part in parts]
    chosen = [
        (index, name)
        for index, part in enumerate(parts)
        for name in choose_recordings(part.scenes, number)
    ]
    overview = {
        "title": f"Explorer of the run {run}",
        "reference": True,
        "note": SYNTHETIC_NOTE.replace("*", "") if synthetic else None,
        "terms": terms,
        "hop": sources.hop,
        "events": labels.events,
        "modes": MODES,
        "levels": levels.tolist(),
        "frequencies": frequency_marks(sources.parameters),
        "students": [
            {"name": each.title, "colour": COLOURS[i % len(COLOURS)]}
            for i, each in enumerate(shown)
        ],
        "parts": [_of_part(*each, levels) for each in zip(parts, tallies, strict=True)],
        "recordings": [
            {"part": index, "name": name, "scene": parts[index].scenes[name],
             "frames": len(parts[index].reference[name]), "occurrences": len(events[name]),
             "students": [_counted(each) for each in tallies[index][name]]}
            for index, name in chosen
        ],
    }  # fmt: skip
    content = _contents(
        sources, [(parts[index], name) for index, name in chosen], events, labels, levels
    )
    write_text(target, fill_page(overview, content))


def _read_part(
    sources: Sources,
    shown: Sequence[Shown],
    events: Mapping[str, pd.DataFrame],
    labels: Labels,
    index: int,
) -> Part:
    fold, source = list(sources.folds.items())[index]
    scenes = _evaluated(source)
    names = list(scenes)
    outputs, data = [], sources.facts()
    for each in shown:
        origin = {**each.variant.wildcards, "fold": str(fold), "seed": str(each.seed), **data}
        limits = read_numbers(each.thresholds[index], MODES)
        limits = limits.set_index("event").loc[list(labels.events)]
        outputs.append(
            StudentOutput(
                probabilities=load_probabilities(each.probabilities[index], names, origin)[0],
                thresholds={mode: limits[mode].to_numpy(float) for mode in MODES},
            )
        )
    return Part(
        fold=fold,
        scenes=scenes,
        reference=reference_activity(events, outputs[0].probabilities, labels, sources.hop, 1),
        outputs=outputs,
    )


def _tally(part: Part, levels: np.ndarray) -> dict[str, np.ndarray]:
    """Recording -> students x thresholds x 6 sums over all events, see :func:`_sums`.

    Thresholds are those of each of ``MODES``, and then each level.
    """
    return {
        name: np.array(
            [
                [
                    _sums(reference, reached(detector.probabilities[name], limits))
                    for limits in [*(detector.thresholds[mode] for mode in MODES), *levels]
                ]
                for detector in part.outputs
            ]
        )
        for name, reference in part.reference.items()
    }


def _sums(reference: np.ndarray, detected: np.ndarray) -> list[int]:
    """TP, FP, FN, substitutions, deletions and insertions, over all events of a recording."""
    counts = metrics.count(reference, detected)
    names = ("true_positives", "false_positives", "false_negatives")
    sums = [int(getattr(counts, name).sum()) for name in names]
    return [*sums, counts.substitutions, counts.deletions, counts.insertions]


def _of_part(part: Part, tallies: Mapping[str, np.ndarray], levels: np.ndarray) -> Json:
    """Counts of the whole part, which the page cannot make: it does not have all recordings."""
    places = {level: index for index, level in enumerate(levels.tolist())}
    totals = np.sum(list(tallies.values()), axis=0)
    return {
        "fold": part.fold,
        "recordings": len(part.scenes),
        "students": [
            {
                "thresholds": {
                    mode: [places[limit] for limit in limits.tolist()]
                    for mode, limits in detector.thresholds.items()
                },
                **_counted(total),
            }
            for detector, total in zip(part.outputs, totals, strict=True)
        ],
    }


def _counted(tally: np.ndarray) -> Json:
    """A student's sums of each mode and of each level, as the page reads them."""
    first = len(MODES)
    modes = dict(zip(MODES, tally[:first].tolist(), strict=True))
    return {"modes": modes, "levels": tally[first:].tolist()}


def _contents(
    sources: Sources,
    chosen: Sequence[tuple[Part, str]],
    events: Mapping[str, pd.DataFrame],
    labels: Labels,
    levels: np.ndarray,
) -> Iterator[Json]:
    """Sound, spectrogram, reference and codes of each recording."""
    scenes = pd.Series({name: part.scenes[name] for part, name in chosen})
    paths = locate(sources.audio, scenes).path
    progress = Progress("explorer", len(chosen), "recording")
    with FeatureStore(sources.features, sources.parameters, sources.facts()) as store:
        for part, name in chosen:
            image, step = spectrogram(store.read(name)[0])
            rate = sources.parameters.sample_rate
            yield {
                "sound": sound(read_mono(paths[name], rate), rate),
                "image": image,
                "frames_a_pixel": step,
                "occurrences": [
                    (labels.events.index(row.event), row.onset, row.offset)
                    for row in events[name].sort_values("onset", kind="stable").itertuples()
                ],
                "reference": packed(part.reference[name].T.astype("u1")),
                "codes": [packed(codes(each.probabilities[name], levels)) for each in part.outputs],
            }
            progress.advance()


def fill_page(overview: Json, contents: Iterable[Json]) -> str:
    """The page's text: its template with style, scripts and data in it.

    Each recording's content is a separate element, which is read when the recording is chosen.
    """
    data = [("study", overview)]
    data += [(f"recording-{index}", content) for index, content in enumerate(contents)]
    elements = [
        f'<script type="application/json" id="{name}">{_json(content)}</script>'
        for name, content in data
    ]
    parts = {
        "title": escape(overview["title"]),
        "style": (PAGE / "explorer.css").read_text(encoding="utf-8"),
        "script": "\n".join((PAGE / name).read_text(encoding="utf-8") for name in SCRIPTS),
        "data": "\n".join(elements),
    }
    page = (PAGE / "explorer.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], page)


def _json(content: Json) -> str:
    """JSON that cannot close the element that contains it."""
    return json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
