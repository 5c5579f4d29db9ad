"""docs/extending.md and docs/tutorial.md, done as they say: files are written and commands run."""

import hashlib
import os
import re
import runpy
import shlex
import shutil

import numpy as np
import pytest
import soundfile
import torch
import yaml
from safetensors.numpy import load_file
from softscene.core.tsv import read_table
from softscene.data.annotations import read_published

from tests.checkout import SMALL, Checkout, copy_checkout
from tests.conftest import ROOT
from tests.unit.archive.made_up import contents
from tests.workflow.test_small import CHAIN, CURVES

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "extending.md").read_text()
# Named in a comment in front, but for tables, which have none: these by the line before.
BLOCK = r"(?:`(\S+\.tsv)`\n\n```tsv\n|```\w+\n# (\S+)\n)(.*?)```"
TUTORIAL = (ROOT / "docs" / "tutorial.md").read_text(encoding="utf-8")


def files_of(page):
    return {above or inside: text for above, inside, text in re.findall(BLOCK, page, re.DOTALL)}


def commands_of(page):
    return re.findall(r"^snakemake (.*)$", page, re.MULTILINE)


TAUGHT = files_of(TUTORIAL)
FILES = files_of(PAGE)
COMMANDS = commands_of(PAGE)
RATE, SECONDS = 16000, 10.3


