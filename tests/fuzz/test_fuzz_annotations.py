"""Annotation lists of any bytes are refused by name, or read as a few plain lines read them."""

import logging
import math
import posixpath
import re
from collections import defaultdict
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from softscene.core.errors import AnnotationError, SoftSceneError
from softscene.core.tsv import read_table, write_table
from softscene.data.annotations import (
    EVENT_COLUMNS,
    PUBLISHED_COLUMNS,
    clean,
    compare,
    happenings,
    merge,
    read_published,
)
from softscene.data.merging import OFFICE, merge_lists
from softscene.data.tut import read_scenes, read_tut

from tests.conftest import ROOT
from tests.fuzz.strategies import edited, numbers, share, snippets, usually, words

pytestmark = pytest.mark.slow

STREET, SCENES = "TUT-sound-events-2017-development", "TUT-acoustic-scenes-2016-development"
SCENE_OF = {
    f"{STREET}/audio/street/a1.wav": "city_center",
    f"{STREET}/audio/street/a2.wav": "city_center",
    f"{SCENES}/audio/b1_0_30.wav": "office",
}
DURATIONS = dict(zip(SCENE_OF, (40.0, 9.75, 30.0), strict=True))
OVERRUN = 0.5
EVENTS = ["car", "(object) impact", "people talking"]
TUT_EVENTS = ["car", "object impact", "people speaking", "people walking"]
ROW = ["line", *EVENT_COLUMNS]
HEADER = "\t".join(PUBLISHED_COLUMNS)
FIRST = next(iter(SCENE_OF))
ROW_OF_LIST = f"{FIRST}\tcity_center\t0.5\t1.25\tcar"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder of the module's own; dcase_util does not fill the report with what it refuses."""
    logging.getLogger("dcase_util").setLevel(logging.CRITICAL + 1)
    return tmp_path_factory.mktemp("annotations")


# The plain reader: lines, tabs, float()


def lines_of(text):
    """Number and text of each line that holds something."""
    return [(n, line) for n, line in enumerate(re.split("\r\n|\r|\n", text), 1) if line]


def number(text):
    try:
        return float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return math.nan


