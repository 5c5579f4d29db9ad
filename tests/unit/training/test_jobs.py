"""Network jobs from files to files: who sees which recordings, and what the numbers count."""

from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from softscene.config.labels import Labels
from softscene.core.tsv import read_table, write_table
from softscene.data.splits import DEVELOPMENT, EVALUATION
from softscene.evaluation.prediction import predict_student
from softscene.evaluation.scoring import evaluate_student
from softscene.features.clips import FoldFiles, join_clips
from softscene.features.folds import make_fold
from softscene.features.store import sources_of, write_proved
from softscene.models.networks import Student, Teacher
from softscene.training import inference
from softscene.training.jobs import Fold, dump_soft_labels, train_student, train_teacher
from softscene.training.parameters import SceneObjective, TrainingParameters
from softscene.training.weights import digest, load_network, load_tensors

from tests.conftest import FEATURES, ROOT, datasets

HEADER = "path\tscene_label\tevent_start_time\tevent_end_time\tevent_label\n"
LABELS = ROOT / "resources" / "labels.yaml"
CLIP = 100
PLACE = {"fold": "1", "seed": "0"}
COMPUTE = (1, "cpu")
CPU = torch.device("cpu")
SIZES = {"channels": 4, "scene_channels": [3, 2], "gru_units": 4, "dense_units": 4, "dropout": 0.1}
PARAMETERS = TrainingParameters(epochs=2, batch_size=8, learning_rate=0.01)
TEACHING = TrainingParameters(epochs=6, batch_size=4, learning_rate=0.02)
GRID = {"lowest": 0.3, "highest": 0.7, "step": 0.1}
STUDENTS = {
    "none": SceneObjective(),
    "hard": SceneObjective("hard", 1.0),
    "soft": SceneObjective("soft", 1.0, 2.0),
}
# Recording -> part, scene, frames. Hardly a length is a multiple of a clip's.
RECORDINGS = {
    "d/city1": (DEVELOPMENT, "city_center", 250),
    "d/city2": (DEVELOPMENT, "city_center", 130),
    "d/home1": (DEVELOPMENT, "home", 300),
    "d/home2": (DEVELOPMENT, "home", 337),
    "d/office1": (DEVELOPMENT, "office", 320),
    "d/office2": (DEVELOPMENT, "office", 37),
    "d/area1": (DEVELOPMENT, "residential_area", 210),
    "d/area2": (DEVELOPMENT, "residential_area", 180),
    "e/city": (EVALUATION, "city_center", 270),
    "e/home": (EVALUATION, "home", 130),
    "e/office": (EVALUATION, "office", 310),
    "e/area": (EVALUATION, "residential_area", 41),
}
# What the evaluation recordings sound like: one deceives the teacher, so that it makes errors.
SOUNDS = {"e/home": "office"}


def names_of(part):
    return [name for name, (own, _, _) in RECORDINGS.items() if own == part]


def make_study(folder, labels):
    """Features in which scenes and events can be heard, and their annotations."""
    rng = np.random.default_rng(4)
    rows = []
    with h5py.File(folder / "features.h5", "w") as store:
        store.attrs.update(asdict(FEATURES))
        for name, (_, scene, frames) in RECORDINGS.items():
            values = rng.normal(3, 1, (frames, 64))
            heard = labels.scenes.index(SOUNDS.get(name, scene))
            values[:, heard * 16 : heard * 16 + 16] += 3
            for event in rng.choice(labels.events, 4, replace=False):
                start = int(rng.integers(0, frames - 20))
                stop = int(rng.integers(start + 10, frames))
                values[start:stop, 2 * labels.events.index(event)] += 4
                rows.append((name, scene, start * 0.02 + 0.01, stop * 0.02 - 0.01, event))
            write_proved(store, name, values.astype("f4"), {"scene": scene})
    columns = ["recording", "scene", "onset", "offset", "event"]
    write_table(pd.DataFrame(rows, columns=columns), folder / "events.tsv")
    write_table(pd.DataFrame({"recording": list(RECORDINGS)}), folder / "audio.tsv")
    mark(folder)
    for part in (DEVELOPMENT, EVALUATION):
        lines = [f"{name}\thome\t0.5\t0.6\tfan\n" for name in names_of(part)]
        (folder / f"{part}.txt").write_text(HEADER + "".join(lines))


