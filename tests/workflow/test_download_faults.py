"""Real runs that download from a real server, and what goes wrong on the way."""

import shutil
from contextlib import suppress

import psutil
import pytest
import yaml
from softscene.core.tsv import read_table

from tests import conftest
from tests.checkout import SMALL, Checkout, copy_checkout
from tests.http_server import Fault, Server
from tests.small_disk import small_disk

pytestmark = pytest.mark.slow

HOME, STREET, SCENES = (
    f"TUT-{name}-development"
    for name in ("sound-events-2016", "sound-events-2017", "acoustic-scenes-2016")
)
ARCHIVE = f"{HOME}.audio.zip"  # of recordings at home, one after the other
CONFIG = "downloads.yaml"


class Downloads(Checkout):
    """A checkout whose data are not synthetic but on a server: the finished run's archives."""

    def __init__(self, folder, server, finished):
        super().__init__(folder)
        self.server, self.finished = server, finished
        self.publish_at(server.url)
        self.configure()

    def publish_at(self, url):
        """Have all archives published on a server."""
        registry = yaml.safe_load((self.server.folder / "archives.yaml").read_text())
        registry["archive_url"] = f"{url}/{{name}}?{{record}}"
        lists = registry["annotations"]["repository"].split("/")[1]
        registry["annotations"]["url"] = f"{url}/{lists}/{{path}}?{{repository}}{{commit}}"
        path = self.folder / "resources" / "archives.yaml"
        path.write_text(yaml.safe_dump(registry, sort_keys=False))

    def configure(self, **download):
        config = yaml.safe_load((self.folder / SMALL).read_text())
        del config["synthetic"]
        config["download"] = {"accept_licence": True, "attempts": 3, "timeout": 2} | download
        (self.folder / CONFIG).write_text(yaml.safe_dump(config))

    def start(self, *args, **options):
        return super().start(*args, **{"config": CONFIG, "NO_PROXY": "127.0.0.1"} | options)

    def tables(self, *datasets):
        """Targets: what tells of the downloaded data sets."""
        return [f"results/data/{dataset}/recordings.tsv" for dataset in datasets]

    def assert_same(self, *datasets):
        """What was downloaded is, byte for byte, what the finished run has."""
        for dataset in datasets:
            ours = contents(self.folder / "results" / "data" / dataset)
            assert ours == contents(self.finished.path("data", dataset))
            assert len(ours) > 4
            assert not (self.folder / "results" / "data" / "cache" / dataset).exists()


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".snakemake", ".running"))
    }


def assert_clear(done, *words):
    """It failed, and says why in words that a user understands."""
    assert done.returncode != 0
    for word in words:
        assert word in done.stdout, done.stdout
    for noise in ("Traceback", "should not have happened", "Logging error"):
        assert noise not in done.stdout, done.stdout


@pytest.fixture
def downloads(finished, fresh):
    with Server(finished.path("corpus")) as server:
        yield Downloads(fresh.folder, server, finished)


def members_asked(server):
    """First bytes of what was asked for of ``ARCHIVE``, but for its directory."""
    return [asked.partition("-")[0] for asked in server.asked(ARCHIVE)][1:]


@pytest.mark.fault("the server misbehaves", "a real run; always 500 after the first recording")
def test_run_goes_on_where_the_server_failed_once_it_is_well(downloads, seen):
    server, targets = downloads.server, downloads.tables(HOME, STREET, SCENES)
    server.faults[ARCHIVE].extend([Fault(), Fault()])
    server.lasting[ARCHIVE] = Fault(500)
    done = downloads.snakemake(*targets)
    assert_clear(done, f"{server.url}/{ARCHIVE}?45759: HTTP 500", "gave up after 3 tries")
    downloads.assert_same(STREET)
    first, *failed = members_asked(server)
    assert len(failed) == 3
    del server.lasting[ARCHIVE]
    server.requests.clear()
    done = downloads.snakemake(*targets)
    assert done.returncode == 0, done.stdout
    downloads.assert_same(HOME, STREET, SCENES)
    assert first not in members_asked(server)
    assert failed[0] in members_asked(server)
    assert all(path.endswith((ARCHIVE, f"{HOME}.meta.zip")) for path, _ in server.requests)
    seen("URL, status and tries on the terminal; other data sets are fetched")
    seen("later, the same command fetches only the rest: data to the last byte")