def write_files(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text((FILES | TAUGHT)[name], encoding="utf-8")


def typed(command, **instead):
    """A command of the page, with the test's own configuration and cores."""
    words = [instead.get(word, word) for word in shlex.split(command)]
    assert words[-2] == "--cores"
    return words[:-2]


def test_the_page_has_these_files_and_commands():
    assert list(FILES) == [
        "mine/annotations.tsv", "mine/labels.yaml", "mine.yaml", "quick.yaml", "middle.yaml",
        "convert.py", "mine/folds.tsv",
        "methods/focal.py", "focal.yaml", "methods/linear.py", "linear.yaml",
        "methods/small_teacher.py", "small_teacher.yaml", "Snakefile",
    ]  # fmt: skip
    assert len(COMMANDS) == 7
    assert list(TAUGHT) == ["methods/hinton.py", "hinton.yaml", "seeds.yaml"]
    assert len(commands_of(TUTORIAL)) == 5


def test_tables_of_the_page_can_be_copied_as_they_are():
    tables = re.findall(r"```tsv\n(.*?)```", PAGE, re.DOTALL)
    headers = ["path\tscene_label\tevent_start_time\tevent_end_time\tevent_label", "path\tfold"]
    assert [text.splitlines()[0] for text in tables] == headers
    for text in tables:
        assert len({line.count("\t") for line in text.splitlines()}) == 1
        assert " " not in text


def test_the_page_says_how_large_the_runs_are(own_data):
    def size(*args):
        printed = own_data.snakemake("-n", *args, config=None).stdout
        return re.findall(r"^(?:train_student|total) +(\d+)$", printed, re.MULTILINE)

    (said,) = re.findall(r"(\d+) jobs, among them (\d+) students", PAGE)
    assert sorted(size(*typed(COMMANDS[3]))) == sorted(said)
    assert f" {size(*own_data.args, '--forceall')[-1]} jobs in a minute or two" in PAGE


@pytest.fixture(scope="module")
def extended(finished, tmp_path_factory):
    """The finished checkout, in which the page's methods have run as well."""
    folder = tmp_path_factory.mktemp("extended") / "copy"
    shutil.copytree(finished.folder, folder, symlinks=True)
    write_files(folder, "methods/focal.py", "focal.yaml", "methods/linear.py", "linear.yaml")
    write_files(folder, "methods/small_teacher.py", "small_teacher.yaml")
    write_files(folder, *TAUGHT)
    hinton = folder / "hinton.yaml"  # at the temperature that the small run has, as the demo has 5
    hinton.write_text(TAUGHT["hinton.yaml"].replace("[5.0]", "[2.0]"), encoding="utf-8")
    with Checkout(folder) as checkout:
        checkout.args = [*typed(COMMANDS[6], **{"configs/demo.yaml": SMALL}), "hinton.yaml"]
        checkout.before = checkout.planned(*checkout.args, config=None)
        done = checkout.snakemake(*checkout.args, config=None)
        assert done.returncode == 0, done.stdout
        yield checkout


def test_methods_of_ones_own_are_trained_and_nothing_else_is(extended):
    students = {"train_student": 4, "predict_student": 4, "evaluate_student": 4}
    own = {"train_teacher": 1, "dump_soft_labels": 1, **students, **CHAIN, **CURVES}
    assert extended.before == own
    assert extended.planned(*extended.args, config=None) == {}


def test_methods_of_ones_own_are_rows_of_table_3(extended):
    table = read_table(extended.path("tables/table3.tsv"))
    assert len(table) == 7 * 2 * 3
    weights_of = {
        "focal.yaml": "alpha", "linear.yaml": "beta", "small_teacher.yaml": "beta",
        "hinton.yaml": "beta",
    }  # fmt: skip
    for config, weights in weights_of.items():
        ((key, method),) = yaml.safe_load((FILES | TAUGHT)[config])["methods"].items()
        rows = table[table.method == method["name"]]
        assert (len(rows), set(rows[weights])) == (6, set(method[weights]))
        (scores,) = extended.path("evaluation", key).rglob("overall.tsv")
        both = rows.merge(read_table(scores), on=["convention", "threshold"])
        np.testing.assert_array_equal(both.f_score_mean, both.f_score)


def test_the_own_loss_and_the_own_network_were_the_ones_used(extended):
    (linear,) = extended.path("students/linear").rglob("weights.safetensors")
    assert sorted(load_file(linear)) == ["event.bias", "event.weight", "scene.bias", "scene.weight"]
    (focal,) = extended.path("students/focal").rglob("history.tsv")
    (plain,) = extended.path("students/mtl").rglob("history.tsv")
    focal, plain = (read_table(path).scene_loss for path in (focal, plain))
    assert focal[0] < plain[0], "the same start; a focal loss is less than a cross-entropy"


def test_the_own_teacher_was_the_one_that_labelled(extended):
    """Its weights are those of one layer, and the logits are not the usual teacher's."""
    (weights,) = extended.path("teachers/code-small_teacher").rglob("weights.safetensors")
    assert sorted(load_file(weights)) == ["scene.bias", "scene.weight"]
    (own,) = extended.path("soft_labels/code-small_teacher").rglob("*.tsv")
    usual = read_table(extended.path("soft_labels", own.name))
    own = read_table(own)
    assert own["clip"].equals(usual["clip"])
    assert not np.allclose(own.filter(like="logit_"), usual.filter(like="logit_"))


def test_the_tutorials_loss_is_hintons(tmp_path):
    """T^2 times the cross-entropy of the posteriors at T, written out."""
    write_files(tmp_path, "methods/hinton.py")
    loss = runpy.run_path(str(tmp_path / "methods/hinton.py"))["soft_scene_loss"]
    rng = np.random.default_rng(0)
    w, v = rng.normal(size=(2, 6, 4))

    def posterior(logits):
        raised = np.exp(logits / 5.0)
        return raised / raised.sum(axis=1, keepdims=True)

    expected = 25 * -(posterior(v) * np.log(posterior(w))).sum(axis=1).mean()
    found = loss(torch.tensor(w), torch.tensor(v), 5.0).item()
    assert found == pytest.approx(expected, rel=1e-12)


def test_the_tutorials_commands_plan_what_the_page_says(extended):
    """Of the small run; what its method alone needs is tested above, with the other page's."""
    small = {"configs/demo.yaml": SMALL}
    commands = [shlex.split(each) for each in commands_of(TUTORIAL)]
    commands = [[small.get(word, word) for word in command] for command in commands]
    explorer, dry, run, estimate, seeds = commands
    assert dry[0] == "-n"
    assert run == ["--logger", "softscene", *dry[1:], "--cores", "2"]
    assert estimate == ["estimate", *seeds]
    assert extended.planned(*explorer[:-2], config=None)["make_explorer"] == 1
    # Two seeds more, of four methods.
    more = extended.planned(*seeds[:-2], config=None)
    assert (more["train_teacher"], more["train_student"]) == (2, 2 * 4)
    done = extended.snakemake(*estimate[:-2], config=None)
    assert done.returncode == 0, done.stdout


def test_a_changed_file_makes_its_own_students_again(extended):
    students = {"train_student": 1, "predict_student": 1, "evaluate_student": 1}
    teachers = {"train_teacher": 1, "dump_soft_labels": 1}
    for name, others in (("methods/focal.py", {}), ("methods/small_teacher.py", teachers)):
        path = extended.folder / name
        path.write_text(path.read_text() + "# changed\n")
        planned = extended.planned(*extended.args, config=None)
        path.write_text(FILES[name])
        assert planned == {**others, **students, **CHAIN, **CURVES}


def test_a_method_without_its_file_is_refused_before_any_job(fresh):
    write_files(fresh.folder, "focal.yaml")
    done = fresh.snakemake("--configfile", SMALL, "focal.yaml", config=None)
    assert done.returncode != 0
    assert "methods.focal.code: " in done.stdout
    assert "methods/focal.py cannot be read: No such file" in done.stdout
    assert "Traceback" not in done.stdout
    assert not (fresh.folder / "results/small").exists()


@pytest.fixture(scope="module")
def own_data(tmp_path_factory):
    """A checkout with the page's data set, noise where the page has sound, in which it has run."""
    folder = tmp_path_factory.mktemp("own")
    with copy_checkout(folder) as checkout:
        write_files(folder, "mine/annotations.tsv", "mine/labels.yaml", "mine.yaml", "quick.yaml")
        rng = np.random.default_rng(0)
        for name in read_published(folder / "mine/annotations.tsv").recording.unique():
            path = folder / "mine/audio" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.normal(size=(round(RATE * SECONDS), 2)), RATE)
        os.utime(path, (2**32, 2**32))  # a recorder's wrong clock: the year 2106
        checkout.args = typed(COMMANDS[0])
        done = checkout.snakemake(*checkout.args, config=None)
        assert done.returncode == 0, done.stdout
        yield checkout