def mark(folder):
    """Say in the features that they were made of the events and recordings that lie there."""
    with h5py.File(folder / "features.h5", "a") as store:
        store.attrs.update(sources_of(folder / "events.tsv", [folder / "audio.tsv"]))


def scramble(folder, part, what, labels):
    """Change the features, the scenes or the events of a part's recordings beyond recognition."""
    rng, names = np.random.default_rng(9), names_of(part)
    if what == "events":
        events = read_table(folder / "events.tsv")
        own = events.recording.isin(names)
        shift = {event: labels.events[i - 7] for i, event in enumerate(labels.events)}
        events.loc[own, "event"] = events.event[own].map(shift)
        events.loc[own, "onset"] = events.onset[own] / 2
        write_table(events, folder / "events.tsv")
        mark(folder)
        return
    with h5py.File(folder / "features.h5", "a") as store:
        for name in names:
            values, scene = store[name][:], store[name].attrs["scene"]
            if what == "features":
                values = rng.normal(-20, 9, values.shape).astype("f4")
            else:
                scene = labels.scenes[labels.scenes.index(scene) - 1]
            del store[name]
            write_proved(store, name, values, {"scene": scene})


def run_jobs(folder, labels):
    """All jobs of the fold, with a student of each kind; gives the fold."""
    made = {name: folder / f"{name}.tsv" for name in ("recordings", "clips", "statistics")}
    lists = [folder / f"{part}.txt" for part in (DEVELOPMENT, EVALUATION)]
    tables = [folder / "audio.tsv"]
    make_fold(
        *lists, folder / "events.tsv", tables, folder / "features.h5", made, CLIP, 1.0, FEATURES
    )
    files = FoldFiles(
        features=folder / "features.h5",
        clips=made["clips"],
        statistics=made["statistics"],
        events=folder / "events.tsv",
        parameters=FEATURES,
    )
    fold = Fold(PLACE, files=files, labels=LABELS, clip_frames=CLIP, network=SIZES)
    train_teacher(fold, TEACHING, 0, COMPUTE, {
        "weights": folder / "teacher.safetensors", "history": folder / "teacher_history.tsv",
        "parameters": folder / "teacher.json", "accuracy": folder / "accuracy.tsv",
        "confusion": folder / "confusion.tsv", "logits": folder / "evaluation_logits.tsv",
    })  # fmt: skip
    soft = folder / "soft_labels.tsv"
    dump_soft_labels(fold, folder / "teacher.safetensors", COMPUTE, soft)
    for loss, objective in STUDENTS.items():
        own, student = folder / loss, {"method": loss, **PLACE}
        fold = replace(fold, wildcards=student)
        train_student(
            fold, objective, soft if loss == "soft" else None, PARAMETERS, 0, COMPUTE,
            {"weights": own / "weights.safetensors", "history": own / "history.tsv",
             "parameters": own / "parameters.json"},
        )  # fmt: skip
        predict_student(
            fold, own / "weights.safetensors", loss, GRID, COMPUTE,
            {"sweep": own / "sweep.tsv", "probabilities": own / "probabilities.h5",
             "scene_logits": own / "scene_logits.tsv"},
        )  # fmt: skip
        evaluate_student(
            own / "probabilities.h5", own / "sweep.tsv", made["recordings"], files.events, labels,
            {name: own / f"{name}.tsv" for name in
             ("thresholds", "events", "class_wise", "overall")},
            {"frame": 0.02}, 0.5, GRID, student,
        )  # fmt: skip
    return replace(fold, wildcards=PLACE)


@pytest.fixture(scope="module")
def study(tmp_path_factory, labels):
    """A fold whose jobs have run; tests only look at it."""
    folder = tmp_path_factory.mktemp("study")
    make_study(folder, labels)
    return SimpleNamespace(folder=folder, fold=run_jobs(folder, labels))


