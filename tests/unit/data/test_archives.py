"""Downloads that go well: what is fetched, from where, and what is kept."""

import zipfile
import zlib
from pathlib import Path

import pytest
import yaml
from softscene.core.errors import ConfigurationError, DownloadError, LicenceError
from softscene.core.tsv import write_table
from softscene.data.archives import read_registry, require_licence
from softscene.data.fetching import (
    deleted_recordings,
    fetch_annotations,
    fetch_meta,
    gather_recordings,
)
from softscene.data.transport import Source

from tests.http_server import Fault
from tests.unit.data.archive_place import (
    DATA,
    FIRST,
    LISTS,
    META,
    RATE,
    SAMPLES,
    SECOND,
    assert_nothing_made,
    mirror,
    name,
    quick,
    wav,
)

ROOT = Path(__file__).parents[3]


# The registry and the licence


def test_registry_of_this_project_is_whole():
    registry = read_registry(ROOT / "resources" / "archives.yaml")
    archives = [
        archive for data in registry.datasets.values() for archive in data.archives.values()
    ]
    assert [len(data.audio) for data in registry.datasets.values()] == [1, 2, 8]
    assert sum(archive.bytes for archive in archives) == 10_314_637_248
    assert len({archive.md5 for archive in archives}) == len(archives) == 18
    scenes = registry.datasets["TUT-acoustic-scenes-2016-development"]
    assert scenes.meta.url == (
        "https://zenodo.org/records/45739/files/"
        "TUT-acoustic-scenes-2016-development.meta.zip?download=1"
    )
    assert len(registry.annotations.files) == 9
    assert registry.annotations.url == (
        "https://raw.githubusercontent.com/KeisukeImoto/metadata_SEDandASC01/"
        "6eb571bbbe6c88e9caaae04274aa6a615e4207ed/{path}"
    )


def test_registry_with_faults_names_them_all(place):
    content = place.content()
    content["datasets"][DATA]["archives"][FIRST]["md5"] = "short"
    content["datasets"][DATA]["colour"] = "blue"
    content["annotations"]["files"]["../up.txt"] = "0" * 64
    content["archive_url"] = "https://example.org/{unknown}/{name}"
    path = place.folder / "registry.yaml"
    path.write_text(yaml.safe_dump(content))
    with pytest.raises(ConfigurationError) as raised:
        read_registry(path)
    for part in (str(path), f"{FIRST}.md5", "colour: no such key", "'../up.txt'", "archive_url"):
        assert part in str(raised.value)


@pytest.mark.parametrize("content", [None, b"a: [", b"\xff\xfe\xfa", b"- 1"])
def test_registry_that_cannot_be_read(tmp_path, content):
    path = tmp_path / "registry.yaml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"registry\.yaml"):
        read_registry(path)


def test_licence_must_be_accepted():
    terms = (ROOT / "resources" / "data_terms.txt").read_text()
    for environ in ({}, {"SOFTSCENE_ACCEPT_LICENCE": "no"}, {"SOFTSCENE_ACCEPT_LICENCE": ""}):
        with pytest.raises(LicenceError) as raised:
            require_licence(False, environ, "Only on Sundays.")
        for part in ("Only on Sundays.", "download.accept_licence", "SOFTSCENE_ACCEPT_LICENCE=yes"):
            assert part in str(raised.value)
    require_licence(True, {}, terms)
    require_licence(False, {"SOFTSCENE_ACCEPT_LICENCE": "yes"}, terms)
    for part in ("non-commercial", "45759", "814831", "45739", "redistributed"):
        assert part in terms


# Annotations and meta archives


def test_annotations_from_their_published_place(place, server):
    fetch_annotations(place.registry(), Source(pause=0.01), place.destination)
    assert place.fetched() == LISTS
    usual = (place.folder / "registry.yaml").stat().st_mode
    assert (place.destination / "meta/all.txt").stat().st_mode == usual  # others may read it
    assert server.clients == {("softscene/0.1 (+https://arxiv.org/abs/2002.05848)", "identity")}


@pytest.mark.parametrize("remote", [True, False])
def test_annotations_from_a_mirror(place, server, remote):
    source = mirror(server) if remote else Source(str(place.published))
    place.publisher = "http://127.0.0.1:1"
    fetch_annotations(place.registry(), source, place.destination)
    assert place.fetched() == LISTS


