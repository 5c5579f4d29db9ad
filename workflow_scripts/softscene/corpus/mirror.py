"""A synthetic corpus in TUT's exact format: archives, lists and a registry with their checksums.

TUT's own labels, as documented: ``object impact``, ``car passing by``, ``children shouting`` and
``people speaking`` in 2016; in 2017's street set only the last differs from the paper's.
``water tap running`` ends with a blank in TUT's lists.
"""

import hashlib
import io
import itertools
import logging
import shutil
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import pandas as pd
import soundfile
import yaml

from softscene.config.labels import Labels, read_labels
from softscene.config.reading import read_yaml
from softscene.core.errors import AnnotationError, ConfigurationError
from softscene.core.files import other_than_file, partial_beside, replacing, write_text
from softscene.core.processes import fork_pool
from softscene.core.progress import Progress
from softscene.core.tsv import read_table
from softscene.corpus.heldout import UNLISTED, draw_heldout, lengths_of
from softscene.corpus.sample_annotations import (
    CLIP_SECONDS,
    FOLDS,
    OFFICE,
    draw_annotations,
    plan_recordings,
    split_folds,
)
from softscene.corpus.synthesis import SAMPLE_RATE, EventSound, read_sounds, render_recording
from softscene.data.annotations import (
    FOLD_LIST,
    MAIN_LIST,
    PUBLISHED_COLUMNS,
    SECOND_LIST,
    clean,
    read_published,
)
from softscene.data.archives import Registry, read_registry

logger = logging.getLogger(__name__)

STREET = "TUT-sound-events-2017-development"
ACOUSTIC_SCENES = "TUT-acoustic-scenes-2016-development"
PARTS = ("development", "evaluation")
LISTS = [MAIN_LIST, *(FOLD_LIST.format(fold=fold, part=part) for fold in FOLDS for part in PARTS)]
_SAME_IN_STREET = ("car", "children")  # labels that the street set shares with the paper
_WITH_BLANK = {"water tap running": "water tap running "}
# As UNLISTED of the evaluation sets.
_UNLISTED = UNLISTED | {
    STREET: ("audio/street/a{:03d}.wav", None, None),
    ACOUSTIC_SCENES: ("audio/a{:03d}_0_30.wav", "bus", CLIP_SECONDS),
}
_TIMESTAMP = (2016, 1, 1, 0, 0, 0)
_NOTICE = """\
# {} (synthetic)

Everything in this data set was computed by softscene. It has the format of TUT's data set of this
name, but none of its recordings. The sounds are free to use. Annotations that were drawn at random
are free too; those from a given list belong to its authors.
"""


@dataclass(frozen=True)
class CorpusPlan:
    """What a corpus will hold, before any sound is made.

    Attributes
    ----------
    recordings
        ``path``, ``scene_label`` and ``seconds`` of each.
    events
        Rows of all recordings, with the authors' columns.
    lists
        The authors' files: path -> content.
    """

    recordings: pd.DataFrame
    events: pd.DataFrame
    lists: dict[str, bytes]

    def paths(self, dataset: str) -> list[str]:
        """Recordings of a data set, sorted."""
        return sorted(path for path in self.recordings.path if path.startswith(f"{dataset}/"))


def make_corpus(
    destination: str | Path,
    registry: str | Path,
    labels: str | Path,
    event_statistics: str | Path,
    scene_statistics: str | Path,
    event_sounds: str | Path,
    seed: int,
    recordings: Mapping[str, int] | None = None,
    seconds: Mapping[str, float] | None = None,
    annotations: str | Path | None = None,
    workers: int = 1,
    heldout: bool = False,
) -> None:
    """Write a mirror folder: archives, annotation lists and ``archives.yaml``.

    The same arguments give the same bytes on a machine, whatever ``workers`` is.

    Parameters
    ----------
    destination
        Folder to write into; ``archives.yaml``, with all sizes and checksums, is written last.
    registry
        The registry of the real archives: gives the archives' names and the registry's layout.
    labels, event_statistics, scene_statistics, event_sounds
        The files in ``resources/``.
    seed
        Seed of all random numbers.
    recordings, seconds
        Scene -> number of recordings and seconds of each, to draw a small corpus.
    annotations
        Used instead of those two: a folder with the layout of the authors' repository. Sound is
        made for all of its list, and its files are copied byte for byte.
    workers
        Processes; each holds one recording in memory.
    heldout
        Whether to make the evaluation sets and the second list, whose registry is then given.

    Raises
    ------
    ConfigurationError
        Sizes are impossible or missing, or the registry or the sounds cannot be used.
    AnnotationError
        Files or rows of ``annotations`` cannot be used.
    """
    names, entries, sounds = read_labels(labels), read_registry(registry), read_sounds(event_sounds)
    if missing := [f"{event}: has no sound" for event in names.events if event not in sounds]:
        raise ConfigurationError.of(f"{event_sounds} is incomplete:", missing)
    if annotations is not None:
        plan = plan_given(annotations, names, read_table(scene_statistics), heldout)
    else:
        plan = plan_drawn(read_table(event_statistics), recordings, seconds, seed, heldout)
    plan = _add_unlisted(plan, entries)
    destination = Path(destination)
    for name, content in plan.lists.items():
        with replacing(destination / entries.annotations.name / name) as partial:
            partial.write_bytes(content)
    with _folder_beside(destination) as waves, _pool(workers) as run:
        _render(plan, sounds, seed, waves, run)
        archives = _distribute(plan, entries)
        list(run(_pack_audio, [(destination / n, waves, own) for n, own in archives.items()]))
    _pack_texts(destination, entries, plan, names)
    _write_registry(destination, Path(registry), entries, plan.lists)