def results_of(folder):
    """Every result by its name, in a form that compares to the last bit."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".h5" and name != "features.h5":
            found[name] = {key: value.tobytes() for key, value in datasets(path).items()}
        elif path.suffix == ".safetensors":
            found[name] = digest(load_tensors(path)[0])
        elif path.suffix == ".tsv":
            found[name] = path.read_bytes()
    for loss in STUDENTS:
        thresholds = read_table(folder / loss / "thresholds.tsv")
        found[f"{loss}/adaptive"] = list(thresholds.adaptive)
    return found


TEACHER = {"teacher.safetensors", "teacher_history.tsv", "soft_labels.tsv"}
LEARNT = ("weights.safetensors", "history.tsv", "sweep.tsv", "adaptive")


def learnt(*losses):
    return {f"{loss}/{name}" for loss in losses for name in LEARNT}


@pytest.mark.parametrize(
    ("part", "what", "changed"),
    [
        (EVALUATION, ("features", "events", "scenes"), set()),
        (DEVELOPMENT, ("features",), TEACHER | learnt(*STUDENTS)),
        (DEVELOPMENT, ("events",), learnt(*STUDENTS)),
        (DEVELOPMENT, ("scenes",), TEACHER | learnt("hard", "soft")),
    ],
)
def test_what_is_learnt_follows_from_the_development_part_alone(
    study, tmp_path, labels, part, what, changed
):
    """To the last bit; and each job sees no more of the development part than it should."""
    make_study(tmp_path, labels)
    for each in what:
        scramble(tmp_path, part, each, labels)
    run_jobs(tmp_path, labels)
    before, after = results_of(study.folder), results_of(tmp_path)
    # Chosen from a coarse grid, adaptive thresholds need not move with what they are chosen from.
    free = {f"{loss}/adaptive" for loss in STUDENTS} & changed
    watched = TEACHER | learnt(*STUDENTS)
    assert {name for name in watched if before[name] != after[name]} - free == changed - free
    if part == EVALUATION:
        for name in ("confusion.tsv", *(f"{loss}/probabilities.h5" for loss in STUDENTS)):
            assert before[name] != after[name], "the scrambling can be seen"
        assert any(before[f"{x}/thresholds.tsv"] != after[f"{x}/thresholds.tsv"] for x in STUDENTS)


def test_students_of_each_kind_learn_something_else(study):
    weights = [(study.folder / x / "weights.safetensors").read_bytes() for x in STUDENTS]
    assert len(set(weights)) == 3
    sweeps = [(study.folder / x / "sweep.tsv").read_bytes() for x in STUDENTS]
    assert len(set(sweeps)) == 3


def test_the_soft_students_teacher_is_its_file(study, tmp_path, labels):
    """Other soft labels give another student; those of other clips are refused elsewhere."""
    table = read_table(study.folder / "soft_labels.tsv")
    logits = [f"logit_{scene}" for scene in labels.scenes]
    write_table(table.assign(**{name: table[name][::-1].to_numpy() for name in logits}),
                tmp_path / "other.tsv")  # fmt: skip
    results = {name: tmp_path / name for name in ("weights", "history", "parameters")}
    own = (study.folder / "soft/weights.safetensors").read_bytes()
    fold = replace(study.fold, wildcards={"method": "soft", **PLACE})
    for source, same in ((study.folder / "soft_labels.tsv", True), (tmp_path / "other.tsv", False)):
        train_student(fold, STUDENTS["soft"], source, PARAMETERS, 0, COMPUTE, results)
        assert (Path(results["weights"]).read_bytes() == own) == same


def train_soft(study, folder, soft_labels, objective=STUDENTS["soft"], seed=0, threads=1, **fold):
    """Train the soft student with a checkpoint in ``folder``; gives its weights."""
    results = {name: folder / name for name in ("weights", "history", "parameters")}
    train_student(
        replace(study.fold, **fold), objective, soft_labels, PARAMETERS, seed, (threads, "cpu"),
        results, (folder / "checkpoint.safetensors", 0.0),
    )  # fmt: skip
    return results["weights"].read_bytes()


def other_logits(study, folder, labels):
    table = read_table(study.folder / "soft_labels.tsv")
    table[f"logit_{labels.scenes[0]}"] += 1.0
    write_table(table, folder / "other.tsv")
    return {"soft_labels": folder / "other.tsv"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda *_: {}, None),
        (other_logits, "data"),
        (lambda *_: {"seed": 1}, "parameters"),
        (lambda *_: {"objective": SceneObjective("soft", 1.0, 3.0)}, "parameters"),
        (lambda *_: {"network": SIZES | {"dropout": 0.2}}, "parameters"),
        (lambda *_: {"network": SIZES | {"fused": False}}, "parameters"),
        (lambda *_: {"network": SIZES | {"precision": "bfloat16"}}, "parameters"),
        (lambda *_: {"threads": 2}, "parameters"),
    ],
)
def test_a_job_goes_on_from_a_checkpoint_of_the_same_training_alone(
    study, tmp_path, labels, monkeypatch, caplog, change, named
):
    """A job that trained to the end, and was killed before it wrote its weights."""
    given = {"soft_labels": study.folder / "soft_labels.tsv"}
    with monkeypatch.context() as killed:
        killed.setattr("softscene.training.jobs._write_training", lambda *_: None)
        with pytest.raises(FileNotFoundError):
            train_soft(study, tmp_path, **given)
    given |= change(study, tmp_path, labels)
    with caplog.at_level("INFO", logger="softscene"):
        weights = train_soft(study, tmp_path, **given)
    expected = f"is of another training ({named})" if named else "resuming after epoch 2"
    assert expected in caplog.text
    (tmp_path / "anew").mkdir()
    assert weights == train_soft(study, tmp_path / "anew", **given)


def clips_by_hand(study, part, labels):
    """Each clip's name, frames, standardised features and truth, straight from the files."""
    statistics = read_table(study.folder / "statistics.tsv")
    events = read_table(study.folder / "events.tsv")
    clips = []
    for name, values in datasets(study.folder / "features.h5").items():
        if RECORDINGS[name][0] != part:
            continue
        truth = np.zeros((len(values), len(labels.events)), bool)
        for row in events[events.recording == name].itertuples():
            first, behind = int(np.floor(row.onset / 0.02)), int(np.ceil(row.offset / 0.02))
            truth[first:behind, labels.events.index(row.event)] = True
        standard = (values - statistics["mean"].to_numpy()) / statistics["std"].to_numpy()
        for start in range(0, len(standard), CLIP):
            cut = slice(start, start + CLIP)
            clips.append((name, start, standard[cut].astype("f4"), truth[cut]))
    return clips


