"""The archive of a made-up run: all that is in it, and nothing that may not be."""

import hashlib
import json
from pathlib import Path
from urllib.parse import unquote

import pytest
import yaml
from softscene.archive.contents import (
    ArchivedRun,
    Member,
    require_no_sound,
    to_run_again,
    workflow_files,
)
from softscene.archive.package import make_archive
from softscene.core.errors import ResultError

from tests.conftest import PAPER, ROOT
from tests.unit.archive.made_up import DATASETS, contents, entities, make, make_run, write
from tests.validator import TERMS, TYPES, validate


@pytest.fixture(scope="module")
def archive(tmp_path_factory, labels):
    return make(tmp_path_factory.mktemp("archived"), labels)


def test_every_file_is_described_by_its_checksum(archive):
    files = contents(archive)
    told = {
        unquote(name): each
        for name, each in entities(archive).items()
        if "File" in each["@type"] and "://" not in name
    }
    assert told.keys() == files.keys() - {"ro-crate-metadata.json"}
    for name, each in told.items():
        assert each["sha256"] == hashlib.sha256(files[name]).hexdigest()
        assert each["contentSize"] == str(len(files[name]))


def test_it_says_what_was_run_on_what_and_what_came_of_it(archive):
    told = entities(archive)
    root, action = told["./"], told["#run"]
    assert root["mainEntity"] == action["instrument"] == {"@id": "Snakefile"}
    assert root["license"] == {"@id": "https://spdx.org/licenses/MIT"}
    language = told[told["Snakefile"]["programmingLanguage"]["@id"]]
    assert (language["name"], language["version"][:2]) == ("Snakemake", "9.")
    used = {each["@id"] for each in action["object"]}
    assert {"results/tiny/configuration.yaml", "results/tiny/inputs.tsv"} <= used
    assert {"resources/archives.yaml", "https://doi.org/10.5281/zenodo.45759"} <= used
    made = {each["@id"] for each in action["result"]}
    assert {"results/tiny/report.html", "results/tiny/tables/table3.tsv"} <= made
    assert "Snakefile" not in used | made
    assert contents(archive)["given/soft/my cöde.py"] == b"# a loss"
    assert "given/soft/my cöde.py" in map(unquote, used)
    paper = told["https://arxiv.org/abs/2002.05848"]
    assert {"@id": paper["@id"]} in root["citation"]
    assert told[paper["author"][0]["@id"]]["name"] == "Keisuke Imoto"


def test_downloads_are_named_with_their_published_checksums(archive):
    told = entities(archive)
    url = "https://zenodo.org/records/45759/files/TUT-sound-events-2016-development.audio.zip?download=1"
    assert told[url]["md5"] == "a6006efaa85bb69d5064b00c6802a8f8"
    assert told[url]["contentSize"] == "1014040667"
    dataset = told["https://doi.org/10.5281/zenodo.45759"]
    assert {"@id": url} in dataset["hasPart"]
    terms = {"@id": "resources/data_terms.txt"}
    assert dataset["license"] == told["results/tiny/detector.safetensors"]["license"] == terms
    assert not any("zenodo.45739" in each for each in told), "which the run did not use"
    inputs = contents(archive)["results/tiny/inputs.tsv"].decode()
    assert "a/b.wav\tb.zip\t12\tcrc32:0012abcd\n" in inputs
    assert f"\t{DATASETS[0]}\t70918\tmd5:33fd26a895530aef607a07b08704eacd\n" in inputs


def test_annotations_are_named_by_checksum_alone(archive):
    files = contents(archive)
    assert not any(b"secret annotations" in content for content in files.values())
    digest = hashlib.sha256(b"secret annotations").hexdigest()
    assert f"sha256:{digest}" in files["results/tiny/inputs.tsv"].decode()


@pytest.mark.parametrize(
    ("data", "words"), [("synthetic", "synthetic sound"), ("own", "recordings")]
)
def test_a_run_without_downloads_names_no_data_set(tmp_path, labels, data, words):
    told = entities(make(tmp_path, labels, data))
    assert not any("zenodo" in each for each in told)
    assert f"It is a run on {words}" in told["./"]["description"]
    assert "license" not in told["results/tiny/detector.safetensors"]