def test_own_data_go_through_to_the_tables(own_data):
    results = own_data.folder / "results/mine-quick"
    listed = read_published(own_data.folder / "mine/annotations.tsv")
    table1 = read_table(results / "tables/table1.tsv").set_index(["event", "scene"])
    for (event, scene), rows in listed.groupby(["event", "scene"]):
        assert table1["count"][event, scene] == len(rows)
    assert table1["count"].sum() == len(listed)
    table3 = read_table(results / "tables/table3.tsv")
    assert set(table3.method) == {"CNN-BiGRU", "MTL", "MTL with soft labels"}
    assert (table3.runs == 2).all()
    assert set(read_table(results / "tables/table4.tsv").event) == {"car", "kettle", "speech"}
    assert "Synthetic" not in (results / "tables/table3.md").read_text(encoding="utf-8")
    for name in ("table3", "table4", "comparisons", "event_comparisons"):
        published = read_table(results / f"tables/{name}.tsv").filter(regex="^published")
        assert published.shape[1] > 0, name
        assert published.isna().all(axis=None), f"{name} has no numbers of the paper's"
    assert "ublished" not in (results / "tables/table3.md").read_text(encoding="utf-8")
    assert read_table(results / "tables/claims.tsv").empty, "nor claims"
    assert (results / "figures/fig3.png").stat().st_size > 0
    assert own_data.planned(*own_data.args, config=None) == {}


def test_the_archive_names_own_recordings_and_has_none(own_data):
    done = own_data.snakemake("archive", *own_data.args, config=None)
    assert done.returncode == 0, done.stdout
    files = contents(own_data.folder / "results/mine-quick/archive.zip")
    listed = files["results/mine-quick/inputs.tsv"].decode()
    assert not any(name.endswith(".wav") for name in files)
    path = next((own_data.folder / "mine/audio").rglob("*.wav"))
    assert f"\tsha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n" in listed
    assert files["given/labels/labels.yaml"] == (own_data.folder / "mine/labels.yaml").read_bytes()
    assert b"labels: given/labels/labels.yaml" in files["results/mine-quick/configuration.yaml"]
    card = files["results/mine-quick/MODEL_CARD.md"].decode()
    assert "It knows 3 events and no other sound" in card
    assert "those who publish it must say so" in card


