"""Archives and registries of any bytes: refused by name, or every file is what was put in."""

import functools
import hashlib
import io
import json
import os
import shutil
import struct
import warnings
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from hypothesis import example, given
from hypothesis import strategies as st
from softscene.core.errors import AudioError, ConfigurationError, DownloadError, SoftSceneError
from softscene.data import archives
from softscene.data.archives import Archive, DataSet, read_registry
from softscene.data.data_folder import LISTING
from softscene.data.fetching import fetch_meta, fetch_recordings
from softscene.data.transport import Source

from tests.fuzz.strategies import YAML, edited, share, snippets, usually, words
from tests.http_server import Server

pytestmark = pytest.mark.slow

DATA = "TUT-test-development"
AUDIO, META = f"{DATA}.audio.zip", f"{DATA}.meta.zip"
ABSOLUTE = "/tmp/softscene-fuzz.wav"


def sound(samples):
    buffer = io.BytesIO()
    soundfile.write(buffer, np.linspace(-0.5, 0.5, samples), 8000, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


WAVS = {f"{DATA}/audio/home/r{number}.wav": sound(4 + number) for number in range(3)}
GOOD_NAME = st.sampled_from([*WAVS])
ODD_NAME = st.one_of(
    words(),
    st.sampled_from([
        *("../up.wav", "../../../../up.wav", "a/../../up.wav", "..\\up.wav", "C:/up.wav"),
        *("C:up.wav", "//server/share/up.wav", "~/up.wav", ABSOLUTE, "./a.wav", "a//b.wav"),
        *("a/b.wav", "a/./b", "a", "a/", "a/b.wav/c.wav", ".", "./", " ", "a.wav ", "a\nb"),
        *("n" * 251 + ".wav", "n" * 300 + ".wav", "d/" * 3000 + "a.wav", "é" * 130, "-rf", "ä"),
        *(f"{DATA}", f"{DATA}/audio", f"{DATA}/audio/home/r0.wav/x.wav", "a.raw", "meta.txt"),
        *(name.upper() for name in WAVS),
    ]),
)  # fmt: skip
NAME = usually(GOOD_NAME, ODD_NAME)
CONTENT = usually(
    st.sampled_from([*WAVS.values()]),
    st.sampled_from([b"", b"text", b"RIFF", sound(4)[:-1], sound(4)[:30], b"\0" * 3000, b"fLaC"]),
)
MODE = usually(st.just(0o100644), st.sampled_from([0, 0o120777, 0o040755, 0o010644, 0o060644]))
METHOD = usually(
    st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    st.sampled_from([zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA]),
)
EXTRA = usually(
    st.just(b""),
    st.sampled_from([
        b"\1\0\0\0", b"\1\0\x08\0", b"\1\0\xff\xff", b"\1", b"up\5\0\1abcd", b"\x99\1\2\0ab",
        struct.pack("<HHQQQ", 1, 24, 52, 52, 0), struct.pack("<HHQ", 1, 8, 2**63),
        struct.pack("<HHQQQ", 1, 24, 2**64 - 1, 2**64 - 1, 2**64 - 1),
    ]),
)  # fmt: skip
# Signature -> offset and struct code of the fields that follow it.
FIELDS = {
    b"PK\1\2": [(6, "H"), (8, "H"), (10, "H"), (16, "I"), (20, "I"), (24, "I"), (28, "H"),
                (30, "H"), (32, "H"), (34, "H"), (38, "I"), (42, "I")],
    b"PK\3\4": [(4, "H"), (6, "H"), (8, "H"), (14, "I"), (18, "I"), (22, "I"), (26, "H"),
                (28, "H")],
    b"PK\5\6": [(4, "H"), (8, "H"), (10, "H"), (12, "I"), (16, "I"), (20, "H")],
}  # fmt: skip
FIELD = st.sampled_from([(sign, *field) for sign, fields in FIELDS.items() for field in fields])
VALUE = st.one_of(
    st.sampled_from([0, 1, 6, 8, 9, 12, 14, 20, 99, 0x20, 0x40, 0x800, 0xFFFF, 2**31, 2**32 - 1]),
    st.integers(0, 400),
)
SNIPPET = snippets("PK\1\2", "PK\3\4", "PK\5\6", "PK\6\6", "PK\6\7", "\1\0\x18\0", *WAVS)


def patch(content, sign, offset, code, value, which):
    """Set a field of one of an archive's records."""
    places = [n for n in range(len(content)) if content.startswith(sign, n)]
    first = places[which % len(places)] + offset if places else len(content)
    last = first + struct.calcsize(code)
    if last > len(content):
        return content
    number = struct.pack(f"<{code}", value % 2 ** (8 * (last - first)))
    return content[:first] + number + content[last:]


def zipped(members):
    """An archive of (name, content, mode, method, extra field)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of names that stand there twice
        for name, content, mode, method, extra in members:
            info = zipfile.ZipInfo(name or "x")
            info.filename = name.partition("\0")[0]
            info.create_system, info.external_attr, info.extra = 3, mode << 16, extra
            archive.writestr(info, content, method)
    return buffer.getvalue()


WHOLE = zipped([(name, wav, 0o100644, zipfile.ZIP_DEFLATED, b"") for name, wav in WAVS.items()])


@st.composite
def damaged_archives(draw):
    """An archive as it was published, as it is found, and names to look for in it."""
    members = st.lists(st.tuples(NAME, CONTENT, MODE, METHOD, EXTRA), max_size=4)
    published = WHOLE
    names = [*WAVS]
    if draw(st.booleans()):
        made = draw(members)
        published = zipped(made)
        names += [name for name, *_ in made]
    found = published
    for _ in range(draw(st.integers(0, 2))):
        found = patch(found, *draw(FIELD), draw(VALUE), draw(st.integers(0, 3)))
    found = draw(edited(found, SNIPPET, most=2))
    wanted = draw(st.lists(st.sampled_from(names), min_size=1, max_size=3))
    return published, found, wanted


class Place:
    """A mirror, a cache and a destination, deep inside a folder where nothing else may appear."""

    def __init__(self, folder):
        self.folder = folder
        inner = folder / "a" / "b" / "c" / "d"
        self.mirror, self.cache, self.made = inner / "mirror", inner / "cache", inner / "made"
        self.mirror.mkdir(parents=True)

    def publish(self, name, published, found, publisher="https://example.org"):
        """Put an archive into the mirror; gives the data set that a registry would tell of."""
        (self.mirror / name).write_bytes(found)
        md5 = hashlib.md5(published).hexdigest()
        archive = Archive(DATA, name, len(published), md5, f"{publisher}/{name}")
        return DataSet(DATA, 1, "10.5281/zenodo.1", {name: archive})

    def clear(self):
        for folder in (self.cache, self.made):
            shutil.rmtree(folder, ignore_errors=True)

    def files(self, folder):
        """Content of each file in a folder by its path there."""
        return {
            str(Path(where, name).relative_to(folder)): Path(where, name).read_bytes()
            for where, _, names in os.walk(folder)
            for name in names
            if name != LISTING
        }

    def strays(self):
        """Files outside of the three folders."""
        inner = (self.mirror, self.cache, self.made)
        return [
            path
            for where, _, names in os.walk(self.folder)
            for path in (Path(where, name) for name in names)
            if not any(folder in path.parents for folder in inner)
        ] + [path for path in [Path(ABSOLUTE)] if path.exists()]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("os.fsync", lambda _: None)  # power failures are tested elsewhere
        patched.setattr(archives, "read_schema", functools.cache(archives.read_schema))
        patched.setenv("NO_PROXY", "127.0.0.1")
        yield Place(tmp_path_factory.mktemp("archives"))


def attempt(work, *arguments):
    """What ``work`` gives; None where it refuses in the project's own words."""
    try:
        return work(*arguments)
    except SoftSceneError as error:
        assert str(error)
        return None


def assert_recordings(place, table, found, wanted):
    """Exactly the wanted files, each with the bytes that a strict reader finds in the archive."""
    files = place.files(place.made / "audio")
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert files == {name: archive.read(name) for name in wanted}
    assert list(table.recording) == list(dict.fromkeys(wanted))
    for row in table.itertuples():
        content = files[row.recording]
        assert (row.bytes, int(row.crc32, 16)) == (len(content), zlib.crc32(content))
        sound_file = soundfile.info(io.BytesIO(content))
        assert (row.frames, row.sample_rate) == (sound_file.frames, sound_file.samplerate)


def fetch_and_prove(place, source, published, found, wanted, **publisher):
    dataset = place.publish(AUDIO, published, found, **publisher)
    place.clear()
    audio = place.made / "audio"
    try:
        table = fetch_recordings(dataset, wanted, source, place.cache, audio)
    except SoftSceneError as error:
        table = None
        assert any(name and name in str(error) for name in (DATA, *wanted))
    assert not place.strays()
    if table is None:
        assert place.files(place.made) == {}
        assert (published, found) != (WHOLE, WHOLE) or not set(wanted) <= set(WAVS)
    else:
        assert_recordings(place, table, found, wanted)
    return table


@pytest.mark.fault("an archive is hostile", "bits, bytes, fields and members of archives changed")
def test_recordings(place, seen):
    folder = Source(str(place.mirror), attempts=1)

    @given(damaged_archives(), st.booleans())
    def whole_or_refused(drawn, proved):
        published, found, wanted = drawn
        table = fetch_and_prove(place, folder, published if proved else found, found, wanted)
        assert table is None or not proved or published == found

    whole_or_refused()
    seen("refused by name, or extracted unchanged; nothing outside its folders")


def plain(*names):
    return zipped([(name, sound(4), 0o100644, zipfile.ZIP_STORED, b"") for name in names])


REFUSED = {
    "a header that lies before the archive": WHOLE[1:],
    "a name of no characters": plain(""),
    "a name that is longer than a file system allows": plain("n" * 300),
    "a path that is longer than a file system allows": plain("d/" * 3000 + "a"),
    "two members of one name": plain("a", "a"),
    "two ways to write one name": plain("a/b", "a//b"),
    "a file that is a folder too": plain("a", "a/b/c"),
    "a name that is no UTF-8": plain("ä").replace("ä".encode(), b"\xff\xff"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_metadata_with(place, fault):
    dataset = place.publish(META, REFUSED[fault], REFUSED[fault])
    place.clear()
    with pytest.raises(DownloadError):
        fetch_meta(dataset, Source(str(place.mirror)), place.cache, place.made / "meta")
    assert place.files(place.made) == {}


def test_sound_without_a_header_is_no_recording(place):
    dataset = place.publish(AUDIO, plain("a.raw"), plain("a.raw"))
    place.clear()
    with pytest.raises(AudioError, match=r"a\.raw"):
        fetch_recordings(
            dataset, ["a.raw"], Source(str(place.mirror)), place.cache, place.made / "audio"
        )


@share(0.1)
@given(damaged_archives())
def test_recordings_by_ranges(place, drawn):
    """Where no MD5 is asked for: sizes agree, and the archive's own directory is all there is."""
    _, found, wanted = drawn
    with Server(place.mirror) as server:
        fetch_and_prove(place, Source(attempts=1), found, found, wanted, publisher=server.url)


@share(0.5)
@given(damaged_archives())
def test_metadata(place, drawn):
    _, found, _ = drawn
    dataset = place.publish(META, found, found)
    place.clear()
    source = Source(str(place.mirror), attempts=1)
    meta = place.made / "meta"
    made = attempt(lambda: fetch_meta(dataset, source, place.cache, meta) or "made")
    assert not place.strays()
    if made is None:
        assert place.files(place.made) == {}
        assert found != WHOLE
        return
    with zipfile.ZipFile(io.BytesIO(found)) as archive:
        assert place.files(meta) == {
            name: archive.read(name) for name in archive.namelist() if not name.endswith("/")
        }


@share(0.1)
@given(st.data())
def test_notes_of_a_killed_run(place, data):
    """A cache in any state helps or is refused, and is no reason for wrong recordings."""
    dataset = place.publish(AUDIO, WHOLE, WHOLE)
    place.clear()
    members = [(name, AUDIO, len(wav), zlib.crc32(wav), 0o100644) for name, wav in WAVS.items()]
    note = json.dumps(members).encode()
    folder = place.cache / DATA / "audio"
    folder.mkdir(parents=True)
    (folder / f"{AUDIO}.{dataset.archives[AUDIO].md5}.json").write_bytes(
        data.draw(edited(note, snippets("[", "null", "{}", AUDIO)))
    )
    kept = folder / "members" / next(iter(WAVS))
    kept.parent.mkdir(parents=True)
    kept.write_bytes(data.draw(edited(WAVS[next(iter(WAVS))], SNIPPET)))
    source = Source(str(place.mirror), attempts=1)
    table = attempt(fetch_recordings, dataset, [*WAVS], source, place.cache, place.made / "audio")
    assert not place.strays()
    if table is not None:
        assert_recordings(place, table, WHOLE, [*WAVS])


# The registry

REGISTRY = yaml.safe_dump(
    {
        "archive_url": "https://example.org/{record}/{name}",
        "datasets": {
            DATA: {
                "record": 7,
                "doi": "10.5281/zenodo.7",
                "archives": {name: {"bytes": 5, "md5": "0" * 32} for name in (AUDIO, META)},
            }
        },
        "annotations": {
            "repository": "someone/lists",
            "commit": "0" * 40,
            "url": "https://example.org/{repository}/{commit}/{path}",
            "files": {"meta/all.txt": "0" * 64},
        },
    },
    sort_keys=False,
).encode()
TEMPLATES = ["{name}", "{path}", "{0}", "{record.__class__}", "{", "..", "../up.txt", "a//b"]


def is_place(path):
    """Whether a path stays in its folder, and can be written there."""
    return isinstance(path, str) and all(
        part not in ("", ".", "..") and len(part) <= 200 and not set(part) & set("\0\n\\")
        for part in path.split("/")
    )


@given(edited(REGISTRY, snippets(*TEMPLATES, *YAML)))
@example(REGISTRY.replace(AUDIO.encode(), b"5"))
@example(REGISTRY.replace(f"{DATA}:".encode(), b"5:"))
@example(REGISTRY.replace(b"meta/all.txt", b"5"))
@example(REGISTRY.replace(b"meta/all.txt", b"meta/"))
@example(REGISTRY.replace(b"someone/lists", b"someone/.."))
@example(REGISTRY.replace(b"record: 7", b"record: !!int ''"))
@example(REGISTRY.replace(b"bytes: 5", b"bytes: 0x" + b"f" * 6000))
def test_registries(place, content):
    path = place.folder / "a" / "archives.yaml"
    path.write_bytes(content)
    try:
        registry = read_registry(path)
    except ConfigurationError as error:
        assert str(path) in str(error)
        assert content != REGISTRY
        return
    finally:
        path.unlink()
    plain = yaml.safe_load(content)
    assert list(registry.datasets) == list(plain["datasets"])
    for name, dataset in registry.datasets.items():
        assert is_place(name)
        assert "/" not in name
        for file, archive in dataset.archives.items():
            assert is_place(file)
            assert "/" not in file
            facts = plain["datasets"][name]["archives"][file]
            assert (archive.bytes, archive.md5) == (facts["bytes"], facts["md5"])
            assert archive.url == plain["archive_url"].replace(
                "{record}", str(dataset.record)
            ).replace("{name}", file)
            assert archive.url.startswith(("http://", "https://"))
    assert all(map(is_place, registry.annotations.files))
    assert is_place(registry.annotations.name)
    assert registry.annotations.url.count("{path}") >= 1
