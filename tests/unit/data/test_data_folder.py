"""The folder of downloads: nothing of others is deleted in it, and no other data pass for ours."""

import copy
import json
import shutil

import pytest
from softscene.core.errors import DownloadError
from softscene.core.tsv import write_table
from softscene.data.data_folder import LISTING, MARK, TIMESTAMP, Data, prepare_data_folder
from softscene.data.fetching import discard_cache, fetch_annotations, fetch_meta, fetch_recordings
from softscene.data.transport import Source

from tests.unit.data.archive_place import DATA, FIRST, META, name, quick, write_zip

WANTED = [name(0), name(8)]
SEED = {"seed": 3, "annotations": None, "seconds": {"home": 12.0}}


class Folder:
    """A data folder, and a run that fills it as jobs do."""

    def __init__(self, place):
        self.place, self.path = place, place.folder / "data"
        tut = {f"{DATA}/evaluation_setup/fold1.txt": b"x", f"{DATA}/meta/r.ann": b""}
        write_zip(place.published / META, tut)
        self.registry = place.registry()
        self.data = Data.published(self.registry)
        self.folders = [
            self.path / "annotations",
            *(self.path / DATA / k for k in ("audio", "meta")),
        ]
        self.made = [*self.folders, self.path / DATA / "recordings.tsv"]

    def prepare(self, remade=(), data=None, chosen=True):
        data = data or self.data
        synthetic = data.words.startswith("a synthetic")
        options = {"synthetic": synthetic, "chosen": chosen}
        prepare_data_folder(self.path, data, self.registry, remade, **options)

    def fill(self, source=None, **options):
        """Look, delete as Snakemake does, and make everything."""
        self.prepare(self.made, **options)
        for folder in self.folders:
            shutil.rmtree(folder, ignore_errors=True)
        source = source or Source(str(self.place.published))
        annotations, audio, meta = self.folders
        dataset, cache = self.registry.datasets[DATA], self.path / "cache"
        fetch_annotations(self.registry, source, annotations)
        fetch_meta(dataset, source, cache, meta)
        table = fetch_recordings(dataset, WANTED, source, cache, audio)
        write_table(table, self.path / DATA / "recordings.tsv")
        discard_cache(dataset, cache)
        for folder in self.folders:
            (folder / TIMESTAMP).touch()

    def forget(self):
        """Be as an earlier version has left it."""
        for notes in self.path.rglob(LISTING):
            notes.unlink()
        (self.path / MARK).unlink()

    def files(self):
        return {path: path.read_bytes() for path in self.path.rglob("*") if path.is_file()}

    def refuses(self, *words, **options):
        """It is refused in these words, and nothing changes."""
        before = self.files()
        with pytest.raises(DownloadError, match=r"data\.folder") as raised:
            self.prepare(**options)
        for word in words:
            assert str(word) in str(raised.value), str(raised.value)
        assert self.files() == before
        return str(raised.value)


@pytest.fixture
def folder(place):
    return Folder(place)


@pytest.fixture
def filled(folder):
    folder.fill()
    return folder


def synthetic(seed=3, inputs=(), **changes):
    return Data.synthetic(SEED | {"seed": seed} | changes, inputs)


# Files of others


@pytest.mark.fault("bad input", "data.folder holds TUT unzipped by hand, under the same names")
def test_what_lies_there_by_hand_is_named_and_left(folder, seen):
    by_hand = ["annotations/mine.txt", f"{DATA}/audio/home/a.wav", f"{DATA}/meta/m.txt"]
    for path in by_hand:
        (folder.path / path).parent.mkdir(parents=True, exist_ok=True)
        (folder.path / path).write_text("mine")
    words = [*folder.folders, "download.mirror", "nothing was deleted"]
    for data in (folder.data, synthetic()):
        folder.refuses(remade=folder.made, data=data)
    folder.refuses(remade=folder.made, data=synthetic(), chosen=False)
    folder.refuses(*words, remade=folder.made)
    folder.refuses(remade=folder.made[:1])
    folder.refuses()
    seen("refused before the first job, naming every folder; nothing deleted")


def test_folder_that_comes_by_hand_later_is_refused(filled):
    audio = filled.folders[1]
    shutil.rmtree(audio)
    (audio / "home").mkdir(parents=True)
    (audio / "home/a.wav").write_text("mine")
    assert filled.refuses(audio, remade=filled.made).count("\n") == 1


@pytest.mark.fault("bad input", "a user's own files in a downloaded folder")
@pytest.mark.parametrize("chosen", [True, False])
def test_files_put_to_ours_later_are_not_deleted(filled, chosen, seen):
    annotations, audio, _ = filled.folders
    (annotations / "my_own_corrections.txt").write_text("mine")
    (annotations / "meta/all.txt").write_text("corrected")
    (audio / "link").symlink_to(annotations)
    filled.prepare(chosen=chosen)  # nothing is made again
    filled.prepare([filled.folders[2]], chosen=chosen)
    said = filled.refuses(
        annotations / "my_own_corrections.txt", annotations / "meta/all.txt", audio / "link",
        remade=filled.made, chosen=chosen,
    )  # fmt: skip
    assert said.count("\n") == 3
    seen("refused, naming every file that would be deleted; else left alone")


def test_table_of_others_is_not_deleted(folder):
    table = folder.made[-1]
    table.parent.mkdir(parents=True)
    table.write_text("recording\tmine\n")
    folder.refuses(table, remade=folder.made)
    folder.prepare(folder.made[:1])


# Other data