def test_folder_that_lacks_annotations_names_them_all(place):
    with pytest.raises(DownloadError, match=r"download\.mirror") as raised:
        fetch_annotations(place.registry(), Source(str(place.folder)), place.destination)
    assert all(f"lists/{path}" in str(raised.value) for path in LISTS)


@pytest.mark.parametrize("remote", [True, False])
def test_meta_archive_is_extracted(place, server, remote):
    source = quick() if remote else Source(str(place.published))
    dataset = place.registry().datasets[DATA]
    fetch_meta(dataset, source, place.cache, place.destination)
    assert place.fetched() == {f"{DATA}/meta.txt": b"a\tb\n", f"{DATA}/meta/r.ann": b""}
    assert not list(place.cache.rglob("*.zip"))
    assert (place.published / META).is_file()


# Recordings, only the members needed


def test_only_the_members_needed_are_transferred(place, server):
    wanted = [name(8), name(2), name(8)]
    table = place.fetch(wanted, quick())
    assert place.fetched() == {member: place.members[member] for member in wanted}
    whole = sum((place.published / archive).stat().st_size for archive in (FIRST, SECOND))
    assert server.bytes_served < 0.35 * whole
    assert None not in server.asked(FIRST) + server.asked(SECOND)
    assert table["recording"].tolist() == [name(8), name(2)]
    assert table["archive"].tolist() == [SECOND, FIRST]
    assert table["bytes"].tolist() == [len(place.members[member]) for member in wanted[:2]]
    assert table["crc32"].tolist() == [f"{zlib.crc32(place.members[m]):08x}" for m in wanted[:2]]
    assert table.iloc[0, 4:].tolist() == [SAMPLES, RATE, 2, "PCM_24"]
    assert not list(place.cache.rglob("*.wav"))


def test_archives_after_the_last_recording_are_left_alone(place, server):
    place.fetch([name(0)], quick())
    assert server.asked(SECOND) == []


def test_archive_without_wanted_members_is_not_read_beyond_its_directory(place, server):
    place.fetch([name(7)], quick())
    assert len(server.asked(FIRST)) == 1


def test_what_an_interrupted_run_has_fetched_is_not_fetched_again(place, server):
    wanted = [name(1), name(3), name(7)]
    server.faults[FIRST].extend([Fault(), Fault(), Fault(drop_after=5000)])
    with pytest.raises(DownloadError):
        place.fetch(wanted, quick(attempts=1))
    assert_nothing_made(place)
    assert len(list(place.cache.rglob("*.wav"))) == 1
    starts = {member: f"bytes={place.offset(FIRST, member)}-" for member in wanted[:2]}
    server.requests.clear()
    place.fetch(wanted, quick())
    asked = server.asked(FIRST)
    assert not any(header.startswith(starts[name(1)]) for header in asked)
    assert any(header.startswith(starts[name(3)]) for header in asked)
    assert place.fetched() == {member: place.members[member] for member in wanted}


# Recordings that were fetched once


@pytest.fixture
def fetched(place, server):
    """A place from which recordings 1, 3 and 7 were fetched; gives their table."""
    table = place.fetch([name(1), name(3), name(7)], quick())
    server.requests.clear()
    return table


def gather(place, known):
    target = place.folder / "gathered"
    registry = place.folder / "registry.yaml"
    gather_recordings(
        known, place.destination, lambda: read_registry(registry).datasets[DATA], quick(),
        place.folder / "own_cache", target,
    )  # fmt: skip
    assert not list((place.folder / "own_cache").rglob("*.*")), "it is empty again"
    return {
        path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*.wav")
    }


def test_recordings_that_are_there_are_gathered_without_registry_or_server(place, server, fetched):
    (place.folder / "registry.yaml").unlink()
    wanted = [name(3), name(7)]
    found = gather(place, fetched[fetched.recording.isin(wanted)])
    assert found == {each: place.members[each] for each in wanted}
    assert server.requests == []


def test_of_deleted_recordings_only_the_wanted_are_fetched_from_their_archive(
    place, server, fetched
):
    table = place.folder / "recordings.tsv"
    write_table(fetched, table)
    assert deleted_recordings(table, place.destination) == []
    for deleted in (1, 7):
        (place.destination / name(deleted)).unlink()
    assert deleted_recordings(table, place.destination) == [name(1), name(7)]
    assert deleted_recordings(place.folder / "none.tsv", place.destination) == []
    wanted = [name(3), name(7)]
    found = gather(place, fetched[fetched.recording.isin(wanted)])
    assert found == {each: place.members[each] for each in wanted}
    assert server.asked(FIRST) == [], "recording 3 is there, and 1 is not wanted"
    assert None not in server.asked(SECOND)
    assert deleted_recordings(table, place.destination) == [name(1), name(7)], "as it was"


