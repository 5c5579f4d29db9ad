"""Published archives in a folder, for tests to fetch from and to damage."""

import hashlib
import io
import shutil
import zipfile

import numpy as np
import soundfile
import yaml
from softscene.data.archives import read_registry
from softscene.data.data_folder import LISTING
from softscene.data.fetching import discard_cache, fetch_recordings
from softscene.data.transport import Source

DATA = "TUT-test-development"
FIRST, SECOND, META = (f"{DATA}.{kind}.zip" for kind in ("audio.1", "audio.2", "meta"))
COMMIT = "0123456789" * 4
LISTS = {"meta/all.txt": b"path\tscene\n", "folds/one.txt": b"path\tscene\nx\thome\n"}
SAMPLES, RATE = 20_000, 44_100  # 24-bit stereo noise: 120 kB that do not compress


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
        self.publisher = "http://127.0.0.1:1"  # where the registry says that all is
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

    def content(self, **changes):
        facts, host = {}, self.publisher
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

    def registry(self, **changes):
        path = self.folder / "registry.yaml"
        path.write_text(yaml.safe_dump(self.content(**changes), sort_keys=False))
        return read_registry(path)

    def fetch(self, wanted, source, **changes):
        dataset = self.registry(**changes).datasets[DATA]
        shutil.rmtree(self.destination, ignore_errors=True)  # as Snakemake does before each job
        table = fetch_recordings(dataset, wanted, source, self.cache, self.destination)
        discard_cache(dataset, self.cache)
        return table

    def fetched(self):
        return {
            str(path.relative_to(self.destination)): path.read_bytes()
            for path in self.destination.rglob("*")
            if path.is_file() and path.name != LISTING
        }

    def offset(self, archive, member):
        with zipfile.ZipFile(self.published / archive) as opened:
            return opened.getinfo(member).header_offset


def quick(**options):
    """From the publisher, which is the test's server."""
    return Source(**({"pause": 0.01, "attempts": 4, "timeout": 5.0} | options))


def mirror(server, **options):
    return quick(mirror=server.url, **options)


def assert_nothing_made(place):
    made = place.destination.parent
    assert not made.exists() or list(made.iterdir()) == []