def plan_drawn(
    event_statistics: pd.DataFrame,
    recordings: Mapping[str, int] | None,
    seconds: Mapping[str, float] | None,
    seed: int,
    heldout: bool = False,
) -> CorpusPlan:
    """Plan a corpus of drawn annotations; see :func:`make_corpus`."""
    if not recordings or seconds is None:
        raise ConfigurationError(
            "a corpus needs either recordings and seconds of each scene, or annotations; given: "
            f"recordings {recordings}, seconds {seconds}"
        )
    if heldout:
        planned, events = draw_heldout(event_statistics, recordings, seconds, seed)
        tables = {SECOND_LIST: events}
    else:
        planned = plan_recordings(recordings, seconds, seed)
        events = draw_annotations(event_statistics, recordings, seconds, seed)
        tables = {MAIN_LIST: events}
        for fold, parts in split_folds(events, planned).items():
            for part, table in zip(PARTS, parts, strict=True):
                tables[FOLD_LIST.format(fold=fold, part=part)] = table
    texts = {n: t.to_csv(sep="\t", index=False, lineterminator="\n") for n, t in tables.items()}
    return CorpusPlan(planned, events, {name: text.encode() for name, text in texts.items()})


def plan_given(
    folder: str | Path, labels: Labels, scene_statistics: pd.DataFrame, heldout: bool = False
) -> CorpusPlan:
    """Plan a corpus for a given list; see :func:`make_corpus`.

    A recording lasts until its last offset (1 s without events), plus an equal share of the rest
    of its scene's minutes; of the second list, no minutes are known. Clips last 30 or 10 s and one
    sample.
    """
    folder, names = Path(folder), [SECOND_LIST] if heldout else LISTS
    missing = [
        f"{folder / name} {other_than_file(folder / name) or 'is missing'}"
        for name in names
        if not (folder / name).is_file()
    ]
    if missing:
        raise AnnotationError.of("the annotation folder is incomplete:", missing)
    table = read_published(folder / names[0])
    clean(table, labels)  # only for its errors: the list itself is used unchanged
    events = table.rename(columns={ours: own for own, ours in PUBLISHED_COLUMNS.items()})
    events = events[list(PUBLISHED_COLUMNS)]
    recordings = events.groupby("path", sort=False).agg(
        scene_label=("scene_label", "first"), seconds=("event_end_time", "max")
    )
    recordings = recordings.fillna({"seconds": 1.0}).reset_index()
    seconds = lengths_of(recordings) if heldout else _usual_lengths(recordings, scene_statistics)
    lists = {name: (folder / name).read_bytes() for name in names}
    events = events.dropna(subset="event_label")
    return CorpusPlan(recordings.assign(seconds=seconds), events, lists)


def _usual_lengths(recordings: pd.DataFrame, scene_statistics: pd.DataFrame) -> pd.Series:
    scene, last = recordings.scene_label, recordings.seconds
    total = 60 * scene.map(scene_statistics.set_index("scene_label").minutes)
    left = (total - last.groupby(scene).transform("sum")).clip(lower=0)
    length = last + left / last.groupby(scene).transform("size")
    return length.mask(scene == OFFICE, CLIP_SECONDS).clip(lower=last)