def forward(network, clips):
    """The network's outputs, one clip at a time."""
    outputs = []
    with torch.inference_mode():
        for _, _, values, _ in clips:
            padded = np.zeros((1, CLIP, 64), np.float32)
            padded[0, : len(values)] = values
            outputs.append(network(torch.from_numpy(padded), torch.tensor([len(values)])))
    return outputs


def trained(study, network, weights, part=DEVELOPMENT, **branches):
    size = study.fold.size(study.fold.clips(part))
    return load_network(network(size, **branches), study.folder / weights, CPU, PLACE)


def test_scene_accuracy_is_counted_on_the_evaluation_clips(study, labels):
    network = trained(study, Teacher, "teacher.safetensors")
    clips = clips_by_hand(study, EVALUATION, labels)
    counts = {(a, b): 0 for a in labels.scenes for b in labels.scenes}
    for (name, *_), logits in zip(clips, forward(network, clips), strict=True):
        counts[RECORDINGS[name][1], labels.scenes[int(logits.argmax())]] += 1

    made = read_table(study.folder / "evaluation_logits.tsv")
    logits = torch.cat(forward(network, clips)).numpy()
    expected = dict(zip([clip[:2] for clip in clips], logits, strict=True))
    assert len(made) == len(expected)
    for row in made.itertuples():
        own = [getattr(row, f"logit_{scene}") for scene in labels.scenes]
        np.testing.assert_allclose(own, expected[row.recording, row.start], atol=1e-5)
    assert list(made.scene) == [RECORDINGS[name][1] for name in made.recording]

    confusion = read_table(study.folder / "confusion.tsv").set_index("scene")
    assert list(confusion.columns) == [f"clips_{scene}" for scene in labels.scenes]
    confusion.columns = labels.scenes
    assert list(confusion.index) == list(labels.scenes)
    assert {(a, b): confusion.loc[a, b] for a, b in counts} == counts
    assert not np.array_equal(confusion, confusion.T), "rows and columns can be told apart"

    accuracy = read_table(study.folder / "accuracy.tsv").set_index("scene")
    assert list(accuracy.index) == [*labels.scenes, ""]
    for scene in labels.scenes:
        total = sum(-(-frames // CLIP) for part, own, frames in RECORDINGS.values()
                    if (part, own) == (EVALUATION, scene))  # fmt: skip
        assert accuracy.clips[scene] == total
        assert accuracy.correct[scene] == counts[scene, scene]
        assert accuracy.accuracy[scene] == counts[scene, scene] / total
    correct = sum(counts[scene, scene] for scene in labels.scenes)
    assert tuple(accuracy.loc[""]) == (len(clips), correct, correct / len(clips))
    assert 0 < correct < len(clips), "a teacher with errors, or this test sees too little"


def test_soft_labels_are_the_logits_of_exactly_the_clips_that_are_trained_on(study, labels):
    """Those of the development part, without the last ones of less than 50 frames, a second."""
    table = read_table(study.folder / "soft_labels.tsv")
    clips = read_table(study.folder / "clips.tsv")
    own = clips[(clips.part == DEVELOPMENT) & (clips.frames >= 50)]
    assert {"d/city2", "d/home2", "d/office1", "d/area1"} <= set(own.recording)
    assert len(own) < (clips.part == DEVELOPMENT).sum()
    keys = ["clip", "recording", "scene", "start", "frames"]
    pd.testing.assert_frame_equal(table[keys], own[keys].reset_index(drop=True))
    assert set(table.recording) == set(names_of(DEVELOPMENT)) - {"d/office2"}

    network = trained(study, Teacher, "teacher.safetensors")
    by_hand = [c for c in clips_by_hand(study, DEVELOPMENT, labels) if len(c[2]) >= 50]
    assert len(by_hand) == len(table) > inference.BATCH, "more than a batch"
    rows = table.set_index(["recording", "start"])[[f"logit_{scene}" for scene in labels.scenes]]
    for (name, start, *_), logits in zip(by_hand, forward(network, by_hand), strict=True):
        np.testing.assert_allclose(rows.loc[name, start], logits[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", STUDENTS)
def test_probabilities_are_of_the_evaluation_recordings_without_padding(study, labels, loss):
    found = datasets(study.folder / loss / "probabilities.h5")
    table = read_table(study.folder / "recordings.tsv")
    own = table[table.part == EVALUATION]
    assert {name: len(values) for name, values in found.items()} == dict(
        zip(own.recording, own.frames, strict=True)
    )
    network = trained(study, Student, f"{loss}/weights.safetensors", scene_branch=loss != "none")
    clips = clips_by_hand(study, EVALUATION, labels)
    for (name, start, values, _), (logits, _) in zip(clips, forward(network, clips), strict=True):
        expected = 1 / (1 + np.exp(-logits[0, : len(values)].numpy()))
        part = found[name][start : start + CLIP]
        np.testing.assert_allclose(part, expected, rtol=1e-4, atol=1e-5)
    with h5py.File(study.folder / loss / "probabilities.h5") as store:
        assert list(store.attrs["events"]) == list(labels.events)
        for data in map(store.get, found):
            assert (data.attrs["hop_length"], data.attrs["sample_rate"]) == (882, 44100)


@pytest.mark.parametrize("loss", STUDENTS)
def test_scene_logits_are_the_students_own_or_none(study, labels, loss):
    table = read_table(study.folder / loss / "scene_logits.tsv")
    if loss == "none":
        assert table.empty
        return
    network = trained(study, Student, f"{loss}/weights.safetensors", scene_branch=True)
    clips = clips_by_hand(study, EVALUATION, labels)
    rows = table.set_index(["recording", "start"])[[f"logit_{scene}" for scene in labels.scenes]]
    assert len(rows) == len(clips)
    for (name, start, *_), (_, logits) in zip(clips, forward(network, clips), strict=True):
        np.testing.assert_allclose(rows.loc[name, start], logits[0], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", STUDENTS)
def test_the_development_sweep_is_a_plain_recount(study, labels, loss):
    """Within the few frames whose probability is the threshold itself, but for rounding."""
    network = trained(study, Student, f"{loss}/weights.safetensors", scene_branch=loss != "none")
    clips = clips_by_hand(study, DEVELOPMENT, labels)
    outputs = forward(network, clips)
    scores = np.concatenate(
        [torch.sigmoid(y[0, : len(x)]).numpy() for (_, _, x, _), (y, _) in
         zip(clips, outputs, strict=True)]
    )  # fmt: skip
    truth = np.concatenate([each for *_, each in clips])
    assert len(scores) == sum(RECORDINGS[name][2] for name in names_of(DEVELOPMENT))

    sweep = read_table(study.folder / loss / "sweep.tsv").set_index(["event", "threshold"])
    assert len(sweep) == len(labels.events) * 5
    for i, event in enumerate(labels.events):
        for threshold in (0.3, 0.4, 0.5, 0.6, 0.7):
            hits, extras, misses = sweep.loc[(event, threshold)]
            near = int((np.abs(scores[:, i] - threshold) < 1e-5).sum())
            found = scores[:, i] >= np.float32(threshold)
            assert abs(hits - (found & truth[:, i]).sum()) <= near
            assert abs(extras - (found & ~truth[:, i]).sum()) <= near
            assert hits + misses == truth[:, i].sum()
    assert 0 < sweep.true_positives.sum() < truth.sum() * 5, "some frames lie on either side"


def test_clips_are_joined_in_order_and_without_their_padding():
    table = pd.DataFrame(
        {"recording": ["a", "a", "b", "a", "c"], "frames": [3, 3, 2, 1, 3]}, index=[4, 5, 6, 7, 8]
    )
    values = np.arange(30).reshape(5, 3, 2)
    joined = join_clips(table, values)
    assert list(joined) == ["a", "b", "c"]
    assert joined["a"].tolist() == [[0, 1], [2, 3], [4, 5], [6, 7], [8, 9], [10, 11], [18, 19]]
    assert joined["b"].tolist() == [[12, 13], [14, 15]], "its third frame is padding"
    assert joined["c"].tolist() == [[24, 25], [26, 27], [28, 29]]


TWO = Labels(scenes=("s",), events=("a", "b"), event_of={}, scene_of={})


@pytest.fixture
def scored(tmp_path):
    """Call -> tables of a student with constructed probabilities; ``a`` is active in frames 0-49.

    So is ``b``. The development part says 0.3 for a and 0.7 for b. ``active`` and ``idle`` are the
    probabilities of both events in frames in which a is active, and in all others.
    """
    hits = {"a": (9, 5, 1), "b": (1, 5, 9)}
    sweep = [
        (event, threshold, found, 100 - found, 100 - found)
        for event, each in hits.items()
        for threshold, found in zip((0.3, 0.5, 0.7), each, strict=True)
    ]
    columns = ["event", "threshold", "true_positives", "false_positives", "false_negatives"]
    write_table(pd.DataFrame(sweep, columns=columns), tmp_path / "sweep.tsv")
    recordings = pd.DataFrame(
        [
            ("d/x", DEVELOPMENT, "s", 80),
            ("e/x", EVALUATION, "s", 130),
            ("e/y", EVALUATION, "s", 70),
        ],
        columns=["recording", "part", "scene", "frames"],
    )
    write_table(recordings, tmp_path / "recordings.tsv")
    events = pd.DataFrame(
        [(name, "s", 0.0, 1.0, event) for name in ("d/x", "e/x", "e/y") for event in "ab"],
        columns=["recording", "scene", "onset", "offset", "event"],
    )
    write_table(events, tmp_path / "events.tsv")

    def run(active, idle):
        with h5py.File(tmp_path / "probabilities.h5", "w") as store:
            store.attrs["events"] = ["a", "b"]
            hop = {"hop_length": 882, "sample_rate": 44100, "fold": "1"}
            hop |= sources_of(tmp_path / "events.tsv")
            for name, frames in (("e/x", 130), ("e/y", 70)):
                values = np.full((frames, 2), idle, np.float32)
                values[:50] = active
                write_proved(store, name, values, hop)
        names = ("thresholds", "events", "class_wise", "overall")
        results = {name: tmp_path / f"out_{name}.tsv" for name in names}
        evaluate_student(
            probabilities=tmp_path / "probabilities.h5",
            development_sweep=tmp_path / "sweep.tsv",
            recordings=tmp_path / "recordings.tsv",
            events=tmp_path / "events.tsv",
            labels=TWO,
            results=results,
            conventions={"frame": 0.02, "segment": 1.0},
            fixed_threshold=0.5,
            adaptive_thresholds={"lowest": 0.3, "highest": 0.7, "step": 0.2},
            student={"fold": "1"},
        )
        return {name: read_table(path) for name, path in results.items()}

    return run


def test_adaptive_thresholds_stay_when_evaluation_probabilities_change(scored):
    for active, idle, oracle in ((0.9, 0.6, 0.7), (0.4, 0.1, 0.3), (0.6, 0.4, 0.5)):
        thresholds = scored(active, idle)["thresholds"].set_index("event")
        assert list(thresholds.adaptive) == [0.3, 0.7]
        assert list(thresholds.oracle) == [oracle, oracle]
        assert list(thresholds.fixed) == [0.5, 0.5]


def test_each_modes_scores_are_those_of_its_own_thresholds(scored):
    """Probabilities of 0.6 where an event is and 0.4 elsewhere, counted by hand.

    At 0.5 all is right. Adaptive: a (0.3) is found everywhere, 100 extra frames; b (0.7) nowhere,
    so that its 100 frames are missed.
    """
    tables = scored(0.6, 0.4)
    overall = tables["overall"].set_index(["convention", "threshold"])
    counts = ["true_positives", "false_positives", "false_negatives"]
    assert list(overall.loc[("frame", "fixed"), counts]) == [200, 0, 0]
    assert list(overall.loc[("frame", "oracle"), counts]) == [200, 0, 0]
    assert list(overall.loc[("frame", "adaptive"), counts]) == [100, 100, 100]
    # Extra frames of a are where b has passed already: nothing is substituted.
    rates = ["substitutions", "deletions", "insertions", "f_score", "error_rate"]
    assert list(overall.loc[("frame", "adaptive"), rates]) == [0, 100, 100, 0.5, 1.0]
    # 1 s is 50 frames: 3 + 2 segments, of which the first of each recording has both events.
    assert list(overall.loc[("segment", "adaptive"), counts]) == [2, 3, 2]
    each = tables["class_wise"].set_index(["convention", "threshold", "event"]).sort_index()
    assert list(each.loc[("frame", "adaptive", "a"), counts]) == [100, 100, 0]
    assert list(each.loc[("frame", "adaptive", "b"), counts]) == [0, 0, 100]
    assert list(each.loc[("frame", "adaptive"), "error_rate"]) == [0.5, 0.5]
    assert list(each.loc[("frame", "adaptive"), "f_score"]) == [2 / 3, 0.0]

    events = tables["events"]
    assert set(events.recording) == {"e/x", "e/y"}
    adaptive = events[events.threshold == "adaptive"]
    assert list(adaptive.event) == ["a", "a"]
    assert list(adaptive.offset) == pytest.approx([2.6, 1.4])
    fixed = events[events.threshold == "fixed"]
    assert sorted(fixed.event) == ["a", "a", "b", "b"]
    assert fixed.offset.to_numpy() == pytest.approx(1.0)


OWN_TEACHER = """
from softscene.models.networks import Teacher as Original
class Teacher(Original):
    def forward(self, features, lengths):
        return {} * super().forward(features, lengths)
"""


def test_an_own_teachers_logits_are_its_own(study, tmp_path, labels, caplog):
    """With twice the paper's logits, from the same weights; and its checkpoints are its file's."""
    code = tmp_path / "mine.py"
    code.write_text(OWN_TEACHER.format("2.0"))
    fold, logits = replace(study.fold, code=code), [f"logit_{scene}" for scene in labels.scenes]
    source, target = study.folder / "teacher.safetensors", tmp_path / "soft_labels.tsv"
    dump_soft_labels(fold, source, COMPUTE, target)
    own, paper = (read_table(each)[logits] for each in (target, study.folder / "soft_labels.tsv"))
    np.testing.assert_allclose(own, 2 * paper, rtol=1e-6)

    names = ("weights", "history", "parameters", "logits", "accuracy", "confusion")
    results = {name: tmp_path / name for name in names}
    given = (TEACHING, 0, COMPUTE, results, (tmp_path / "checkpoint.safetensors", 0.0))
    with pytest.MonkeyPatch.context() as killed:
        killed.setattr("softscene.training.jobs._write_training", lambda *_: None)
        train_teacher(fold, *given)
    paper_losses = read_table(study.folder / "teacher_history.tsv").loss
    live = read_table(tmp_path / "checkpoint.history.tsv")
    assert len(live) == len(paper_losses)
    assert live.loss[0] != paper_losses[0]
    code.write_text(OWN_TEACHER.format("1.0"))
    train_teacher(fold, *given)
    assert "is of another training (code)" in caplog.text
    assert results["weights"].read_bytes() == source.read_bytes()
