"""Folds: the authors' real ones, and what the development part alone may decide."""

import math
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
from softscene.config.study import HELDOUT
from softscene.core.errors import AnnotationError, FeatureError
from softscene.core.tsv import read_table, write_table
from softscene.corpus.mirror import plan_given
from softscene.data.annotations import read_published
from softscene.data.splits import DEVELOPMENT, EVALUATION, split_recordings, whole_recordings
from softscene.features.clips import FoldFiles, load_clips
from softscene.features.extraction import frame_count
from softscene.features.folds import (
    band_statistics,
    cut_clips,
    fewest_trained,
    lists_of,
    make_fold,
    make_inner_fold,
    read_clips,
)
from softscene.features.store import sources_of, write_proved

from tests.conftest import FEATURES, ROOT

HEADER = "path\tscene_label\tevent_start_time\tevent_end_time\tevent_label\n"


def test_the_authors_folds_are_26_28_28_and_30_recordings(authors_lists, published):
    everything, parts = set(published[0].recording), []
    for fold, size in zip(range(1, 5), (26, 28, 28, 30), strict=True):
        names = f"crossvaridation/meta_fold0{fold}_{{}}.txt"
        development, evaluation = (
            read_published(authors_lists / names.format(part)) for part in (DEVELOPMENT, EVALUATION)
        )
        assert evaluation.recording.nunique() == size
        assert not set(development.recording) & set(evaluation.recording)
        assert set(development.recording) | set(evaluation.recording) == everything
        assert set(evaluation.event) <= set(development.event)
        parts.append(set(evaluation.recording))
    assert set.union(*parts) == everything
    assert sum(map(len, parts)) == len(everything)


def test_the_held_out_fold_has_all_development_recordings_and_the_second_list(
    authors_lists, published, tmp_path
):
    development, evaluation = lists_of(HELDOUT, authors_lists, authors_lists)
    table = published[0]
    listed = pd.concat([table, read_published(evaluation)])[["recording", "scene"]]
    events = listed.drop_duplicates("recording").assign(onset=np.nan, offset=np.nan, event="")
    write_table(events, tmp_path / "events.tsv")
    with h5py.File(tmp_path / "features.h5", "w") as store:
        store.attrs.update(asdict(FEATURES) | sources_of(tmp_path / "events.tsv"))
        for row in events.itertuples():
            write_proved(store, row.recording, np.zeros((1, 1), "f4"), {"scene": row.scene})
    made = {name: tmp_path / f"{name}.tsv" for name in ("recordings", "clips", "statistics")}
    given = (tmp_path / "events.tsv", [], tmp_path / "features.h5")
    make_fold(development, evaluation, *given, made, 500, 0.0, FEATURES)
    fold = read_table(made["recordings"])
    assert fold.recording.is_unique
    parts = {part: set(rows.recording) for part, rows in fold.groupby("part")}
    assert parts[DEVELOPMENT] == set(table.recording)
    assert {part: len(names) for part, names in parts.items()} == {
        DEVELOPMENT: 112, EVALUATION: 136
    }  # fmt: skip
    of_scenes = fold[fold.part == EVALUATION].scene.value_counts().to_dict()
    assert of_scenes == {"city_center": 100, "office": 26, "home": 5, "residential_area": 5}


def test_lists_of_numbered_folds_are_the_authors_or_ones_own():
    for fold in ("1", "12"):
        folder, own = Path("lists/crossvaridation"), f"meta_fold0{fold}"
        assert lists_of(fold, "lists", None) == (
            folder / f"{own}_development.txt", folder / f"{own}_evaluation.txt"
        )  # fmt: skip


@pytest.fixture
def study(tmp_path):
    """Four recordings of 1,200 frames and less, with features that tell recordings apart."""
    rng = np.random.default_rng(0)
    lengths = {"d/a": 1200, "d/b": 500, "d/c": 37, "d/e": 700}
    with h5py.File(tmp_path / "features.h5", "w") as store:
        store.attrs.update(asdict(FEATURES))
        for name, frames in lengths.items():
            write_proved(
                store, name, rng.normal(3, 2, (frames, 64)).astype("f4"), {"scene": "home"}
            )
    events = pd.DataFrame(
        [(name, "home", 0.5, 0.6, "fan") for name in lengths],
        columns=["recording", "scene", "onset", "offset", "event"],
    )
    write_table(events, tmp_path / "events.tsv")
    write_table(pd.DataFrame({"recording": list(lengths)}), tmp_path / "audio.tsv")
    mark(tmp_path)
    write_list(tmp_path / "development.txt", ["d/a", "d/b", "d/c"])
    write_list(tmp_path / "evaluation.txt", ["d/e"])
    return tmp_path