def _add_unlisted(plan: CorpusPlan, registry: Registry) -> CorpusPlan:
    """Add unlisted recordings: one per data set, or more if an audio archive would be empty.

    Street recordings get the events of the first listed one; the other scene has no events.
    """
    used = {PurePosixPath(path).stem.split("_")[0] for path in plan.recordings.path}
    free = (n for n in itertools.count(1) if not used & {f"a{n:03d}", str(n)})
    twin = plan.recordings[plan.recordings.scene_label == "city_center"].head(1)
    length = max(twin.seconds, default=CLIP_SECONDS)
    rows, events = [], [plan.events]
    for dataset in [name for name in registry.datasets if name in _UNLISTED]:
        form, scene, seconds = _UNLISTED[dataset]
        empty = len(registry.datasets[dataset].audio) - len(plan.paths(dataset))
        for _ in range(max(1, empty)):
            path = f"{dataset}/{form.format(next(free))}"
            rows.append((path, scene or "city_center", seconds or length))
            if scene is None:
                events.append(plan.events[plan.events.path.isin(twin.path)].assign(path=path))
    extra = pd.DataFrame(rows, columns=["path", "scene_label", "seconds"])
    recordings = pd.concat([plan.recordings[list(extra)], extra], ignore_index=True)
    return replace(plan, recordings=recordings, events=pd.concat(events, ignore_index=True))


def _distribute(plan: CorpusPlan, registry: Registry) -> dict[str, list[str]]:
    """Audio archive -> its recordings; a data set's archives take them in turn."""
    return {
        archive.name: plan.paths(name)[i :: len(dataset.audio)]
        for name, dataset in registry.datasets.items()
        for i, archive in enumerate(dataset.audio)
    }


@contextmanager
def _folder_beside(destination: Path) -> Iterator[Path]:
    folder = partial_beside(destination)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[Callable, Iterable], Iterable]]:
    if workers == 1:
        yield map
        return
    with fork_pool(workers, "make_corpus") as pool:
        yield pool.map


def _render(
    plan: CorpusPlan, sounds: Mapping[str, EventSound], seed: int, folder: Path, run: Callable
) -> None:
    rows, none = dict(tuple(plan.events.groupby("path"))), plan.events.head(0)
    # longest first, so that no worker is left with a long one at the end
    order = plan.recordings.sort_values("seconds", ascending=False, kind="stable")
    jobs = [(*row, rows.get(row.path, none), sounds, seed, folder) for row in _rows(order)]
    progress = Progress("rendering", len(jobs), "recording")
    for _ in run(_render_one, jobs):
        progress.advance()
    logger.info("%.1f minutes of sound in %d recordings", order.seconds.sum() / 60, len(order))


def _rows(table: pd.DataFrame) -> Iterable:
    return table.itertuples(index=False)


def _render_one(job: tuple) -> None:
    path, scene, seconds, events, sounds, seed, folder = job
    rng = np.random.default_rng(np.random.SeedSequence([seed, zlib.crc32(path.encode())]))
    sound = render_recording(events, scene, seconds, rng, sounds)
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()  # soundfile does not report a full disk
    soundfile.write(content, sound, SAMPLE_RATE, subtype="PCM_24", format="WAV")
    target.write_bytes(content.getbuffer())


def _pack_audio(job: tuple[Path, Path, list[str]]) -> None:
    target, folder, paths = job
    _pack(target, ((path, _take(folder / path)) for path in paths))


def _take(path: Path) -> bytes:
    content = path.read_bytes()
    path.unlink()
    return content


def _pack(target: Path, members: Iterable[tuple[str, bytes]]) -> None:
    """Write a zip archive whose bytes depend only on its members' names and contents."""
    with replacing(target) as partial, zipfile.ZipFile(partial, "w") as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, _TIMESTAMP)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED, 1)


def _pack_texts(destination: Path, registry: Registry, plan: CorpusPlan, labels: Labels) -> None:
    """Write each data set's archives without audio."""
    for dataset, entry in registry.datasets.items():
        notice = {f"{dataset}/README.md": _NOTICE.format(dataset)}
        scenes_only = "-acoustic-scenes-" in dataset
        meta = _scene_meta(plan, dataset) if scenes_only else _event_meta(plan, dataset, labels)
        for name in set(entry.archives) - {archive.name for archive in entry.audio}:
            texts = meta if name == entry.meta.name else notice
            _pack(destination / name, ((n, text.encode()) for n, text in texts.items()))