def test_pages_call_own_data_own(own_data):
    """No page says that they are TUT's, or under TUT's terms."""
    done = own_data.snakemake("explorer", *own_data.args, config=None)
    assert done.returncode == 0, done.stdout
    report = (own_data.folder / "results/mine-quick/report.html").read_text(encoding="utf-8")
    assert "mine/annotations.tsv, mine/audio: 8 recordings" in report
    assert "The recordings are not the paper's" in report
    assert "TUT Sound Events" not in report
    explorer = (own_data.folder / "results/mine-quick/explorer.html").read_text(encoding="utf-8")
    assert '"terms":null' in explorer


def test_the_longer_training_and_its_detector_are_planned_as_the_page_says(own_data):
    write_files(own_data.folder, "middle.yaml")
    recordings = str(own_data.folder / "mine/audio/kitchen")
    planned = own_data.planned(*typed(COMMANDS[1]), config=None)
    assert (planned["train_teacher"], planned["train_student"]) == (2, 6)
    words = [recordings.join(["input=", ""]) if "FOLDER" in w else w for w in COMMANDS[2].split()]
    planned = own_data.planned(*words, config=None)
    assert planned["predict_recording"] == 4
    settings = yaml.safe_load(FILES["middle.yaml"])
    assert settings["student"]["epochs"] == 2 * settings["teacher"]["epochs"] == 60


def test_automatic_folds_evaluate_each_whole_recording_once(own_data):
    parts = [
        read_table(own_data.folder / f"results/mine-quick/folds/fold-{fold}/recordings.tsv")
        for fold in (1, 2)
    ]
    evaluated = [part.recording[part.part == "evaluation"] for part in parts]
    listed = set(read_published(own_data.folder / "mine/annotations.tsv").recording)
    assert set(evaluated[0]) | set(evaluated[1]) == listed
    assert not set(evaluated[0]) & set(evaluated[1])
    for part in parts:
        assert dict(part.groupby(["scene", "part"]).size()) == {
            (scene, name): 2
            for scene in ("kitchen", "street")
            for name in ("development", "evaluation")
        }
        assert set(part.frames) == {round(SECONDS / 0.02)}


def test_own_folds_are_the_ones_that_are_evaluated(own_data):
    write_files(own_data.folder, "mine/folds.tsv")
    done = own_data.snakemake(
        *own_data.args, "--config", "run=folds", "data={own: {folds: mine/folds.tsv}}",
        "--until", "make_fold", config=None,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    wanted = read_table(own_data.folder / "mine/folds.tsv")
    for fold in (1, 2):
        made = read_table(own_data.folder / f"results/folds/folds/fold-{fold}/recordings.tsv")
        evaluated = set(made.recording[made.part == "evaluation"])
        assert evaluated == set(wanted.path[wanted.fold == fold])


def test_all_that_is_wrong_with_own_data_is_told_with_its_line(own_data):
    path = own_data.folder / "mine/annotations.tsv"
    good = path.read_text()
    lines = len(good.splitlines())
    path.write_text(
        good + "kitchen/9.wav\tkitchen\t1\t2\tspeech\n" + "street/1.wav\tstreet\t1\t2\tdog\n"
    )
    done = own_data.snakemake(*own_data.args, config=None)
    path.write_text(good)
    assert done.returncode != 0
    missing = f"mine/annotations.tsv, line {lines + 1}: kitchen/9.wav: there is no such file"
    assert missing in done.stdout
    assert f"line {lines + 2}: street/1.wav, 'dog': unknown event label" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ("audio: nope", "data.own.audio: there is no folder nope"),
        ("annotations: nope.tsv", "data.own.annotations: there is no file nope.tsv"),
        ("annotations: mine/labels.yaml", "line 1: missing columns path"),
        ("folds: nope.tsv", "data.own.folds: there is no file nope.tsv"),
        ("folds: 9", "data.own.folds: 9 given, mine/annotations.tsv has 8 recordings"),
    ],
)
def test_own_data_that_are_not_there_are_refused_before_any_job(fresh, changed, words):
    """And the paper's are not planned in their place."""
    write_files(fresh.folder, "mine/annotations.tsv", "mine/labels.yaml", "mine.yaml")
    (fresh.folder / "mine/audio").mkdir()
    args = ["-n", *typed(COMMANDS[3]), "--config", f"data={{own: {{{changed}}}}}"]
    done = fresh.snakemake(*args, config=None)
    assert done.returncode != 0
    assert words in done.stdout
    assert "Traceback" not in done.stdout
    assert "download_" not in done.stdout
    assert "merge_annotations" not in done.stdout