def test_identity_is_what_the_data_are_and_not_where_from(folder, tmp_path):
    place = folder.place
    place.publisher = "https://elsewhere.org"
    assert Data.published(place.registry()) == folder.data
    assert Data.published(place.registry(**{FIRST: {"md5": "0" * 32}})) != folder.data
    lists = copy.deepcopy(place.registry())
    lists.annotations.files["meta/all.txt"] = "0" * 64
    assert Data.published(lists) != folder.data
    given = tmp_path / "given.txt"
    given.write_text("a")
    one = synthetic(inputs=[given], annotations="here")
    assert synthetic(inputs=[given], annotations="there") == one
    given.write_text("b")
    assert synthetic(inputs=[given]) != one
    assert synthetic(4) != synthetic(3) == synthetic(3)
    assert synthetic(seconds={"home": 13.0}) != synthetic(3)


@pytest.mark.fault("bad input", "a data.folder filled by a run of other data")
@pytest.mark.parametrize("made", [True, False])
def test_other_data_are_refused(filled, made, seen):
    remade = filled.made if made else ()
    filled.refuses("the published recordings", "synthetic corpus with seed 3", data=synthetic())
    (filled.path / MARK).write_text(json.dumps(vars(synthetic())))
    filled.refuses("seed 3", "the published recordings", remade=remade)
    filled.refuses("seed 3", "seed 4", remade=remade, data=synthetic(4))
    filled.prepare(remade, data=synthetic())
    seen("refused; says which data it holds and which the run needs")


@pytest.mark.parametrize("content", ["", "[]", "{}", "\xff", "null"])
def test_mark_that_cannot_be_read(filled, content):
    (filled.path / MARK).write_bytes(content.encode("latin-1"))
    filled.refuses(filled.path / MARK, remade=filled.made)


def mark(folder):
    path = folder.path / MARK
    return json.loads(path.read_text())["identity"] if path.exists() else None


def test_folder_of_the_run_alone_is_made_anew(folder):
    """As the corpus of a synthetic run changes; but not where nothing would be made again."""
    folder.fill(data=synthetic(3), chosen=False)
    assert mark(folder) == synthetic(3).identity
    folder.refuses("seed 3", "seed 4", data=synthetic(4), chosen=False)
    folder.fill(data=synthetic(4), chosen=False)
    assert mark(folder) == synthetic(4).identity
    folder.prepare(folder.made[:1], data=synthetic(5), chosen=False)
    assert mark(folder) is None, "some are of 5, some of 4"
    folder.prepare(data=synthetic(5), chosen=False)
    folder.refuses("does not say", data=synthetic(5))
    folder.fill(data=synthetic(5), chosen=False)
    assert mark(folder) == synthetic(5).identity


def test_run_that_has_made_nothing_is_no_hindrance(folder):
    folder.prepare(folder.made)
    assert mark(folder) == folder.data.identity
    folder.fill(data=synthetic())
    assert mark(folder) == synthetic().identity


# Earlier versions


def test_downloads_of_an_earlier_version_are_proved_and_taken(filled):
    listings = [(each / LISTING).read_text() for each in filled.folders]
    filled.forget()
    (filled.folders[0] / "mine.txt").write_text("mine")
    filled.prepare()
    assert mark(filled) == filled.data.identity
    assert [(each / LISTING).read_text() for each in filled.folders] == listings
    filled.refuses("mine.txt", remade=filled.made)


@pytest.mark.parametrize("fault", ["list", "sound", "row", "table", "meta"])
def test_downloads_that_cannot_be_proved_are_refused(filled, fault):
    filled.forget()
    annotations, audio, meta = filled.folders
    table = filled.made[-1]
    changed = {
        "list": annotations / "meta/all.txt",
        "sound": audio / name(0),
        "row": table,
        "table": table,
        "meta": meta / DATA / "evaluation_setup/fold1.txt",
    }[fault]
    content = changed.read_text("latin-1")
    changed.unlink()
    if fault == "meta":  # as in a synthetic corpus
        changed.parent.rmdir()
    elif fault != "table":
        changed.write_text(content[:-20] + content[-20:].swapcase() + "x", "latin-1")
    place = {"list": annotations, "meta": meta}.get(fault, audio)
    for remade in ((), filled.made):
        filled.refuses(place, remade=remade)


def test_synthetic_data_of_an_earlier_version(filled):
    filled.forget()
    filled.refuses("does not say", data=synthetic(), remade=filled.made)
    filled.prepare(data=synthetic(), chosen=False)
    filled.fill(data=synthetic(), chosen=False)
    assert mark(filled) == synthetic().identity


# What is there need not be fetched again


def test_recordings_that_are_made_again_are_not_fetched_again(filled, server):
    """A new checkout's registry is younger than the recordings: no reason to fetch 2 GB."""
    before = filled.files()
    filled.registry = filled.place.registry()  # whose publisher is the server
    filled.fill(quick())
    assert filled.files() == before
    assert len(server.asked(FIRST)) == 1, "its directory"
    filled.forget()
    filled.fill(quick())
    assert filled.files() == before
    assert len(server.asked(FIRST)) == 2


def test_recordings_of_other_data_do_not_wait_in_the_cache(folder):
    folder.fill(data=synthetic(3), chosen=False)
    folder.prepare(folder.made, data=synthetic(4), chosen=False)
    assert not list((folder.path / "cache").iterdir())


def test_folder_that_may_only_be_read(filled, monkeypatch):
    filled.forget()
    before = filled.files()

    def refuse(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("softscene.data.data_folder.write_text", refuse)
    filled.prepare()
    assert filled.files() == before