@pytest.mark.fault("Snakemake is killed", "SIGKILL to it and its jobs during a download")
def test_killed_download_goes_on(downloads, seen):
    server, targets = downloads.server, downloads.tables(HOME)
    downloads.configure(timeout=60)
    server.faults[ARCHIVE].extend([Fault(), Fault(), Fault(stall_after=500_000)])
    process = downloads.start(*targets)
    try:
        assert server.stalled.wait(600), (downloads.folder / "printed.txt").read_text()
    finally:
        tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
        for each in tree:
            with suppress(psutil.NoSuchProcess):
                each.kill()
        process.wait(600)
    assert psutil.wait_procs(tree, timeout=120)[1] == []
    first, broken = members_asked(server)
    server.requests.clear()
    unlocked = downloads.snakemake("--unlock")
    assert unlocked.returncode == 0, unlocked.stdout
    done = downloads.snakemake(*targets)
    assert done.returncode == 0, done.stdout
    downloads.assert_same(HOME)
    assert first not in members_asked(server)
    assert broken in members_asked(server)
    seen("after unlock, the same command resumes: data to the last byte")
    seen("nothing is fetched twice")


@pytest.mark.fault("the disk is full", "a real run that downloads to a tmpfs that is too small")
@pytest.mark.parametrize("mode", ["selective", "full"])
def test_disk_full_in_a_download(downloads, mode, seen):
    targets = downloads.tables(STREET)
    downloads.configure(mode=mode)
    with small_disk(downloads.folder / "results" / "data", "8m") as disk:
        done = downloads.snakemake(*targets)
        assert_clear(done, "StorageError: the disk is full", "results/data/cache", "same command")
        lists = contents(disk.folder / "annotations")
        assert lists == contents(downloads.finished.path("data", "annotations"))
        kept = [path for path in (disk.folder / "cache").rglob("*.wav") if path.is_file()]
        assert len(kept) == (2 if mode == "selective" else 0)
        assert not list((disk.folder / "cache").rglob("*partial*"))
        disk.resize("40m")
        downloads.server.bytes_served = 0
        done = downloads.snakemake(*targets)
        assert done.returncode == 0, done.stdout
        downloads.assert_same(STREET)
    seen("StorageError with file and free space on the terminal; what was fetched is kept")
    seen("with room, the same command finishes: data to the last byte")


@pytest.mark.fault("the disk is full", "a real run without room for tables, log and features")
def test_disk_full_in_what_follows(downloads, seen):
    features, table = "results/small/features.h5", "results/small/annotations/published.tsv"
    downloads.configure(mirror=str(downloads.server.folder))
    with small_disk(downloads.path(), "1m") as disk:
        done = downloads.snakemake(*downloads.tables(HOME, STREET, SCENES))
        assert done.returncode == 0, done.stdout
        used, before = 2**20 - disk.free, contents(downloads.path())
        for size, unwritten in ((used, table), ("2m", features)):
            disk.resize(size)  # no room for the log either; room for all tables
            done = downloads.snakemake(features)
            assert_clear(done, f"StorageError: the disk is full, or a quota on it: {unwritten}")
            assert not (downloads.folder / unwritten).exists()
            assert not list(downloads.path().rglob("*partial*"))
            assert before.items() <= contents(downloads.path()).items()
        disk.resize("40m")
        done = downloads.snakemake(features)
        assert done.returncode == 0, done.stdout
        assert "merge_annotations" not in done.stdout, "what was finished is not made again"
        for name in ("published", "merged", "events"):
            path = f"annotations/{name}.tsv"
            assert read_table(downloads.path(path)).equals(
                read_table(downloads.finished.path(path))
            )
        assert same_arrays(downloads.path("features.h5"), downloads.finished.path("features.h5"))
    seen("StorageError on the terminal, even without room for the log; no half file")
    seen("with room, the same command finishes: the same tables and features")


