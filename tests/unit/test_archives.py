import hashlib
import io
import logging
import socket
import stat
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from softscene.archives import read_registry, require_licence
from softscene.errors import AudioError, ConfigurationError, DownloadError, LicenceError
from softscene.fetching import fetch_annotations, fetch_meta, fetch_recordings
from softscene.transport import Source

from tests.http_server import Fault, Server

ROOT = Path(__file__).parents[2]
DATA = "TUT-test-development"
FIRST, SECOND, META = (f"{DATA}.{kind}.zip" for kind in ("audio.1", "audio.2", "meta"))
COMMIT = "0123456789" * 4
LISTS = {"meta/all.txt": b"path\tscene\n", "folds/one.txt": b"path\tscene\nx\thome\n"}
SAMPLES, RATE = 20_000, 44_100  # 24-bit stereo noise: 120 kB that do not compress


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def wav(seed, samples=SAMPLES):
    noise = np.random.default_rng(seed).uniform(-1, 1, (samples, 2))
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, RATE, format="WAV", subtype="PCM_24")
    return buffer.getvalue()


def name(number):
    return f"{DATA}/audio/home/r{number}.wav"


def write_zip(path, members, method=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, "w", method) as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def checksum(content, kind="md5"):
    return hashlib.new(kind, content).hexdigest()


class Place:
    """Published files in a folder, the registry that tells of them, and where things go."""

    def __init__(self, folder):
        self.published = folder / "published"
        self.cache, self.destination = folder / "cache", folder / "made" / "recordings"
        self.folder = folder
        self.published.mkdir()
        self.members = {name(number): wav(number) for number in range(12)}
        halves = list(self.members.items())
        write_zip(self.published / FIRST, {f"{DATA}/": b"", **dict(halves[:6])})
        write_zip(self.published / SECOND, dict(halves[6:]))
        write_zip(self.published / META, {f"{DATA}/meta.txt": b"a\tb\n", f"{DATA}/meta/r.ann": b""})
        for path, content in LISTS.items():
            target = self.published / "lists" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def content(self, host="http://127.0.0.1:1", **changes):
        facts = {}
        for archive in (META, FIRST, SECOND):
            content = (self.published / archive).read_bytes()
            facts[archive] = {"bytes": len(content), "md5": checksum(content)}
            facts[archive] |= changes.get(archive, {})
        return {
            "archive_url": f"{host}/{{name}}?record={{record}}",
            "datasets": {DATA: {"record": 7, "doi": "10.5281/zenodo.7", "archives": facts}},
            "annotations": {
                "repository": "someone/lists",
                "commit": COMMIT,
                "url": f"{host}/lists/{{path}}?{{repository}}/{{commit}}",
                "files": {path: checksum(content, "sha256") for path, content in LISTS.items()},
            },
        }

    def registry(self, *args, **changes):
        path = self.folder / "registry.yaml"
        path.write_text(yaml.safe_dump(self.content(*args, **changes), sort_keys=False))
        return read_registry(path)

    def fetch(self, wanted, source, **changes):
        dataset = self.registry(**changes).datasets[DATA]
        return fetch_recordings(dataset, wanted, source, self.cache, self.destination)

    def fetched(self):
        return {
            str(path.relative_to(self.destination)): path.read_bytes()
            for path in self.destination.rglob("*")
            if path.is_file()
        }

    def offset(self, archive, member):
        with zipfile.ZipFile(self.published / archive) as opened:
            return opened.getinfo(member).header_offset


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def server(place):
    with Server(place.published) as server:
        yield server


def quick(server, **options):
    return Source(server.url, **({"pause": 0.01, "attempts": 4, "timeout": 5.0} | options))


def assert_nothing_made(place):
    made = place.destination.parent
    assert not made.exists() or list(made.iterdir()) == []


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
    fetch_annotations(place.registry(server.url), Source(pause=0.01), place.destination)
    assert place.fetched() == LISTS
    usual = (place.folder / "registry.yaml").stat().st_mode
    assert (place.destination / "meta/all.txt").stat().st_mode == usual  # others may read it
    assert server.clients == {("softscene/0.1 (paper reproduction)", "identity")}


@pytest.mark.parametrize("remote", [True, False])
def test_annotations_from_a_mirror(place, server, remote):
    source = quick(server) if remote else Source(str(place.published))
    fetch_annotations(place.registry(), source, place.destination)
    assert place.fetched() == LISTS


