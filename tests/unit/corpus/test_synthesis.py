"""The synthetic corpus: its statistics, its sounds and its form."""

import hashlib
import io
import os
import re
import zipfile
from collections import Counter
from pathlib import Path

import librosa
import numpy as np
import pandas as pd
import pytest
import soundfile
import yaml
from dcase_util.containers import MetaDataContainer
from softscene.config.labels import read_labels
from softscene.core.errors import AnnotationError, ConfigurationError
from softscene.core.tsv import read_table
from softscene.corpus.mirror import LISTS, MAIN_LIST, make_corpus, plan_drawn, plan_given
from softscene.corpus.sample_annotations import (
    ACTIVE,
    QUANTILES,
    draw_annotations,
    measure_polyphony,
    measure_statistics,
    plan_recordings,
    split_folds,
)
from softscene.corpus.synthesis import SAMPLE_RATE, read_sounds, render_event, render_recording
from softscene.data.annotations import SECOND_LIST
from softscene.data.archives import read_registry

ROOT = Path(__file__).parents[3]
RESOURCES = ROOT / "resources"
AUTHORS = ROOT.parent / "shared" / "data" / "metadata_SEDandASC01"
FILES = {
    "registry": RESOURCES / "archives.yaml",
    "labels": RESOURCES / "labels.yaml",
    "event_statistics": RESOURCES / "event_statistics.tsv",
    "scene_statistics": RESOURCES / "scene_statistics.tsv",
    "event_sounds": RESOURCES / "event_sounds.tsv",
}
EVENTS, SCENES = (read_table(FILES[f"{kind}_statistics"]) for kind in ("event", "scene"))
SOUNDS, LABELS = read_sounds(FILES["event_sounds"]), read_labels(FILES["labels"])
TINY = {
    "recordings": {"city_center": 2, "home": 2, "office": 2, "residential_area": 2},
    "seconds": {"city_center": 12, "home": 4, "residential_area": 16},
}
DEMO = {
    "recordings": {"city_center": 6, "home": 6, "office": 12, "residential_area": 6},
    "seconds": {"city_center": 30.0, "home": 30.0, "office": 30.0, "residential_area": 30.0},
}
needs_authors_list = pytest.mark.skipif(not AUTHORS.is_dir(), reason=f"{AUTHORS} is not here")


def corpus_at(folder, seed=1, workers=1):
    make_corpus(folder, **FILES, **TINY, seed=seed, workers=workers)
    return folder


def digests(folder):
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(p.relative_to(folder)): hashlib.md5(p.read_bytes()).hexdigest() for p in files}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    return corpus_at(tmp_path_factory.mktemp("corpus") / "mirror")


@pytest.fixture(scope="module")
def listed(corpus):
    return pd.read_csv(corpus / "metadata_SEDandASC01" / MAIN_LIST, sep="\t")