def test_its_words_are_defined(archive):
    """By RO-Crate 1.1, or else by itself."""
    metadata = json.loads(contents(archive)["ro-crate-metadata.json"])
    context, added = metadata["@context"]
    assert context == "https://w3id.org/ro/crate/1.1/context"
    told = entities(archive).values()
    assert {key for each in told for key in each} <= TERMS | added.keys()
    kinds = [each["@type"] for each in told]
    assert {kind for each in kinds for kind in ([each] if isinstance(each, str) else each)} <= TYPES


@pytest.mark.slow
def test_it_is_a_workflow_run_crate(archive, tmp_path):
    assert validate(archive, tmp_path) == ""
    files = contents(archive)
    files["ro-crate-metadata.json"] = files["ro-crate-metadata.json"].replace(
        b"instrument", b"name"
    )
    broken = validate(write(tmp_path / "broken.zip", files), tmp_path)
    assert "MUST have an instrument property" in " ".join(broken.split()), "or this tests nothing"


def test_the_same_run_gives_the_same_bytes(tmp_path, labels):
    run, files = make_run(tmp_path / "run", labels)
    for name in ("one.zip", "two.zip"):
        make_archive(run, files, tmp_path / name)
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("resources/a.WAV", b""),
        ("resources/a.txt", b"RIFF\x00\x00\x00\x00WAVE"),
        ("docs/a.md", b"fLaC\x00"),
        ("docs/a.png", b"OggS\x00"),
        ("docs/a.html", b"ID3\x04"),
        ("docs/a.tsv", b"\x00\x00\x00\x20ftypM4A "),
    ],
)
def test_sound_is_refused(name, content):
    silent = Member("docs/b.png", b"\x89PNG", "workflow")
    require_no_sound([silent])
    with pytest.raises(ResultError, match="no sound") as error:
        require_no_sound([silent, Member(name, content, "workflow")])
    assert error.value.problems == (name,)


def test_of_the_workflows_folder_only_the_workflow_is_taken(tmp_path):
    for name in (
        "Snakefile", "secret.txt", "rules/a.smk", "resources/a.wav", "resources/.key.yaml",
        "workflow_scripts/a.py", "workflow_scripts/__pycache__/a.py", "results/a.tsv",
        "workflow_scripts/softscene.egg-info/SOURCES.txt", "tests/a.py", "envs/.env",
    ):  # fmt: skip
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [Path(each).relative_to(tmp_path).as_posix() for each in workflow_files(tmp_path)]
    assert found == ["Snakefile", "rules/a.smk", "workflow_scripts/a.py"]


@pytest.mark.parametrize("controls", [["smoothed"], "all"])
def test_the_configuration_can_be_given_to_snakemake_again(tmp_path, monkeypatch, controls):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").touch()
    methods = {
        "soft": {**PAPER["methods"]["soft"], "code": str(tmp_path / "mine.py")},
        "smoothed": {"name": "smoothed", "scene_loss": "soft", "labels": "smoothed"},
    }
    data = {"folder": "/data/tut", "labels": "resources/labels.yaml", "own": None}
    configuration = {**PAPER, "methods": methods, "controls": controls, "data": data}
    run = ArchivedRun("tiny", ROOT, tmp_path, configuration, [], [], [], False)
    labels = ROOT / "resources/labels.yaml"  # not in the working directory, so the workflow's
    again = yaml.safe_load(to_run_again(run, labels, PAPER))
    left_out = {"crnn": None, "mtl": None}
    assert again["methods"] == left_out | {
        "soft": {**methods["soft"], "code": "given/soft/mine.py"}
    }
    assert again["data"] == {"folder": None, "labels": "resources/labels.yaml", "own": None}
    assert again["controls"] == controls
    assert {**again, "methods": 0, "data": 0} == {**configuration, "methods": 0, "data": 0}
    mine = yaml.safe_load(to_run_again(run, tmp_path / "mine.yaml", PAPER))
    assert mine["data"]["labels"] == "given/labels/mine.yaml"