@pytest.mark.parametrize("scheme", ["", "file://", "http"])
def test_annotations_with_another_checksum_are_refused(place, server, scheme):
    (place.published / "lists/folds/one.txt").write_bytes(b"changed")
    mirror = server.url if scheme == "http" else scheme + str(place.published)
    source = Source(mirror, attempts=2, pause=0.01)
    with pytest.raises(DownloadError) as raised:
        fetch_annotations(place.registry(), source, place.destination)
    for content in (LISTS["folds/one.txt"], b"changed"):
        assert checksum(content, "sha256") in str(raised.value)
    assert "one.txt" in str(raised.value)
    assert_nothing_made(place)


def test_folder_that_lacks_annotations_names_them_all(place):
    with pytest.raises(DownloadError, match=r"download\.mirror") as raised:
        fetch_annotations(place.registry(), Source(str(place.folder)), place.destination)
    assert all(f"lists/{path}" in str(raised.value) for path in LISTS)


@pytest.mark.parametrize("remote", [True, False])
def test_meta_archive_is_extracted(place, server, remote):
    source = quick(server) if remote else Source(str(place.published))
    dataset = place.registry().datasets[DATA]
    place.destination.mkdir(parents=True)
    (place.destination / "stale.txt").write_text("of an earlier run")
    fetch_meta(dataset, source, place.cache, place.destination)
    assert place.fetched() == {f"{DATA}/meta.txt": b"a\tb\n", f"{DATA}/meta/r.ann": b""}
    assert not list(place.cache.rglob("*.zip"))
    assert (place.published / META).is_file()


# Recordings, only the members needed


def test_only_the_members_needed_are_transferred(place, server):
    wanted = [name(8), name(2), name(8)]
    table = place.fetch(wanted, quick(server))
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
    place.fetch([name(0)], quick(server))
    assert server.asked(SECOND) == []


def test_archive_without_wanted_members_is_not_read_beyond_its_directory(place, server):
    place.fetch([name(7)], quick(server))
    assert len(server.asked(FIRST)) == 1


def test_what_an_interrupted_run_has_fetched_is_not_fetched_again(place, server):
    wanted = [name(1), name(3), name(7)]
    server.faults[FIRST].extend([Fault(), Fault(), Fault(drop_after=5000)])
    with pytest.raises(DownloadError):
        place.fetch(wanted, quick(server, attempts=1))
    assert_nothing_made(place)
    assert len(list(place.cache.rglob("*.wav"))) == 1
    starts = {member: f"bytes={place.offset(FIRST, member)}-" for member in wanted[:2]}
    server.requests.clear()
    place.fetch(wanted, quick(server))
    asked = server.asked(FIRST)
    assert not any(header.startswith(starts[name(1)]) for header in asked)
    assert any(header.startswith(starts[name(3)]) for header in asked)
    assert place.fetched() == {member: place.members[member] for member in wanted}


def test_damaged_file_in_the_cache_is_fetched_again(place, server):
    server.faults[FIRST].extend([Fault(), Fault(), Fault(status=404)])
    with pytest.raises(DownloadError):
        place.fetch([name(1), name(3)], quick(server))
    (cached,) = place.cache.rglob("*.wav")
    cached.write_bytes(cached.read_bytes()[:-1] + b"\0")
    place.fetch([name(1), name(3)], quick(server))
    assert place.fetched() == {member: place.members[member] for member in (name(1), name(3))}


def test_complete_cache_needs_no_server(place, server):
    server.faults[SECOND].append(Fault(status=403))
    with pytest.raises(DownloadError, match="403"):
        place.fetch([name(1), name(7)], quick(server, mode="full"))
    server.requests.clear()
    place.fetch([name(1)], quick(server))
    assert server.requests == []
    assert place.fetched() == {name(1): place.members[name(1)]}


def test_first_archive_that_holds_a_recording_gives_it(place, server):
    with zipfile.ZipFile(place.published / SECOND, "a") as archive:
        archive.writestr(name(0), wav(99))
    table = place.fetch([name(0), name(9)], quick(server))
    assert table["archive"].tolist() == [FIRST, SECOND]
    assert place.fetched()[name(0)] == place.members[name(0)]