def mark(study):
    """Say in the features that they were made of the events and recordings that lie there."""
    with h5py.File(study / "features.h5", "a") as store:
        store.attrs.update(sources_of(study / "events.tsv", [study / "audio.tsv"]))


def write_list(path, names):
    path.write_text(HEADER + "".join(f"{name}\thome\t0.5\t0.6\tfan\n" for name in names))


def fold_of(study, standardisation="band"):
    results = {name: study / f"{name}.tsv" for name in ("recordings", "clips", "statistics")}
    make_fold(
        study / "development.txt", study / "evaluation.txt", study / "events.tsv",
        [study / "audio.tsv"], study / "features.h5", results, 500, 1.0, FEATURES, standardisation,
    )  # fmt: skip
    return FoldFiles(
        study / "features.h5",
        results["clips"],
        results["statistics"],
        study / "events.tsv",
        FEATURES,
    )


def test_clips_cover_each_recording_once():
    assert cut_clips(1200, 500) == [(0, 500), (500, 500), (1000, 200)]
    assert cut_clips(1500, 500) == [(0, 500), (500, 500), (1000, 500)]
    assert cut_clips(1, 500) == [(0, 1)]


@pytest.mark.parametrize(("seconds", "frames"), [(0, 0), (0.3, 15), (1.0, 50), (0.999, 50)])
def test_frames_of_the_shortest_clip_that_is_trained_on(seconds, frames):
    assert fewest_trained(seconds, 0.02) == frames


def true_samples(authors_lists, labels):
    """Samples of the 112 recordings: TUT's own where they are known, others of no round length."""
    statistics = read_table(ROOT / "resources" / "scene_statistics.tsv")
    plan = plan_given(authors_lists, labels, statistics).recordings
    samples = {row.path: round(row.seconds * 44100) for row in plan.itertuples()}
    area = "TUT-sound-events-2016-development/audio/residential_area/a001.wav"
    assert area in samples
    samples[area] = 8_030_935  # 182.107370 s
    for path in samples:
        if "acoustic-scenes" in path:
            samples[path] = 1_323_001
    return samples