@pytest.fixture(scope="module")
def members(corpus):
    """Content of each member of each archive."""
    content = {}
    for path in sorted(corpus.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            content |= {name: archive.read(name) for name in archive.namelist()}
    return content


# Statistics


@needs_authors_list
def test_statistics_shipped_are_those_of_the_authors_list():
    minutes = dict(zip(SCENES.scene_label, SCENES.minutes, strict=True))
    assert minutes["home"] == pytest.approx(36 + 16 / 60, abs=1e-6)
    assert sum(minutes.values()) == pytest.approx(166, abs=0.1)
    published = pd.read_csv(AUTHORS / MAIN_LIST, sep="\t")
    events, scenes = measure_statistics(published, minutes | {"home": 36 + 16 / 60})
    pd.testing.assert_frame_equal(events, EVENTS)
    pd.testing.assert_frame_equal(scenes, SCENES)


def test_polyphony_counts_different_events_only():
    rows = [(0, 4, "car"), (2, 6, "car"), (3, 5, "fan"), (4, 5, "cup"), (4.5, 5, "tap")]
    events = pd.DataFrame(
        [("a", "home", *row) for row in rows],
        columns=["path", "scene_label", "event_start_time", "event_end_time", "event_label"],
    )
    # 0-3 car, 3-4 two, 4-4.5 three, 4.5-5 four, 5-6 car, 6-8 nothing
    assert measure_polyphony(events, 8) == pytest.approx(np.array([2, 4, 1, 1]) / 8)


@pytest.fixture(scope="module")
def large():
    """Ten times the real minutes, as statistics."""
    recordings = {row.scene_label: 10 * row.recordings for row in SCENES.itertuples()}
    seconds = {row.scene_label: 60 * row.minutes / row.recordings for row in SCENES.itertuples()}
    drawn = draw_annotations(EVENTS, recordings, seconds, seed=3)
    return measure_statistics(
        drawn, {row.scene_label: 10 * row.minutes for row in SCENES.itertuples()}
    )


def test_rates_and_durations_follow_the_statistics(large):
    events, _ = large
    both = EVENTS.merge(events, on=["event_label", "scene_label"], suffixes=("", "_drawn"))
    assert len(both) == len(EVENTS) == len(events)
    np.testing.assert_allclose(both.per_minute_drawn, both.per_minute, rtol=0.02)
    np.testing.assert_allclose(both.mean_drawn, both["mean"], rtol=0.05)
    for name in QUANTILES:
        if name not in ("min", "max"):
            np.testing.assert_allclose(both[f"{name}_drawn"], both[name], rtol=0.08, err_msg=name)
    assert (both.min_drawn >= both["min"] - 1e-6).all()
    assert (both.max_drawn <= both["max"] + 1e-6).all()


def test_polyphony_follows_the_statistics(large):
    _, scenes = large
    difference = scenes[list(ACTIVE)] - SCENES[list(ACTIVE)]
    assert difference.abs().to_numpy().max() < 0.05, difference


# Annotations


@pytest.mark.parametrize("seed", range(5))
def test_a_small_drawing_can_be_trained_on_in_each_fold(seed):
    drawn = draw_annotations(EVENTS, **DEMO, seed=seed)
    plan = plan_recordings(**DEMO, seed=seed)
    assert set(drawn.event_label) == set(LABELS.events)
    assert drawn.event_label.value_counts().min() >= 4
    assert set(drawn.path) == set(plan.path)
    ends = drawn.path.map(dict(zip(plan.path, plan.seconds, strict=True)))
    assert (drawn.event_start_time >= 0).all() and (drawn.event_end_time <= ends).all()
    assert (drawn.event_end_time > drawn.event_start_time).all()
    evaluated = Counter()
    for development, evaluation in split_folds(drawn, plan).values():
        assert set(evaluation.event_label) <= set(development.event_label)
        assert set(development.event_label) == set(LABELS.events)
        assert not set(evaluation.path) & set(development.path)
        evaluated.update(set(evaluation.path))
        assert set(evaluation.scene_label) == set(LABELS.scenes)
    assert evaluated == Counter(set(drawn.path))


def test_an_event_does_not_overlap_itself():
    drawn = draw_annotations(EVENTS, **DEMO, seed=1)
    for _, rows in drawn.groupby(["path", "event_label"]):
        assert (rows.event_start_time.to_numpy()[1:] > rows.event_end_time.to_numpy()[:-1]).all()


def test_the_plan_follows_the_seed():
    first, second, other = (plan_drawn(EVENTS, **DEMO, seed=seed) for seed in (1, 1, 2))
    assert first.lists == second.lists
    assert first.lists[MAIN_LIST] != other.lists[MAIN_LIST]


def test_impossible_sizes_are_all_named():
    recordings, seconds = {"home": 1, "forest": 3, "office": 4}, {"home": 0.5, "office": 20}
    with pytest.raises(ConfigurationError) as raised:
        draw_annotations(EVENTS, recordings, seconds, seed=1)
    for part in ("forest: unknown", "home: 1 recordings", "home: recordings of 0.5", "clips of 20"):
        assert part in str(raised.value)
    with pytest.raises(ConfigurationError, match="either"):
        plan_drawn(EVENTS, None, None, seed=1)


# Sound


def log_mel(sound):
    """Mean over time of the log-mel spectrum, its level removed, (64,)."""
    power = np.abs(librosa.stft(sound, n_fft=2048, hop_length=882, win_length=1764)) ** 2
    bands = librosa.filters.mel(sr=SAMPLE_RATE, n_fft=2048, n_mels=64) @ power
    mean = np.log(bands + 1e-10).mean(axis=1)
    return mean - mean.mean()


@pytest.mark.parametrize(("seconds", "expected"), [(0.15, 0.8), (1.5, 0.95)])
def test_events_sound_different(seconds, expected):
    def sample(seed, length):
        rng = np.random.default_rng(seed)
        frames = int(length * SAMPLE_RATE)
        sounds = [render_event(SOUNDS[name].vary(rng), frames, rng) for name in LABELS.events]
        return np.array([log_mel(sound) for sound in sounds])

    centroids = np.mean([sample(seed, 1.0) for seed in range(3)], axis=0)
    found = []
    for seed in range(10, 13):
        distances = ((sample(seed, seconds)[:, None] - centroids) ** 2).sum(axis=2)
        found.append(distances.argmin(axis=1) == np.arange(len(centroids)))
    assert np.mean(found) > expected


@pytest.mark.parametrize("name", ["brakes squeaking", "fan", "people talking", "car", "dishes"])
def test_an_event_stands_out_in_its_band_while_it_lasts(name):
    rows = pd.DataFrame(
        {"event_start_time": [2.0, 1.0], "event_end_time": [5.0, 1.0], "event_label": [name, "fan"]}
    )

    def render(part):
        return render_recording(part, "home", 7.0, np.random.default_rng(4), SOUNDS)

    background, both = render(rows.head(0)), render(rows)
    np.testing.assert_array_equal(render(rows.tail(1)), background)  # zero length: no sound
    event = both - background
    first, last = 2 * SAMPLE_RATE, 5 * SAMPLE_RATE
    assert not event[:first].any() and not event[last:].any()
    assert np.abs(event[first:last]).max() > 0
    assert both.shape == (7 * SAMPLE_RATE, 2) and both.dtype == np.float32
    assert np.abs(both).max() < 1

    def level(sound):
        spectrum = np.abs(np.fft.rfft(sound[first:last].mean(axis=1))) ** 2
        width = max(SOUNDS[name].bandwidth_hz, 200)
        frequencies = np.fft.rfftfreq(last - first, 1 / SAMPLE_RATE)
        inside = (
            np.abs(frequencies - SOUNDS[name].centre_hz) < width / 2 + 0.1 * SOUNDS[name].centre_hz
        )
        return 10 * np.log10(spectrum[inside].sum())

    # 8 to 20 dB, and 3 dB as the background's channels are independent; less what lies outside
    assert 5 < level(event) - level(background) < 25


def test_scenes_have_backgrounds_of_their_own():
    nothing = pd.DataFrame(columns=["event_start_time", "event_end_time", "event_label"])

    def mean_spectrum(scene, seeds):
        sounds = [
            render_recording(nothing, scene, 2.0, np.random.default_rng(seed), SOUNDS)
            for seed in seeds
        ]
        return np.mean([log_mel(sound.mean(axis=1)) for sound in sounds], axis=0)

    spectra = {scene: mean_spectrum(scene, range(8)) for scene in LABELS.scenes}
    again = {scene: mean_spectrum(scene, range(20, 28)) for scene in LABELS.scenes}
    for scene, spectrum in again.items():
        nearest = min(spectra, key=lambda other: np.sum((spectra[other] - spectrum) ** 2))
        assert nearest == scene


def test_faults_of_the_sound_table_are_all_named(tmp_path):
    table = pd.read_csv(FILES["event_sounds"], sep="\t").set_index("event_label")
    table.loc["car", "texture"], table.loc["fan", "centre_hz"] = "music", -1.0
    table.loc["children", "pitch_hz"], table.loc["drawer", "depth"] = 0, 2.0
    table.to_csv(tmp_path / "sounds.tsv", sep="\t")
    with pytest.raises(ConfigurationError) as raised:
        read_sounds(tmp_path / "sounds.tsv")
    for part in ("car: texture 'music'", "fan: -1 Hz", "children: a harmonic", "drawer: rate"):
        assert part in str(raised.value)


# Corpus


def test_same_seed_same_bytes(corpus, tmp_path):
    assert digests(corpus) == digests(corpus_at(tmp_path / "again", workers=2))
    assert [path.name for path in tmp_path.iterdir()] == ["again"]  # and nothing left beside it


def test_another_seed_gives_another_corpus(corpus, tmp_path):
    ours, other = digests(corpus), digests(corpus_at(tmp_path / "other", seed=2))
    same = {name for name in ours if ours[name] == other[name]}
    assert set(ours) == set(other)
    fixed = {f"{part}.zip" for part in ("doc", "error")}
    assert {name.split("development.")[1] for name in same if name.endswith(".zip")} - {
        "meta.zip"
    } == fixed


def test_its_registry_proves_every_file(corpus):
    real, ours = read_registry(FILES["registry"]), read_registry(corpus / "archives.yaml")
    found = digests(corpus)
    assert list(ours.datasets) == list(real.datasets)
    for name, dataset in ours.datasets.items():
        assert list(dataset.archives) == list(real.datasets[name].archives)
        for archive in dataset.archives.values():
            assert archive.md5 == found[archive.name]
            assert archive.bytes == (corpus / archive.name).stat().st_size
    assert set(ours.annotations.files) == set(real.annotations.files) == set(LISTS)
    for name, sha256 in ours.annotations.files.items():
        content = (corpus / ours.annotations.name / name).read_bytes()
        assert hashlib.sha256(content).hexdigest() == sha256


def test_recordings_have_tuts_form(members, listed):
    waves = {name: content for name, content in members.items() if name.endswith(".wav")}
    seconds = TINY["seconds"]
    scene_of = dict(zip(listed.path, listed.scene_label, strict=True))
    for name, content in waves.items():
        header = soundfile.info(io.BytesIO(content))
        form = (header.format, header.subtype, header.samplerate, header.channels)
        assert form == ("WAV", "PCM_24", 44100, 2)
        scene = scene_of.get(name, "city_center" if "/street/" in name else "bus")
        if scene in ("office", "bus"):
            assert header.frames == 1_323_001
        else:
            assert seconds[scene] * 44100 < header.frames < (seconds[scene] + 1) * 44100
        sound, _ = soundfile.read(io.BytesIO(content))
        assert 1e-4 < np.sqrt(np.mean(sound**2)) < 0.3
    unlisted = set(waves) - set(listed.path)
    assert set(listed.path) < set(waves)
    assert sum("/street/" in name for name in unlisted) == 1
    assert sum("acoustic-scenes" in name for name in unlisted) == 6  # none of 8 archives is empty


def test_tuts_own_lists_say_the_same(members, listed, tmp_path):
    for name, content in members.items():
        if "/meta" in name:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(content)
    for path, rows in listed[listed.scene_label != "office"].groupby("path"):
        own = path.replace("/audio/", "/meta/").replace(".wav", ".ann")
        items = MetaDataContainer(filename=str(tmp_path / own)).load()
        read = [
            (i.onset, i.offset, LABELS.event_of.get(i.event_label, i.event_label)) for i in items
        ]
        columns = ["event_start_time", "event_end_time", "event_label"]
        assert read == list(rows[columns].itertuples(index=False, name=None))
    for dataset in ("TUT-sound-events-2016-development", "TUT-acoustic-scenes-2016-development"):
        items = MetaDataContainer(filename=str(tmp_path / dataset / "meta.txt")).load()
        scenes = {f"{dataset}/{i.filename}": i.scene_label for i in items}
        mapped = {path: LABELS.scene_of.get(scene, scene) for path, scene in scenes.items()}
        expected = listed[listed.path.str.startswith(dataset)].set_index("path").scene_label
        assert expected.to_dict().items() <= mapped.items()
        assert set(mapped) == {n for n in members if n.startswith(dataset) and n.endswith(".wav")}


def test_tuts_own_labels_are_used(members, listed):
    everywhere = {"people talking": "people speaking"}
    renamed = {"car": "car passing by", "children": "children shouting"}
    renamed |= {"(object) impact": "object impact", "water tap running": "water tap running "}
    for dataset, own in (
        (2016, everywhere | renamed),
        (2017, everywhere),
    ):
        data_set = f"TUT-sound-events-{dataset}-development"
        ours = set(listed[listed.path.str.startswith(data_set)].event_label)
        lists = [
            content.decode()
            for name, content in members.items()
            if name.startswith(f"{data_set}/meta/") and name.endswith(".ann")
        ]
        lines = [line for content in lists for line in content.splitlines()]
        label = 2 if dataset == 2016 else 4
        assert {line.split("\t")[label] for line in lines} == {own.get(x, x) for x in ours}
        assert {"car", "people talking"} <= ours
        assert dataset == 2017 or "water tap running" in ours


def test_tuts_lists_have_the_form_of_their_year(members):
    """As the real files have it: columns, decimals and ends of lines."""
    name_2016, name_2017 = (f"TUT-sound-events-{year}-development" for year in (2016, 2017))
    scene, file = r"(home|residential_area)", r"a\d{3}"
    event = r"\d+\.\d{6}\t\d+\.\d{6}\t[a-z() ]+"
    shortest = r"\d+\.(0|\d*[1-9])\t"
    forms = {
        rf"{name_2016}/meta/{scene}/{file}\.ann": rf"{event}\n",
        rf"{name_2016}/meta_full/{scene}/{file}_full\.ann": rf"{event}\n",
        rf"{name_2016}/meta\.txt": rf"audio/\w+/{file}\.wav\t\w+\t{event}\tm\n",
        rf"{name_2016}/evaluation_setup/{scene}_fold1_train\.txt": (
            rf"audio/\w+/{file}\.wav\t\w+\t{event}\n"
        ),
        rf"{name_2017}/meta/street/{file}\.ann": (
            rf"audio/street/(?P<stem>{file})\.wav\tstreet\t{shortest}{shortest}"
            r"[a-z() ]+\tmixture\t(?P=stem)\r\n"
        ),
        rf"{name_2017}/non_verified/street/{file}\.ann": rf"{event}\n",
        r"TUT-acoustic-scenes-2016-development/meta\.txt": rf"audio/{file}_0_30\.wav\t\w+\n",
    }
    seen = set()
    for name, content in members.items():
        if name.endswith((".wav", "README.md")):
            continue
        (form,) = [form for form in forms if re.fullmatch(form, name)]
        assert re.fullmatch(f"({forms[form]})+", content.decode()), name
        seen.add(form)
    assert seen == set(forms)


def test_folds_are_parts_of_the_list(corpus, listed):
    folder = corpus / "metadata_SEDandASC01"
    whole = (folder / MAIN_LIST).read_text().splitlines()
    assert whole[0].split("\t") == list(listed.columns)
    evaluated = []
    for fold in range(1, 5):
        parts = [
            (folder / f"crossvaridation/meta_fold0{fold}_{part}.txt").read_text().splitlines()
            for part in ("development", "evaluation")
        ]
        assert parts[0][0] == parts[1][0] == whole[0]
        assert sorted(parts[0][1:] + parts[1][1:]) == sorted(whole[1:])
        evaluated += parts[1][1:]
    assert sorted(evaluated) == sorted(whole[1:])


# A given list


@needs_authors_list
def test_the_real_list_is_planned_at_full_scale():
    plan = plan_given(AUTHORS, LABELS, SCENES)
    assert len(plan.recordings) == 112
    minutes = plan.recordings.groupby("scene_label").seconds.sum() / 60
    expected = SCENES.set_index("scene_label").minutes
    pd.testing.assert_series_equal(minutes, expected, check_names=False, rtol=1e-6)
    assert minutes.sum() == pytest.approx(166, abs=0.1)
    ends = plan.events.path.map(plan.recordings.set_index("path").seconds)
    assert (plan.events.event_end_time <= ends).all()
    published = yaml.safe_load(FILES["registry"].read_text())["annotations"]["files"]
    found = {name: hashlib.sha256(text).hexdigest() for name, text in plan.lists.items()}
    assert found == published
    clip = plan.recordings[plan.recordings.scene_label == "office"].iloc[0]
    rows = plan.events[plan.events.path == clip.path]
    sound = render_recording(rows, "office", clip.seconds, np.random.default_rng(1), SOUNDS)
    assert sound.shape == (1_323_001, 2)


def test_a_given_list_is_kept_byte_for_byte(corpus, tmp_path, listed):
    given = corpus / "metadata_SEDandASC01"
    minutes = {"city_center": 0.5, "home": 0.17, "office": 1.0, "residential_area": 0.6}
    scenes = SCENES.assign(minutes=SCENES.scene_label.map(minutes))
    scenes.to_csv(tmp_path / "scenes.tsv", sep="\t", index=False)
    files = FILES | {"scene_statistics": tmp_path / "scenes.tsv"}
    make_corpus(tmp_path / "mirror", **files, **DEMO, seed=5, annotations=given)
    for name in LISTS:
        copied = tmp_path / "mirror" / "metadata_SEDandASC01" / name
        assert copied.read_bytes() == (given / name).read_bytes()
    plan = plan_given(given, LABELS, scenes)
    last = listed.groupby("path").event_end_time.max()
    for scene, rows in plan.recordings.groupby("scene_label"):
        assert rows.seconds.sum() == pytest.approx(60 * minutes[scene])
        if scene != "office":
            assert np.ptp(rows.seconds - rows.path.map(last)) == pytest.approx(0, abs=1e-6)


def test_faults_of_a_given_folder_are_all_named(corpus, tmp_path):
    (tmp_path / "meta").mkdir()
    text = (corpus / "metadata_SEDandASC01" / MAIN_LIST).read_text()
    (tmp_path / MAIN_LIST).write_text(text)
    with pytest.raises(AnnotationError) as raised:
        plan_given(tmp_path, LABELS, SCENES)
    assert str(raised.value).count("is missing") == 8
    (tmp_path / "crossvaridation").mkdir()
    os.mkfifo(tmp_path / LISTS[1])
    with pytest.raises(AnnotationError, match=f"{LISTS[1]} is a named pipe, not a file"):
        plan_given(tmp_path, LABELS, SCENES)
    (tmp_path / LISTS[1]).unlink()
    for name in LISTS[1:]:
        (tmp_path / name).write_text(text)
    (tmp_path / MAIN_LIST).write_text(text.replace("\tcar\n", "\tcat\n").replace("home", "hoome"))
    with pytest.raises(AnnotationError, match=r"(?s)hoome.*'cat'|'cat'.*hoome"):
        plan_given(tmp_path, LABELS, SCENES)


# The held-out part

SETS = {
    "TUT-sound-events-2016-evaluation": ["home", "residential_area"],
    "TUT-sound-events-2017-evaluation": ["city_center"],
    "TUT-acoustic-scenes-2016-evaluation": ["office"],
    "TUT-acoustic-scenes-2017-evaluation": ["city_center"],
}
SECOND = FILES | {"registry": RESOURCES / "archives_heldout.yaml"}


@pytest.fixture(scope="module")
def second(tmp_path_factory):
    """The evaluation sets that belong to ``corpus``: members of all archives, and the list."""
    folder = tmp_path_factory.mktemp("second") / "mirror"
    make_corpus(folder, **SECOND, **TINY, seed=1, heldout=True)
    content = {}
    for path in sorted(folder.glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            content |= {name: archive.read(name) for name in archive.namelist()}
    table = pd.read_csv(folder / "metadata_SEDandASC01" / SECOND_LIST, sep="\t")
    return folder, content, table


def test_the_held_out_part_is_of_the_evaluation_sets_and_has_every_event(second, listed):
    folder, content, table = second
    scenes = table.groupby(table.path.str.split("/").str[0]).scene_label.unique()
    assert {name: sorted(found) for name, found in scenes.items()} == SETS
    assert set(table.event_label) == set(LABELS.events)
    assert not set(table.path) & set(listed.path)
    assert set(table.path) < set(content)
    assert table.groupby("scene_label").path.nunique().to_dict() == TINY["recordings"]
    registry = read_registry(folder / "archives.yaml")
    assert list(registry.datasets) == list(read_registry(SECOND["registry"]).datasets)
    assert list(registry.annotations.files) == [SECOND_LIST]
    for dataset in registry.datasets.values():
        for archive in dataset.audio:
            with zipfile.ZipFile(folder / archive.name) as opened:
                assert opened.namelist(), "no archive is empty"


def test_held_out_clips_have_30_or_10_seconds_and_a_sample(second):
    _, content, table = second
    lengths = {
        name: soundfile.info(io.BytesIO(content[name])).frames
        for name in content
        if name.endswith(".wav")
    }
    ends = table.groupby("path").event_end_time.max()
    for name, frames in lengths.items():
        whole = {"scenes-2016": 1_323_001, "scenes-2017": 441_001}
        (expected,) = [n for key, n in whole.items() if key in name] or [frames]
        assert frames == expected
        assert ends.get(name, 0) * 44100 < frames + 0.05  # times have six decimals
    short = [name for name in lengths if "scenes-2017" in name]
    assert {name.split("/")[2].removesuffix(".wav").isdigit() for name in short} == {True}


def test_held_out_sound_is_not_that_of_development(second, members):
    digests_of = [
        {hashlib.sha256(each[name]).digest() for name in each if name.endswith(".wav")}
        for each in (second[1], members)
    ]
    assert not digests_of[0] & digests_of[1]


@needs_authors_list
def test_a_held_out_corpus_for_the_authors_second_list():
    plan = plan_given(AUTHORS, LABELS, SCENES, heldout=True)
    assert len(plan.recordings) == 136
    assert len(plan.events) == 1634
    assert list(plan.lists) == [SECOND_LIST]
    samples = (plan.recordings.seconds * 44100).round().astype(int)
    of_clips = plan.recordings.path.str.extract(r"(scenes-201.)")[0]
    assert samples.groupby(of_clips).unique().map(list).to_dict() == {
        "scenes-2016": [1_323_001], "scenes-2017": [441_001]
    }  # fmt: skip
    assert plan.recordings.seconds.sum() / 60 == pytest.approx(72.2, abs=0.1)