@pytest.mark.parametrize("mode", ["selective", "full", "folder"])
def test_missing_recordings_are_all_named(place, server, mode):
    source = Source(str(place.published)) if mode == "folder" else quick(server, mode=mode)
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(0), name(70), name(71)], source)
    assert name(70) in str(raised.value)
    assert name(71) in str(raised.value)
    assert name(0) not in str(raised.value)
    assert_nothing_made(place)
    if mode == "selective":  # before anything large is fetched
        assert len(server.requests) == 2


# Recordings out of whole archives


def test_server_without_ranges_gives_whole_archives(place, server, caplog):
    server.ranges = False
    with caplog.at_level(logging.INFO, logger="softscene"):
        place.fetch([name(2), name(8)], quick(server))
    assert place.fetched() == {member: place.members[member] for member in (name(2), name(8))}
    assert any("whole" in line and FIRST in line for line in caplog.messages)
    assert any("100 %" in line and FIRST in line for line in caplog.messages)
    assert not list(place.cache.rglob("*.zip"))


def test_full_mode_asks_for_no_ranges(place, server):
    place.fetch([name(2), name(8)], quick(server, mode="full"))
    assert server.asked(FIRST) == server.asked(SECOND) == [None]
    assert place.fetched() == {member: place.members[member] for member in (name(2), name(8))}
    assert not list(place.cache.rglob("*.zip"))


def test_whole_archive_is_deleted_before_the_next_is_fetched(place, server):
    server.faults[SECOND].append(Fault(status=403))
    with pytest.raises(DownloadError, match="403"):
        place.fetch([name(2), name(8)], quick(server, mode="full"))
    assert not list(place.cache.rglob("*.zip"))
    server.requests.clear()
    place.fetch([name(2), name(8)], quick(server, mode="full"))
    assert server.asked(FIRST) == []  # its members were kept


def test_wrong_checksum_of_a_whole_archive(place, server):
    right = checksum((place.published / FIRST).read_bytes())
    with pytest.raises(DownloadError, match="3 tries") as raised:
        place.fetch([name(0)], quick(server, mode="full", attempts=3), **{FIRST: {"md5": "0" * 32}})
    assert right in str(raised.value)
    assert "0" * 32 in str(raised.value)
    assert len(server.asked(FIRST)) == 3
    assert not list(place.cache.rglob("*.zip"))


def test_leftovers_of_killed_downloads_are_removed(place, server):
    leftover = place.cache / DATA / "audio" / f"{FIRST}.whole" / "tmp_killed"
    leftover.parent.mkdir(parents=True)
    leftover.write_bytes(b"half an archive")
    with pytest.raises(DownloadError):
        place.fetch([name(0)], quick(server, mode="full"), **{FIRST: {"md5": "0" * 32}})
    assert not leftover.exists()


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


@pytest.mark.parametrize("change", [{"bytes": 5}, {"md5": "1" * 32}])
def test_folder_with_another_archive_is_refused(place, change):
    content = (place.published / FIRST).read_bytes()
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(2)], Source(str(place.published)), **{FIRST: change})
    for part in (str(len(content)), checksum(content), *map(str, change.values())):
        assert part in str(raised.value)


# Damage and refusal


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_member_gives_both_checksums(place, server, method):
    write_zip(place.published / FIRST, {name(0): wav(0), name(1): wav(1)}, method)
    content = bytearray((place.published / FIRST).read_bytes())
    with zipfile.ZipFile(place.published / FIRST) as archive:
        start = archive.getinfo(name(0)).header_offset + 30 + len(name(0))
    content[start] = 0xFF  # a type of block that deflate does not know
    (place.published / FIRST).write_bytes(content)
    found = bytes(content[start : start + len(wav(0))]) if method == zipfile.ZIP_STORED else b""
    with pytest.raises(DownloadError, match="2 tries") as raised:
        place.fetch([name(0)], quick(server, attempts=2))
    message = str(raised.value)
    assert f"expected {len(wav(0))} bytes with CRC-32 {zlib.crc32(wav(0)):08x}" in message
    assert f"got {len(found)} bytes with CRC-32 {zlib.crc32(found):08x}" in message
    assert ("invalid block type" in message) == (method == zipfile.ZIP_DEFLATED)
    assert name(0) in message
    assert_nothing_made(place)
    assert not list(place.cache.rglob("*.wav*"))