@pytest.mark.parametrize("deleted", [True, False])
def test_another_recording_than_the_table_names_is_refused(place, fetched, deleted):
    """Fetched again or still there: the features are of what the table names."""
    ours = place.destination / name(3)
    if deleted:
        ours.unlink()
        fetched.loc[fetched.recording == name(3), "crc32"] = "00000000"
    else:
        ours.write_bytes(wav(99))
    with pytest.raises(DownloadError, match="delete them, and they are fetched again") as caught:
        gather(place, fetched)
    (fault,) = caught.value.problems
    expected = fetched.set_index("recording").crc32[name(3)]
    assert f"{name(3)}: {len(place.members[name(3)])} bytes, CRC-32 " in fault
    assert f"; {len(place.members[name(3)])} and {expected} expected" in fault
    assert not (place.folder / "gathered").exists()


def test_complete_cache_needs_no_server(place, server):
    server.faults[SECOND].append(Fault(status=403))
    with pytest.raises(DownloadError, match="403"):
        place.fetch([name(1), name(7)], quick(mode="full"))
    server.requests.clear()
    place.fetch([name(1)], quick())
    assert server.requests == []
    assert place.fetched() == {name(1): place.members[name(1)]}


def test_first_archive_that_holds_a_recording_gives_it(place, server):
    with zipfile.ZipFile(place.published / SECOND, "a") as archive:
        archive.writestr(name(0), wav(99))
    table = place.fetch([name(0), name(9)], quick())
    assert table["archive"].tolist() == [FIRST, SECOND]
    assert place.fetched()[name(0)] == place.members[name(0)]


@pytest.mark.parametrize("mode", ["selective", "full", "folder"])
def test_missing_recordings_are_all_named(place, server, mode):
    source = Source(str(place.published)) if mode == "folder" else quick(mode=mode)
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(0), name(70), name(71)], source)
    assert name(70) in str(raised.value)
    assert name(71) in str(raised.value)
    assert name(0) not in str(raised.value)
    assert_nothing_made(place)
    if mode == "selective":  # before anything large is fetched
        assert len(server.requests) == 2


# Recordings out of whole archives


def test_full_mode_asks_for_no_ranges(place, server):
    place.fetch([name(2), name(8)], quick(mode="full"))
    assert server.asked(FIRST) == server.asked(SECOND) == [None]
    assert place.fetched() == {member: place.members[member] for member in (name(2), name(8))}
    assert not list(place.cache.rglob("*.zip"))


def test_whole_archive_is_deleted_before_the_next_is_fetched(place, server):
    server.faults[SECOND].append(Fault(status=403))
    with pytest.raises(DownloadError, match="403"):
        place.fetch([name(2), name(8)], quick(mode="full"))
    assert not list(place.cache.rglob("*.zip"))
    server.requests.clear()
    place.fetch([name(2), name(8)], quick(mode="full"))
    assert server.asked(FIRST) == []  # its members were kept


@pytest.mark.fault("Snakemake is killed", "half an archive left by a killed download")
def test_leftovers_of_killed_downloads_are_removed(place, server, seen):
    leftover = place.cache / DATA / "audio" / f"{FIRST}.whole" / "tmp_killed"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half an archive")
    with pytest.raises(DownloadError):
        place.fetch([name(0)], quick(mode="full"), **{FIRST: {"md5": "0" * 32}})
    assert not leftover.exists()
    seen("deleted by the next download")


@pytest.mark.parametrize("form", ["{}", "file://{}", "{}/"])
def test_folder_is_used_in_place(place, form):
    before = {path.name: path.stat() for path in place.published.iterdir()}
    place.fetch([name(2), name(8)], Source(form.format(place.published)))
    assert place.fetched() == {member: place.members[member] for member in (name(2), name(8))}
    assert {path.name: path.stat() for path in place.published.iterdir()}.keys() == before.keys()
    assert (place.published / FIRST).stat().st_mtime == before[FIRST].st_mtime
    assert not list(place.cache.rglob("*.zip"))


def test_folder_that_lacks_archives_names_them_all(place):
    with pytest.raises(DownloadError, match=r"download\.mirror") as raised:
        place.fetch([name(2)], Source(str(place.folder)))
    assert FIRST in str(raised.value)
    assert SECOND in str(raised.value)