def plain_published(content):
    """The rows of an authors' list, or None for what is none."""
    try:
        lines = lines_of(content.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError:
        return None
    if not lines or lines[0][0] != 1:
        return None
    header = lines[0][1].split("\t")
    if any(header.count(column) != 1 for column in PUBLISHED_COLUMNS):
        return None
    rows = [(line, text.split("\t")) for line, text in lines[1:]]
    if any(len(fields) > len(header) for _, fields in rows):
        return None
    found = []
    for line, fields in rows:
        texts = dict(zip(header, fields + [""] * len(header), strict=False))
        row = {"line": line} | {own: texts[name] for name, own in PUBLISHED_COLUMNS.items()}
        row |= {name: row[name].strip() for name in ("scene", "event")}
        if not row["onset"] + row["offset"] + row["event"]:
            row["event"] = math.nan  # the recording has no events
        row |= {"onset": number(row["onset"]), "offset": number(row["offset"])}
        if any(fields):
            found.append(tuple(row[column] for column in ROW))
    return found


def is_known(row, labels, durations):
    return row[1] and row[2] in labels.scenes and (not durations or row[1] in durations)


def is_bad(row, rows, labels, durations):
    _, recording, _, onset, offset, event = row
    if not is_known(row, labels, durations):
        return True
    if isinstance(event, float):  # NaN: no event
        return [other[1] for other in rows].count(recording) > 1
    if event not in labels.events:
        return True
    if not (math.isfinite(onset) and math.isfinite(offset) and 0 <= onset <= offset):
        return True
    end = durations[recording] if durations else math.inf
    return offset > end + OVERRUN or onset >= end


def without(rows, dropped, labels, durations):
    """Rows that are left, where a recording without any has one of no event, and (line, action)."""
    left = {row[1] for row in rows if row not in dropped}
    kept, audit = [], [(row[0], "dropped") for row in dropped]
    for row in rows:
        line, recording, scene, *_ = row
        if row not in dropped:
            kept.append(row)
        elif recording and recording not in left:
            left.add(recording)
            stays = is_known(row, labels, durations)
            audit.append((line, "changed" if stays else "dropped"))
            if stays:
                kept.append((line, recording, scene, math.nan, math.nan, math.nan))
    return kept, audit


def plain_clean(rows, labels, durations):
    """Usable rows, (line, action) of each that was dropped or changed, and what is wrong: lines of
    bad rows, recordings of two scenes.
    """
    empty = [row for row in rows if row[3] == row[4] and math.isfinite(row[3])]
    rest, audit = without(rows, empty, labels, durations)
    bad = [row for row in rest if is_bad(row, rest, labels, durations)]
    scenes = defaultdict(set)
    for _, recording, scene, *_ in rest:
        scenes[recording].add(scene)
    good, more = without(rest, bad, labels, durations)
    kept, audit = [], audit + more
    for row in good:
        line, recording, scene, onset, offset, event = row
        if durations and offset > durations[recording]:
            offset = durations[recording]
            audit.append((line, "changed"))
        kept.append((line, recording, scene, onset, offset, event))
    wrong = [f"list, line {row[0]}: " for row in bad]
    wrong += [f"{recording}: is annotated" for recording in scenes if len(scenes[recording]) > 1]
    return kept, sorted(audit), wrong


def rows_of_tut(folder, dataset, recordings):
    return read_tut(folder, dataset, recordings)[0]


def rows_of(table):
    return [tuple(row) for row in table[ROW].itertuples(index=False)]


def same(ours, plain):
    """Whether two lists of rows are equal; NaN is NaN."""
    return repr([tuple(map(str, row)) for row in ours]) == repr(
        [tuple(map(str, row)) for row in plain]
    )


def attempt(work, *arguments, **options):
    """What ``work`` gives; None where it refuses in the project's own words."""
    try:
        return work(*arguments, **options)
    except SoftSceneError as error:
        assert str(error)
        return None


# Lists of the authors' form


WRITTEN = st.sampled_from(["{:.6f}".format, repr, "{:.3f}".format, "{:e}".format])
MICROSECONDS = st.integers(0, 10_400_000)  # up to a little more than the shortest recording
RECORDING = usually(st.sampled_from([*SCENE_OF]), words())
SCENE = usually(st.none(), words())
EVENT = usually(st.sampled_from(EVENTS), words())
COLUMNS = usually(
    st.just([*PUBLISHED_COLUMNS]),
    st.sampled_from(["file", "", "path", "event_label", "path.1", "Unnamed: 5"]).flatmap(
        lambda more: st.permutations([*PUBLISHED_COLUMNS, more])
    ),
)
LINE_END = st.sampled_from(["\n", "\r\n"])


@st.composite
def spans(draw):
    onset, offset = sorted(draw(MICROSECONDS) / 1e6 for _ in "ab")
    write = draw(WRITTEN)
    return write(onset), write(offset)


TIMES = usually(spans(), st.tuples(numbers(), numbers()))


@st.composite
def published_lists(draw):
    """A list of the authors' form: columns in any order, perhaps one more, any line ends."""
    columns, end = draw(COLUMNS), draw(LINE_END)
    lines = ["\t".join(columns)]
    for _ in range(draw(st.integers(0, 5))):
        recording, (onset, offset) = draw(RECORDING), draw(TIMES)
        fields = {
            "path": recording,
            "scene_label": draw(SCENE) or SCENE_OF.get(recording, "home"),
            "event_start_time": onset,
            "event_end_time": offset,
            "event_label": draw(EVENT),
        }
        if draw(usually(st.just(False), st.just(True))):
            fields |= dict.fromkeys(["event_start_time", "event_end_time", "event_label"], "")
        lines.append("\t".join(fields.get(column, "") for column in columns))
    return (end.join(lines) + (end if draw(st.booleans()) else "")).encode()


def damaged_lists():
    return published_lists().flatmap(
        lambda content: edited(content, snippets(*PUBLISHED_COLUMNS, *SCENE_OF, *EVENTS, HEADER))
    )


@pytest.mark.fault("bad input", "bits, bytes, fields and lines of the authors' list changed")
def test_the_authors_list(folder, labels, seen):
    path = folder / "list.txt"

    @given(damaged_lists(), st.sampled_from([DURATIONS, None]))
    @example(f"{HEADER}\tpath\n{ROW_OF_LIST}\tb.wav\n".encode(), None)
    @example(f"{HEADER}\n{ROW_OF_LIST}\tone too many\n".encode(), None)
    @example(f"{HEADER}\n{FIRST}\tcity_center\t1e999\t1e999\tcar\n".encode(), DURATIONS)
    @example(f"{HEADER}\n\thome\t0\t1\tcar\n".encode(), None)
    @example(f"{HEADER}\n{ROW_OF_LIST}\xe4".encode("latin-1"), None)
    def same_rows_or_refused(content, durations):
        path.write_bytes(content)
        expected = plain_published(content)
        table = attempt(read_published, path, name="list")
        assert (table is None) == (expected is None)
        if table is None:
            return
        assert same(rows_of(table), expected)
        assert set(table.file) <= {"list"}
        kept, audited, wrong = plain_clean(expected, labels, durations)
        try:
            events, audit = clean(table, labels, durations, OVERRUN)
            assert not wrong
        except SoftSceneError as error:
            assert wrong
            assert all(place in str(error) for place in wrong)
            events, audit = clean(table, labels, durations, OVERRUN, strict=False)
        assert same(rows_of(events), kept)
        assert sorted(zip(audit.line, audit.action, strict=True)) == audited

    same_rows_or_refused()
    seen("refused with file and line, or read as an independent reader reads it")


# TUT's lists


def comma_number(text):
    """A number as TUT's layouts have it: with a decimal point or comma."""
    try:
        return float(text.replace(",", "."))
    except ValueError:
        return None


def unix(path):
    return posixpath.normpath(path.replace("\\", "/"))


def plain_event(text):
    """What stands before the two times in a line, the times, and the label."""
    fields = [field.strip() for field in text.split("\t")]
    values = [comma_number(field) for field in fields]
    first = next(n for n in range(3) if None not in values[n : n + 2])
    return [unix(field) for field in fields[:first]], *values[first : first + 2], fields[first + 2]


NAME, FOLDER = FIRST.split("/", 1)[1], Path(FIRST).parent.name
LAYOUTS = st.sampled_from(
    [([], []), ([NAME], []), ([NAME, FOLDER], ["m"]), ([NAME, FOLDER], ["mixture", "a1"])]
)
TUT_EVENT = usually(st.sampled_from(TUT_EVENTS), words())


@st.composite
def event_lists(draw):
    """TUT's list of the first recording, in one of its layouts."""
    before, after = draw(LAYOUTS)
    lines = []
    for _ in range(draw(st.integers(0, 4))):
        lines.append("\t".join([*before, *draw(TIMES), draw(TUT_EVENT), *after]) + "\n")
    return "".join(lines)


def list_of_first(folder):
    """Where TUT's list of the first recording lies."""
    path = folder / STREET / "meta" / "street" / "a1.ann"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@given(event_lists().flatmap(lambda text: edited(text.encode(), snippets(FIRST, "street"))))
@example(b"0\t1j\tcar\n")
@example(b'0\t1\t"car\n')
@example(b"0\t1\tc\xe4r\n")
@example(b"0\t1\tcar\x1c\n1\t2\tnone\n")
@example(b"audio/street/a2.wav\tstreet\t0\t1\tcar\n")
@example(b"audio/street/a1.wav\thome\t0\t1\tcar\n")
@example(b"0,1,car\n")
def test_tuts_event_lists(folder, content):
    list_of_first(folder).write_bytes(content)
    table = attempt(rows_of_tut, folder, STREET, [FIRST])
    if table is None:
        return
    expected = []
    for line, text in lines_of(content.decode()):
        if text.strip():
            before, onset, offset, event = plain_event(text)
            assert before in ([], [NAME], [NAME, FOLDER])
            expected.append((line, FIRST, "street", onset, offset, event))
    assert same(rows_of(table), expected)


GOOD_EVENT = re.compile(
    rf"({NAME}\t({FOLDER}\t)?)?(\d+\.\d+\t){{2}}({'|'.join(TUT_EVENTS)})(\tm|\tmixture\ta1)?"
)


@share(0.3)
@given(event_lists())
def test_good_event_lists_of_tut_are_accepted(folder, text):
    lines = [line for line in text.split("\n") if GOOD_EVENT.fullmatch(line)]
    list_of_first(folder).write_text("\n".join(lines), encoding="utf-8")
    assert len(rows_of_tut(folder, STREET, [FIRST])) == len(lines)


@given(st.one_of(words(), st.sampled_from([*SCENE_OF, f"{STREET}/audio", STREET, "a" * 5000])))
@example(f"{STREET}/audio/street/{'a' * 300}.wav")
@example(f"{STREET}/audio/../street/a1.wav")
@example(f"{STREET}/audio/street/a\0.wav")
def test_only_recordings_of_the_data_set_have_a_list_of_tut(folder, recording):
    list_of_first(folder).write_text("0\t1\tcar\n", encoding="utf-8")
    table = attempt(rows_of_tut, folder, STREET, [recording])
    assert (table is not None) == (recording == FIRST)


def scenes_without_problems(folder, dataset):
    scenes, problems = read_scenes(folder, dataset)
    if problems:
        raise AnnotationError(str(problems))
    return scenes


SCENE_LIST = b"audio/b1_0_30.wav\toffice\naudio/b2_0_30.wav\thome\naudio/b3_0_30.wav\tcar\n"


@given(edited(SCENE_LIST, snippets("office", "audio/b1_0_30.wav", "street")))
@example(b"audio/b1_0_30.wav\toffice\naudio/b1_0_30.wav\thome\n")
@example(b"audio/b1_0_30.wav\n")
@example(b"\xff\n")
def test_tuts_scenes(folder, content):
    path = folder / SCENES / "meta.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    scenes = attempt(scenes_without_problems, folder, SCENES)
    if scenes is None:
        assert content != SCENE_LIST
        return
    expected = {}
    for _, text in lines_of(content.decode()):
        if text.strip():
            name, scene, *_ = (field.strip() for field in text.split("\t"))
            recording = f"{SCENES}/{unix(name)}"
            assert expected.setdefault(recording, scene) == scene
    assert scenes == expected


# The two lists together


def tables(scenes, events):
    """A list in memory, its times on a grid so that rows of two lists may agree."""
    row = st.tuples(
        st.sampled_from([*scenes]), st.integers(0, 8), st.integers(1, 3), st.sampled_from(events)
    )
    return st.lists(row, max_size=6).map(lambda rows: table_of(rows, scenes))


def table_of(rows, scenes):
    listed = [
        (recording, scenes[recording], onset / 8, (onset + length) / 8, event, "list", line)
        for line, (recording, onset, length, event) in enumerate(rows, 1)
    ]
    table = pd.DataFrame(listed, columns=[*EVENT_COLUMNS, "file", "line"])
    return table.astype({"onset": float, "offset": float})


STREET_OF_TUT = {recording: "street" for recording in SCENE_OF if recording.startswith(STREET)}


@share(0.3)
@given(tables(SCENE_OF, EVENTS), st.none() | tables(STREET_OF_TUT, TUT_EVENTS))
def test_merging_keeps_and_renames_every_row(labels, published, tut):
    merged, audit = merge(published, {} if tut is None else {STREET: tut}, OFFICE, labels)
    rows = [row for row in rows_of(published) if row[2] == OFFICE]
    renamed = []
    for line, recording, scene, onset, offset, event in [] if tut is None else rows_of(tut):
        own, place = labels.event_of.get(event, event), labels.scene_of[scene]
        rows.append((line, recording, place, onset, offset, own))
        renamed += [(line, "changed", event)] if own != event else []
    listed, none = {row[1] for row in rows}, (math.nan,) * 3
    for line, recording, scene, *_ in rows_of(published):
        if recording not in listed:
            listed.add(recording)
            rows.append((line, recording, scene, *none))
            renamed.append((line, "changed", math.nan))
    assert same(sorted(rows_of(merged), key=str), sorted(rows, key=str))
    assert same(audit[["line", "action", "event"]].values, renamed)
    order = list(published.recording.unique())
    known = merged[merged.recording.isin(order)]
    places = list(zip(known.recording.map(order.index), known.onset, strict=True))
    assert places == sorted(places)


def agree(ours, theirs, tolerance):
    same_event = (ours[1], ours[5]) == (theirs[1], theirs[5])
    return same_event and all(abs(ours[n] - theirs[n]) <= tolerance for n in (3, 4))


def can_be_paired(ours, theirs, tolerance):
    """Whether each of ``ours`` has one of ``theirs`` to agree with, and none is left."""
    if not ours:
        return not theirs
    return any(
        agree(ours[0], other, tolerance)
        and can_be_paired(ours[1:], [*theirs[:n], *theirs[n + 1 :]], tolerance)
        for n, other in enumerate(theirs)
    )


@share(0.3)
@given(
    tables(SCENE_OF, EVENTS[:2]), tables(SCENE_OF, EVENTS[:2]), st.sampled_from([0, 0.01, 0.125])
)
def test_rows_contradict_if_no_row_of_the_other_list_agrees(first, second, tolerance):
    audit = compare(first.assign(file="tut"), second.assign(file="authors"), tolerance)
    assert set(audit.action) <= {"contradicted"}
    alone, paired = [], []
    for name, table in {"tut": first, "authors": second}.items():
        lines = set(audit.line[audit.file == name])
        assert len(lines) == (audit.file == name).sum()
        alone.append([row for row in rows_of(table) if row[0] in lines])
        paired.append([row for row in rows_of(table) if row[0] not in lines])
    assert can_be_paired(*paired, tolerance)
    assert not any(agree(one, other, tolerance) for one in alone[0] for other in alone[1])


RESULTS = ["events", "published", "merged", "changes"]


def is_unusable(published, labels):
    rows = plain_published(published)
    if rows is None or any(row[1].split("/")[0] not in (STREET, SCENES) for row in rows):
        return True
    return bool(plain_clean(rows, labels, DURATIONS)[2])


@share(0.1)
@given(
    damaged_lists(),
    event_lists().flatmap(lambda text: edited(text.encode(), snippets(FIRST, "street"), most=1)),
    edited(SCENE_LIST, snippets("office", "street"), most=1),
    st.sampled_from(["published", "merged"]),
)
def test_the_whole_stage(folder, labels, published, events, scenes, source):
    files = {
        "published.txt": published,
        f"{STREET}/meta/street/a1.ann": events,
        f"{STREET}/meta/street/a2.ann": b"0.5\t1.5\tchildren shouting\n",
        f"{SCENES}/meta.txt": scenes,
    }
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    rates = pd.DataFrame({"recording": [*SCENE_OF], "sample_rate": 1000})
    write_table(rates.assign(frames=[1000 * s for s in DURATIONS.values()]), folder / "audio.tsv")
    results = {name: folder / f"{name}.tsv" for name in RESULTS}
    try:
        merge_lists(
            folder / "published.txt",
            {STREET: folder, SCENES: folder},
            [folder / "audio.tsv"],
            ROOT / "resources" / "labels.yaml",
            results,
            source,
            OVERRUN,
        )
    except SoftSceneError:
        assert source == "merged" or is_unusable(published, labels), "TUT's lists stop nothing"
        return
    listed = read_table(results["published"])
    listed["event"] = listed.event.where(listed.onset.notna())  # no event is no text, or NaN
    kept, _, wrong = plain_clean(plain_published(published), labels, DURATIONS)
    assert same(rows_of(listed), kept)
    assert not wrong or source == "merged"
    chosen = read_table(results[source])
    assert same(read_table(results["events"]).itertuples(index=False), chosen[EVENT_COLUMNS].values)
    merged = read_table(results["merged"])
    assert set(happenings(merged).event) <= set(labels.events)
    assert set(merged.scene) <= set(labels.scenes)