def test_damage_that_was_mended_is_forgotten(place, server):
    whole = (place.published / FIRST).read_bytes()
    directory = whole.rindex(zlib.crc32(place.members[name(0)]).to_bytes(4, "little"))
    damaged = bytearray(whole)
    damaged[directory] ^= 0xFF
    (place.published / FIRST).write_bytes(damaged)
    facts = {FIRST: {"md5": checksum(whole)}}
    with pytest.raises(DownloadError, match="CRC-32"):
        place.fetch([name(0)], quick(server), **facts)
    (place.published / FIRST).write_bytes(whole)
    place.fetch([name(0)], quick(server), **facts)
    assert place.fetched() == {name(0): place.members[name(0)]}


def test_other_size_than_the_registry_says(place, server):
    size = (place.published / FIRST).stat().st_size
    for mode in ("selective", "full"):
        for said in (size - 1, size + 1, size * 2):
            server.requests.clear()
            with pytest.raises(DownloadError) as raised:
                place.fetch([name(0)], quick(server, mode=mode), **{FIRST: {"bytes": said}})
            assert f"{size} bytes" in str(raised.value)
            assert str(said) in str(raised.value)
            assert len(server.requests) == 1


@pytest.mark.parametrize("declared", [-1, +1, -100_000])
def test_member_of_another_size_than_declared(place, server, declared):
    with zipfile.ZipFile(place.published / FIRST, "w") as archive:
        archive.writestr(name(0), wav(0))
        archive.filelist[0].file_size += declared
    with pytest.raises(DownloadError, match=f"expected {len(wav(0)) + declared} bytes") as raised:
        place.fetch([name(0)], quick(server, attempts=1))
    got = int(str(raised.value).partition("got ")[2].split()[0])
    assert got == len(wav(0)) if declared == 1 else got == len(wav(0)) + declared + 1
    assert_nothing_made(place)


@pytest.mark.parametrize(
    "member",
    ["../up.wav", "/tmp/softscene_absolute.wav", "a/../../up.wav", "..\\up.wav", "C:/a.wav"],
)
@pytest.mark.parametrize("remote", [True, False])
def test_members_that_leave_their_folder_are_refused(place, server, member, remote):
    write_zip(place.published / FIRST, {member: wav(0), "/other.wav": wav(1)})
    before = set(place.folder.rglob("*.wav"))
    source = quick(server) if remote else Source(str(place.published))
    with pytest.raises(DownloadError, match="refused") as raised:
        place.fetch([member, "/other.wav"], source)
    assert repr(member) in str(raised.value)
    assert "/other.wav" in str(raised.value)
    assert set(place.folder.rglob("*.wav")) == before
    assert_nothing_made(place)
    place.destination = place.folder / "made" / "meta"
    write_zip(place.published / META, {member: b"x"})
    with pytest.raises(DownloadError, match="refused"):
        fetch_meta(place.registry().datasets[DATA], source, place.cache, place.destination)
    assert_nothing_made(place)


def test_links_and_giants_are_refused(place, server):
    link = zipfile.ZipInfo(name(0))
    link.create_system, link.external_attr = 3, (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(place.published / FIRST, "w") as archive:
        archive.writestr(link, "/etc/passwd")
        archive.writestr(name(1), wav(1))
        archive.filelist[1].file_size = 5 * 2**30
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(0), name(1)], quick(server))
    assert "symbolic link" in str(raised.value)
    assert str(5 * 2**30) in str(raised.value)
    assert len(server.requests) == 1


def test_archive_that_is_none(place, server):
    (place.published / FIRST).write_bytes(b"<html>" * 1000)
    for source in (quick(server), quick(server, mode="full"), Source(str(place.published))):
        with pytest.raises(DownloadError, match="no ZIP archive"):
            place.fetch([name(0)], source)


def test_recordings_that_are_no_audio_are_all_named(place, server):
    write_zip(place.published / FIRST, {name(0): b"text", name(1): wav(1), name(2): b"words"})
    with pytest.raises(AudioError) as raised:
        place.fetch([name(0), name(1), name(2)], quick(server))
    assert name(0) in str(raised.value)
    assert name(2) in str(raised.value)
    assert name(1) not in str(raised.value)
    assert_nothing_made(place)


# Patience