@pytest.mark.fault("bad input", "a real run; data.folder holds TUT unzipped by hand")
def test_run_deletes_nothing_of_others(downloads, tmp_path, seen):
    folder = tmp_path / "by_hand"
    by_hand = {
        "annotations/my_own_corrections.txt": [f"{folder}/annotations was not made"],
        f"{HOME}/audio/home/by_hand.wav": [f"{folder}/{HOME}/audio was not made"],
        f"{HOME}/meta/by_hand.txt": [f"{folder}/{HOME}/meta was not made"],
        f"cache/{HOME}/other.txt": [],
    }
    for name in by_hand:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("mine")
    given = ["--until", "download_dataset", "--config", f"data={{folder: {folder}}}"]
    done = downloads.snakemake(*given)
    assert_clear(done, "download.mirror", *(word for words in by_hand.values() for word in words))
    assert contents(folder) == dict.fromkeys(by_hand, b"mine")
    for name in list(by_hand)[:3]:
        (folder / name).unlink()
        (folder / name).parent.rmdir()
    (folder / HOME / "audio").rmdir()
    done = downloads.snakemake(*given)
    assert done.returncode == 0, done.stdout
    assert (folder / f"cache/{HOME}/other.txt").read_text() == "mine"
    mine = folder / "annotations" / "my_own_corrections.txt"
    mine.write_text("mine")
    done = downloads.snakemake(*given, "--forceall")
    assert_clear(done, f"{mine} was not written by this workflow")
    assert mine.read_text() == "mine"
    seen("refused by name before the first job; nothing deleted")


@pytest.mark.fault("bad input", "real runs; data.folder filled by a run of other data")
def test_run_takes_no_data_of_other_runs(downloads, finished, tmp_path, seen):
    folder = tmp_path / "shared"
    shutil.copytree(finished.path("data"), folder)
    given = ["--until", "extract_features", "--config", f"data={{folder: {folder}}}"]
    assert_clear(downloads.snakemake(*given), "synthetic corpus with seed 3", "published")
    with copy_checkout(tmp_path / "other") as other:
        config = other.folder / SMALL
        config.write_text(config.read_text().replace("  seed: 3", "  seed: 4"))
        assert_clear(other.snakemake(*given), "synthetic corpus with seed 3", "with seed 4")
        assert contents(folder) == contents(finished.path("data"))
        config.write_text(config.read_text().replace("  seed: 4", "  seed: 3"))
        done = other.snakemake(*given)
    assert done.returncode == 0, done.stdout
    assert "download_dataset" not in done.stdout, "the same corpus is taken"
    assert same_arrays(other.path("features.h5"), finished.path("features.h5"))
    seen("refused; says which data it holds and which the run needs")


@pytest.mark.fault("two workflows in one folder", "two checkouts fill one data.folder at once")
def test_two_runs_do_not_fill_one_folder(downloads, tmp_path, seen):
    folder, server = tmp_path / "shared", downloads.server
    given = ["--until", "download_dataset", "--config", f"data={{folder: {folder}}}"]
    downloads.configure(timeout=60)
    server.lasting[ARCHIVE] = Fault(stall_after=1000)
    process = downloads.start(*given)
    assert server.stalled.wait(600), (downloads.folder / "printed.txt").read_text()
    with copy_checkout(tmp_path / "other") as other:
        done = other.snakemake(*given)
    assert_clear(done, f"{folder} is being made by process {process.pid}")
    process.kill()
    process.wait(600)
    seen("the second is refused, also a synthetic one; names the first")


def same_arrays(first, second):
    a, b = conftest.datasets(first), conftest.datasets(second)
    return a.keys() == b.keys() and all((a[name] == b[name]).all() for name in a)


def test_deleted_sound_is_fetched_again_only_with_consent(downloads):
    """Of a run as far as its folds, what the explorer would show."""
    audio = downloads.folder / "results/data" / HOME / "audio"
    sound = downloads.path("sound", HOME)
    target = f"results/small/sound/{HOME}"
    done = downloads.snakemake("--until", "make_fold")
    assert done.returncode == 0, done.stdout
    downloads.configure(accept_licence=False)
    downloads.server.requests.clear()
    done = downloads.snakemake(target)
    assert done.returncode == 0, "nothing is fetched: " + done.stdout
    shown = contents(sound)
    shutil.rmtree(sound)
    shutil.rmtree(audio)
    assert_clear(downloads.snakemake(target), "download.accept_licence", "non-commercial")
    assert downloads.server.requests == []
    downloads.configure()
    done = downloads.snakemake(target)
    assert done.returncode == 0, done.stdout
    assert contents(sound) == shown
    assert len(shown) > 1
    assert downloads.server.requests
    assert not audio.exists()