def test_clips_of_the_authors_folds_at_their_true_lengths(
    authors_lists, published, labels, tmp_path
):
    samples = true_samples(authors_lists, labels)
    scene_of = dict(zip(published[0].recording, published[0].scene, strict=True))
    assert samples.keys() == scene_of.keys()
    assert len(samples) == 112
    assert not any(number % 44100 == 0 for number in samples.values())
    write_table(published[0], tmp_path / "events.tsv")
    tables = [tmp_path / "audio.tsv"]
    write_table(pd.DataFrame({"recording": list(samples)}), tables[0])
    with h5py.File(tmp_path / "features.h5", "w") as store:
        store.attrs.update(asdict(FEATURES) | sources_of(tmp_path / "events.tsv", tables))
        for name, number in samples.items():
            frames = np.zeros((frame_count(number, FEATURES), 1), "f4")
            write_proved(store, name, frames, {"scene": scene_of[name]})
    found = Counter()
    for fold in range(1, 5):
        lists = [
            authors_lists / f"crossvaridation/meta_fold0{fold}_{part}.txt"
            for part in (DEVELOPMENT, EVALUATION)
        ]
        made = {name: tmp_path / f"{name}.tsv" for name in ("recordings", "clips", "statistics")}
        features = tmp_path / "features.h5"
        make_fold(*lists, tmp_path / "events.tsv", tables, features, made, 500, 1.0, FEATURES)
        for part, source in zip((DEVELOPMENT, EVALUATION), lists, strict=True):
            clips = read_clips(made["clips"], part)
            names = set(read_published(source).recording)
            expected = Counter()
            for name in names:
                expected[scene_of[name]] += math.ceil(samples[name] // 882 / 500)
            assert clips.scene.value_counts().to_dict() == expected
            office = clips[clips.scene == "office"]
            assert (office.frames == 500).all()
            assert set(office.groupby("recording").size()) == {3}
            assert clips.frames.min() > 1
            trained = read_clips(made["clips"], part, training=True)
            assert sorted(trained["clip"]) == sorted(clips["clip"][clips.frames >= 50])
            found[part] += len(office)
    assert found == {DEVELOPMENT: 3 * 78 * 3, EVALUATION: 78 * 3}, "each clip in one evaluation"


def test_a_last_clip_of_less_than_a_second_is_for_evaluation_alone(study, labels):
    """37 frames are, and 50 are not; the outer and the inner folds agree."""
    with h5py.File(study / "features.h5", "a") as store:
        for name, frames in (("d/a", 549), ("d/b", 550)):
            del store[name]
            write_proved(store, name, np.zeros((frames, 64), "f4"), {"scene": "home"})
    files = fold_of(study)
    everything = [("d/a", 500), ("d/a", 49), ("d/b", 500), ("d/b", 50), ("d/c", 37)]
    trained = [("d/a", 500), ("d/b", 500), ("d/b", 50)]
    for training, expected in ((False, everything), (True, trained)):
        clips = load_clips(files, DEVELOPMENT, labels, 500, training)
        assert list(zip(clips.table.recording, clips.lengths, strict=True)) == expected
    held_out = set()
    for part in (1, 2, 3):
        inner_fold_of(study, part, 3)
        own = study / f"inner{part}" / "clips.tsv"
        assert len(read_clips(own, DEVELOPMENT)) + len(read_clips(own, EVALUATION)) == 5
        if set(read_clips(own, EVALUATION).recording) == {"d/c"}:
            with pytest.raises(AnnotationError, match="all 1 clips of the evaluation part are sho"):
                read_clips(own, EVALUATION, training=True)
            continue
        rows = read_clips(own, EVALUATION, training=True)
        held_out |= set(zip(rows.recording, rows.frames, strict=True))
    assert held_out == set(trained)


def test_statistics_are_of_the_development_part_without_padding(study):
    fold = read_table(fold_of(study).statistics)
    with h5py.File(study / "features.h5") as store:
        frames = np.concatenate([store[name][:] for name in ("d/a", "d/b", "d/c")]).astype(float)
    np.testing.assert_allclose(fold["mean"], frames.mean(axis=0), rtol=1e-10)
    np.testing.assert_allclose(fold["std"], frames.std(axis=0), rtol=1e-10)


def overwrite(store, name):
    scene, shape = store[name].attrs["scene"], store[name].shape
    del store[name]
    write_proved(store, name, np.full(shape, 1e6, "f4"), {"scene": scene})


def test_statistics_of_all_bands_together_are_one_mean_and_deviation(study):
    files = fold_of(study, "all")
    with h5py.File(study / "features.h5") as store:
        values = np.concatenate([store[name][:].ravel() for name in ("d/a", "d/b", "d/c")])
    fold = read_table(files.statistics)
    assert list(fold.band) == list(range(64))
    np.testing.assert_allclose(fold["mean"], values.mean(dtype=float), rtol=1e-9)
    np.testing.assert_allclose(fold["std"], values.std(dtype=float), rtol=1e-9)


def test_statistics_do_not_see_the_evaluation_part(study):
    before = read_table(fold_of(study).statistics)
    with h5py.File(study / "features.h5", "a") as store:
        overwrite(store, "d/e")
    pd.testing.assert_frame_equal(read_table(fold_of(study).statistics), before)
    with h5py.File(study / "features.h5", "a") as store:
        overwrite(store, "d/c")
    assert not read_table(fold_of(study).statistics).equals(before), "this test sees changes"


def test_padding_is_zero_after_standardisation_and_has_no_targets(study, labels):
    clips = load_clips(fold_of(study), DEVELOPMENT, labels, 500)
    assert list(clips.lengths) == [500, 500, 200, 500, 37]
    for features, targets, length in zip(clips.features, clips.targets, clips.lengths, strict=True):
        assert (features[length:] == 0).all()
        assert not targets[length:].any()
    valid = np.concatenate([clips.features[i, :n] for i, n in enumerate(clips.lengths)])
    np.testing.assert_allclose(valid.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(valid.std(axis=0), 1, atol=1e-5)
    fan = clips.targets[0, :, labels.events.index("fan")]
    assert list(np.flatnonzero(fan)) == [25, 26, 27, 28, 29]
    assert clips.targets.sum() == 3 * 5


def test_a_recording_without_events_has_clips_and_no_targets(study, labels):
    events = read_table(study / "events.tsv")
    events.loc[events.recording == "d/b", ["onset", "offset", "event"]] = np.nan
    write_table(events, study / "events.tsv")
    mark(study)
    clips = load_clips(fold_of(study), DEVELOPMENT, labels, 500)
    assert list(clips.lengths) == [500, 500, 200, 500, 37]
    assert [bool(each.any()) for each in clips.targets] == [True, False, False, False, True]
    assert clips.sources == sources_of(study / "events.tsv", [study / "audio.tsv"])


@pytest.mark.parametrize(
    ("development", "evaluation", "message"),
    [
        (["d/a", "d/b", "d/c", "d/e"], ["d/e"], "d/e: in both parts"),
        (["d/a", "d/b"], ["d/e"], "d/c: in no part"),
        (["d/a", "d/b", "d/c", "d/x"], ["d/e"], "d/x: is not in events.tsv"),
    ],
)
def test_folds_that_do_not_split_are_refused(study, development, evaluation, message):
    write_list(study / "development.txt", development)
    write_list(study / "evaluation.txt", evaluation)
    with pytest.raises(AnnotationError, match=message):
        fold_of(study)


def test_a_missing_recording_or_a_damaged_file_is_named(study, labels):
    files = fold_of(study)
    with h5py.File(study / "features.h5", "a") as store:
        del store["d/e"]
    with pytest.raises(FeatureError, match="no features of d/e"):
        load_clips(files, EVALUATION, labels, 500)
    content = (study / "features.h5").read_bytes()
    (study / "features.h5").write_bytes(content[: len(content) // 2])
    with pytest.raises(FeatureError, match=r"features\.h5 cannot be read"):
        load_clips(files, EVALUATION, labels, 500)


def test_statistics_of_a_constant_band_do_not_divide_by_zero():
    mean, deviation = band_statistics([np.full((5, 2), 3.0)])
    assert list(mean) == [3, 3]
    assert list(deviation) == [1, 1]


def inner_fold_of(study, held_out, parts):
    fold_of(study)
    results = {
        name: study / f"inner{held_out}" / f"{name}.tsv"
        for name in ("recordings", "clips", "statistics")
    }
    make_inner_fold(
        study / "recordings.tsv", study / "clips.tsv", study / "events.tsv",
        study / "features.h5", results, held_out, parts, FEATURES,
    )  # fmt: skip
    return {name: read_table(path) for name, path in results.items()}


def test_inner_folds_hold_out_each_development_clip_once_and_know_no_evaluation(study):
    clips = read_table(fold_of(study).clips)
    known = clips[clips.part == DEVELOPMENT].reset_index(drop=True)
    held_out = []
    for part in (1, 2, 3):
        inner = inner_fold_of(study, part, 3)
        pd.testing.assert_frame_equal(
            inner["clips"].drop(columns="part"), known.drop(columns="part")
        )
        parts = dict(inner["clips"].groupby("part").recording.agg(set))
        assert not parts[DEVELOPMENT] & parts[EVALUATION]
        assert parts[DEVELOPMENT] | parts[EVALUATION] == {"d/a", "d/b", "d/c"}
        assert dict(zip(inner["recordings"].recording, inner["recordings"].part, strict=True)) == (
            dict(zip(inner["clips"].recording, inner["clips"].part, strict=True))
        )
        with h5py.File(study / "features.h5") as store:
            seen = np.concatenate([store[name][:] for name in sorted(parts[DEVELOPMENT])])
        np.testing.assert_allclose(inner["statistics"]["mean"], seen.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(inner["statistics"]["std"], seen.std(axis=0), rtol=1e-5)
        held_out += parts[EVALUATION]
    assert sorted(held_out) == ["d/a", "d/b", "d/c"]


def recordings_of(lengths):
    rows = [
        (f"d/{scene}{i}.wav", scene, n) for scene, own in lengths.items() for i, n in enumerate(own)
    ]
    return pd.DataFrame(rows, columns=["recording", "scene", "frames"])


def test_parts_have_as_much_of_each_scene_as_whole_recordings_allow():
    table = recordings_of({"home": [900, 800, 500, 400, 400, 100], "office": [300] * 8})
    table = table.assign(part=table.recording.map(split_recordings(table, 3)))
    frames = table.groupby(["scene", "part"]).frames.sum()
    assert dict(frames.home) == {1: 1000, 2: 1200, 3: 900}
    assert sorted(frames.office) == [600, 900, 900]
    assert frames.office[2] == 600, "who has more of another scene has less of this one"


def test_the_split_of_the_authors_recordings_keeps_cut_recordings_whole(published):
    events = published[0]
    table = events.groupby("recording", as_index=False).agg(scene=("scene", "first"))
    part_of = split_recordings(table.assign(frames=1500), 4)
    assert set(part_of) == set(table.recording)
    source = table.assign(part=table.recording.map(part_of)).groupby(
        table.recording.map(whole_recordings(table.recording))
    )
    assert source.ngroups == 112 - 78 + 10, "78 office clips are pieces of ten recordings"
    assert (source.part.nunique() == 1).all()
    assert set(part_of[name] for name in table.recording[table.scene == "office"]) == {1, 2, 3, 4}


@pytest.mark.parametrize(
    "names",
    [
        ["SMA01_20240501_060000.wav", "SMA01_20240502_060000.wav"],  # a date and a time
        ["Queens_20230502_010000_Z.WAV", "Queens_20230503_010000_Z.WAV"],
        ["SMA01_20240501_060000.wav"],
        ["20240501_060000.wav", "20240502_060000.wav"],
        ["rec_2024_05_01.wav", "rec_2024_05_02.wav"],
        ["rec_2024_05_06.wav", "rec_2024_06_07.wav"],  # May 6 and June 7: 5, 6, 6, 7
        ["rec_2024_5_6.wav", "rec_2024_5_7.wav"],
        ["A_1_2.wav", "A_2_1.wav"],  # a day and a take
        ["A_1_2.wav", "A_1_3.wav", "A_2_3.wav"],
        ["A_1_1.wav", "A_1_2.wav"],
        ["a_0_30.wav", "a_20_50.wav"],
        ["a_0_30.wav", "a_30_60.wav", "a_060000_070000.wav"],
        ["a_0_30.wav", "a_30_60.flac"],
        ["x/a_0_30.wav", "y/a_30_60.wav"],
        ["a_0_30_x.wav", "a_30_60_x.wav"],
    ],
    ids=" ".join,
)
def test_numbers_that_cannot_be_begin_and_end_make_no_pieces(names):
    assert len(set(whole_recordings(names).values())) == len(names)
    table = recordings_of({"home": [1, 1]})[:1].loc[[0] * len(names)].assign(recording=names)
    if len(names) == 2:
        assert sorted(split_recordings(table, 2).values()) == [1, 2]


@pytest.mark.parametrize(
    "names",
    [
        ["a099_0_30.wav", "a099_30_60.wav"],
        ["a099_30_60.wav", "a099_0_30.wav", "a099_120_150.wav"],  # TUT's have gaps
        ["x/a_b_0_30.wav", "x/a_b_30_45.wav"],
        ["rec_2024_05_0_30.wav", "rec_2024_05_30_60.wav"],
        ["a_0_30.wav", "a.wav"],  # cut out of it
    ],
    ids=" ".join,
)
def test_pieces_of_one_recording_follow_each_other(names, caplog):
    (whole,) = set(whole_recordings([*names, "other_1_2.wav"])[name] for name in names)
    assert whole not in set(names) - {"a.wav"}
    table = pd.DataFrame({"recording": [*names, "b.wav"], "scene": "home", "frames": 5})
    with caplog.at_level("INFO"):
        part_of = split_recordings(table, 2)
    assert len({part_of[name] for name in names}) == 1
    assert caplog.messages == [f"taken for pieces of one recording: {', '.join(sorted(names))}"]


def test_other_files_tell_that_numbers_are_no_times():
    """In an inner fold those are in the evaluation part."""
    table = pd.DataFrame({"recording": ["A_1_2.wav", "A_2_3.wav"], "scene": "home", "frames": 5})
    with pytest.raises(AnnotationError, match=r"one recording \(its 2 files are taken for pieces"):
        split_recordings(table, 2)
    part_of = split_recordings(table, 2, among=[*table.recording, "A_2_1.wav"])
    assert sorted(part_of.values()) == [1, 2]


def test_a_piece_alone_is_whole(caplog):
    """As the piece of a recording whose others are in another list, it has no one to be with."""
    table = pd.DataFrame({"recording": ["a_30_60.wav", "b.wav"], "scene": "home", "frames": 5})
    with caplog.at_level("INFO"):
        assert sorted(split_recordings(table, 2).values()) == [1, 2]
    assert caplog.messages == []


def test_what_cannot_be_split_is_named():
    table = recordings_of({"home": [900, 800], "office": [300]})
    with pytest.raises(AnnotationError, match="scene 'office' has one recording; two or more"):
        split_recordings(table, 2)
    with pytest.raises(AnnotationError, match="3 recordings cannot fill 4 parts"):
        split_recordings(table, 4)