@pytest.mark.parametrize("mode", ["selective", "full"])
def test_three_server_errors_then_a_good_answer(place, server, mode):
    server.faults[FIRST].extend([Fault(500), Fault(503), Fault(502)])
    place.fetch([name(0)], quick(server, mode=mode))
    assert place.fetched() == {name(0): place.members[name(0)]}
    assert len(server.asked(FIRST)) == (4 if mode == "full" else 5)


def test_lasting_server_error_names_url_status_and_tries(place, server):
    server.faults[FIRST].extend([Fault(500)] * 9)
    with pytest.raises(DownloadError, match=r"HTTP 500 .*4 tries") as raised:
        place.fetch([name(0)], quick(server))
    assert f"{server.url}/{FIRST}" in str(raised.value)
    assert len(server.asked(FIRST)) == 4


@pytest.mark.parametrize("mode", ["selective", "full"])
@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_other_client_errors_are_not_tried_again(place, server, status, mode):
    server.faults[FIRST].append(Fault(status))
    with pytest.raises(DownloadError, match=f"HTTP {status} .*1 try") as raised:
        place.fetch([name(0)], quick(server, mode=mode))
    assert f"{server.url}/{FIRST}" in str(raised.value)
    assert len(server.asked(FIRST)) == 1


def test_pauses_grow_and_heed_the_server(place, server, monkeypatch):
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    asked = [None, "7", "3600", "soon", None, None]
    faults = [Fault(429, {"Retry-After": text} if text else {}) for text in asked]
    server.faults[FIRST].extend([Fault(500, {"Retry-After": "59"}), *faults])
    place.fetch([name(0)], quick(server, attempts=8, pause=1.5))
    assert pauses == [1.5, 3.0, 7.0, 60.0, 24.0, 48.0, 60.0]


@pytest.mark.parametrize("kept", [0, 20, 40_000])
@pytest.mark.parametrize(("mode", "good"), [("selective", 0), ("selective", 1), ("full", 0)])
def test_connections_dropped_mid_file(place, server, mode, good, kept, caplog, monkeypatch):
    """In the first good answers lie an archive's directory, in those after it a member."""
    monkeypatch.setattr("softscene.archives.CHUNK", 4096)
    wanted = [name(0), name(1), name(5)]
    faults = [Fault()] * good + [Fault(drop_after=kept)] * 2
    server.faults[FIRST].extend(faults)
    with caplog.at_level(logging.INFO, logger="softscene"):
        place.fetch(wanted, quick(server, mode=mode))
    assert place.fetched() == {member: place.members[member] for member in wanted}
    whole = f"{3 * len(wav(0)) / 1000:.0f}k"
    lines = [line for line in caplog.messages if line.startswith("fetching from")]
    assert f"100 % ({whole} of {whole})" in lines[-1]  # what was lost is not counted
    server.faults[FIRST].extend(faults)
    with pytest.raises(DownloadError, match="gave up after 1 try"):
        place.fetch(wanted, quick(server, mode=mode, attempts=1))


@pytest.mark.parametrize(
    ("mode", "faults"),
    [
        ("selective", [Fault(), Fault(short=5000)]),
        ("selective", [Fault(shift=1000)]),
        ("selective", [Fault(), Fault(shift=1000)]),
        ("full", [Fault(endless=True)]),
    ],
)
def test_answers_other_than_asked_for(place, server, mode, faults):
    server.faults[FIRST].extend(faults)
    place.fetch([name(3)], quick(server, mode=mode))
    assert place.fetched() == {name(3): place.members[name(3)]}
    assert server.bytes_served < 30 * (place.published / FIRST).stat().st_size


def test_server_that_stays_silent_is_given_up(place):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        source = Source(
            f"http://127.0.0.1:{silent.getsockname()[1]}", attempts=2, pause=0.01, timeout=0.1
        )
        with pytest.raises(DownloadError, match=r"(?i)timed? ?out.*2 tries"):
            place.fetch([name(0)], source)


@pytest.mark.parametrize("mode", ["selective", "full"])
@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "http://softscene.invalid"])
def test_unreachable_host_points_to_the_mirror(place, mode, host, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with pytest.raises(DownloadError, match=r"cannot be reached.*download\.mirror.*2 tries"):
        place.fetch([name(0)], Source(host, mode=mode, attempts=2, pause=0.01))