def _scene_meta(plan: CorpusPlan, dataset: str) -> dict[str, str]:
    scenes = dict(zip(plan.recordings.path, plan.recordings.scene_label, strict=True))
    clips = plan.paths(dataset)
    lines = [f"{path.removeprefix(f'{dataset}/')}\t{scenes[path]}\n" for path in clips]
    name = "meta.txt" if dataset == ACOUSTIC_SCENES else "evaluation_setup/evaluate.txt"
    return {f"{dataset}/{name}": "".join(lines)}


def _event_meta(plan: CorpusPlan, dataset: str, labels: Labels) -> dict[str, str]:
    """An ``.ann`` for each recording, and the meta archive's other files, which no job reads."""
    usual = _street_lists if dataset == STREET else _lists_of_2016
    form = _evaluation_lists if dataset.endswith("-evaluation") else usual
    same = _SAME_IN_STREET if dataset == STREET else ()
    own = {ours: theirs for theirs, ours in labels.event_of.items() if ours not in same}
    renamed = plan.events.event_label.replace(own | _WITH_BLANK)
    events = dict(tuple(plan.events.assign(event_label=renamed).groupby("path")))
    seconds = dict(zip(plan.recordings.path, plan.recordings.seconds, strict=True))
    members: dict[str, str] = {}
    for path in plan.paths(dataset):
        name = PurePosixPath(path.removeprefix(f"{dataset}/"))
        rows = list(_rows(events.get(path, plan.events.head(0))))
        for member, text in form(name, rows, seconds[path]).items():
            whole = f"{dataset}/{member}"
            members[whole] = members.get(whole, "") + text
    return members


def _lists_of_2016(name: PurePosixPath, rows: list, seconds: float) -> dict[str, str]:
    """Onset and offset with six decimals, and label; ``meta_full`` has more labels."""
    scene = name.parent.name
    short = "".join(map(_three_columns, rows))
    lines = [f"{name}\t{scene}\t{_three_columns(row)[:-1]}\tm\n" for row in rows]
    return {
        f"meta/{scene}/{name.stem}.ann": short,
        f"meta_full/{scene}/{name.stem}_full.ann": f"0.000000\t{seconds:.6f}\ttraffic\n{short}",
        f"evaluation_setup/{scene}_fold1_train.txt": "".join(line[:-3] + "\n" for line in lines),
        "meta.txt": "".join(lines),
    }


def _street_lists(name: PurePosixPath, rows: list, _: float) -> dict[str, str]:
    """Seven columns, shortest decimals, CRLF; the ``non_verified`` lists are as in 2016."""
    scene = name.parent.name
    times = ((_shortest(row.event_start_time), _shortest(row.event_end_time)) for row in rows)
    lines = (
        "\t".join([str(name), scene, *pair, row.event_label, "mixture", name.stem])
        for pair, row in zip(times, rows, strict=True)
    )
    return {
        f"meta/{scene}/{name.stem}.ann": "".join(f"{line}\r\n" for line in lines),
        f"non_verified/{scene}/{name.stem}.ann": "".join(map(_three_columns, rows)),
    }


def _evaluation_lists(name: PurePosixPath, rows: list, _: float) -> dict[str, str]:
    """As ``dcase_util`` reads them: decimal commas in 2016; that of 2017 is too small for lists."""
    scene = name.parent.name
    if scene == "street":
        return {"evaluation_setup/street_test.txt": f"{name}\t{scene}\n"}
    lines = "".join(map(_three_columns, rows))
    return {f"meta/{scene}/{name.stem}.ann": lines.replace(".", ",")}


def _three_columns(row: tuple) -> str:
    return f"{row.event_start_time:.6f}\t{row.event_end_time:.6f}\t{row.event_label}\n"


def _shortest(seconds: float) -> str:
    return np.format_float_positional(seconds, trim="0")


def _write_registry(
    destination: Path, form: Path, registry: Registry, lists: Iterable[str]
) -> None:
    """Write ``archives.yaml``: the real one with these files' sizes and checksums."""
    content: dict[str, Any] = read_yaml(form, "archive registry")
    for dataset in content["datasets"].values():
        for name, facts in dataset["archives"].items():
            path = destination / name
            facts |= {"bytes": path.stat().st_size, "md5": _digest(path, "md5")}
    folder = destination / registry.annotations.name
    content["annotations"]["files"] = {name: _digest(folder / name, "sha256") for name in lists}
    head = "# A synthetic corpus made by softscene, in the form of the real registry.\n"
    write_text(destination / "archives.yaml", head + yaml.safe_dump(content, sort_keys=False))


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
