"""Downloads that go wrong: damaged and hostile archives, bad servers, full disks.

Everything is real: archives, a server on this machine, a small tmpfs.
"""

import logging
import shutil
import socket
import stat
import struct
import time
import zipfile
import zlib

import numpy as np
import pytest
from softscene.core.errors import AudioError, DownloadError, StorageError
from softscene.core.tsv import write_table
from softscene.data.archives import LARGEST_EXPANSION
from softscene.data.fetching import discard_cache, fetch_annotations, fetch_meta, fetch_recordings
from softscene.data.transport import LARGEST_LIST, Client, Source

from tests.http_server import Fault
from tests.small_disk import small_disk
from tests.unit.data.archive_place import (
    DATA,
    FIRST,
    LISTS,
    META,
    assert_nothing_made,
    checksum,
    mirror,
    name,
    quick,
    wav,
    write_zip,
)

DAMAGED, HOSTILE = "an archive is damaged", "an archive is hostile"
SERVER, DISK = "the server misbehaves", "the disk is full"
MODES = pytest.mark.parametrize("mode", ["selective", "full"])
PLACES = pytest.mark.parametrize("where", ["selective", "full", "folder"])


def source_of(where, place, server, **options):
    """A folder, or the server in one of the modes."""
    if where == "folder":
        return Source(str(place.published))
    return quick(mode=where, **options)


def assert_nothing_left(place):
    """Neither results nor anything half-made or unproved in the cache."""
    assert_nothing_made(place)
    assert [path for path in place.cache.rglob("*") if path.is_file()] == []


def assert_fetched(place, *wanted):
    assert place.fetched() == {member: place.members[member] for member in wanted}


def data_start(place, archive, member):
    """Where a member's body begins; its name is ASCII and it has no extra field."""
    return place.offset(archive, member) + 30 + len(member)


# Damage


@pytest.mark.fault(DAMAGED, "truncated on the server, whole at the next try")
@MODES
@pytest.mark.parametrize("missing", [1, 300_000])
def test_truncated_archive_is_fetched_again(place, server, mode, missing, seen):
    size = (place.published / FIRST).stat().st_size
    server.faults[FIRST].append(Fault(cut=size - missing))
    place.fetch([name(0), name(5)], quick(mode=mode))
    assert_fetched(place, name(0), name(5))
    seen("fetched again: recordings whole")


@pytest.mark.fault(DAMAGED, "truncated on the server for good")
@MODES
def test_lasting_truncation_gives_both_sizes_and_checksums(place, server, mode, seen):
    content = (place.published / FIRST).read_bytes()
    server.lasting[FIRST] = Fault(cut=300_000)
    with pytest.raises(DownloadError, match=r"300000 bytes.*3 tries") as raised:
        place.fetch([name(0)], quick(mode=mode, attempts=3))
    message = str(raised.value)
    assert f"{server.url}/{FIRST}" in message
    assert str(len(content)) in message
    assert len(server.asked(FIRST)) == 3
    if mode == "full":
        assert f"expected {len(content)} bytes with MD5 {checksum(content)}" in message
        assert f"found 300000 bytes with {checksum(content[:300_000])}" in message
    assert_nothing_left(place)
    seen("refused after 3 tries with both sizes, and both MD5s where it is fetched whole")
    seen("nothing left over")


@pytest.mark.fault(DAMAGED, "truncated, or one byte flipped, in a mirror's folder")
@pytest.mark.parametrize("damage", ["truncated", "flipped"])
def test_damaged_archive_in_a_folder_is_named_and_mended_by_hand(place, damage, seen):
    path = place.published / FIRST
    whole = path.read_bytes()
    damaged = bytearray(whole)
    damaged[len(whole) // 2] ^= 1
    damaged = bytes(damaged) if damage == "flipped" else whole[:-1]
    facts = {FIRST: {"bytes": len(whole), "md5": checksum(whole)}}
    path.write_bytes(damaged)
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(0)], Source(str(place.published)), **facts)
    message = str(raised.value)
    assert f"{path} is not what was published" in message
    assert f"expected {len(whole)} bytes with MD5 {checksum(whole)}" in message
    assert f"found {len(damaged)} bytes with {checksum(damaged)}" in message
    assert path.read_bytes() == damaged, "a user's file is left alone"
    assert_nothing_left(place)
    path.write_bytes(whole)
    place.fetch([name(0)], Source(str(place.published)), **facts)
    assert_fetched(place, name(0))
    seen("refused with both sizes and MD5s; replaced, the same call finishes")


@pytest.mark.fault(DAMAGED, "one byte of a recording flipped in transit, good at the next try")
@MODES
def test_flipped_byte_is_fetched_again(place, server, mode, seen):
    flip = Fault(flip=data_start(place, FIRST, name(3)) + 5000)
    server.faults[FIRST].extend([Fault(), flip] if mode == "selective" else [flip])
    place.fetch([name(3)], quick(mode=mode))
    assert_fetched(place, name(3))
    assert len(server.asked(FIRST)) == (4 if mode == "selective" else 2)
    seen("fetched again: recording whole")


def headers(content):
    """Where the fixed fields of a zip archive are, and of each name and body the first byte."""
    lengths = {b"PK\3\4": 30, b"PK\1\2": 46, b"PK\5\6": 22}
    for signature, length in lengths.items():
        start = content.find(signature)
        while start >= 0:
            yield from range(start, min(start + length + 1, len(content)))
            start = content.find(signature, start + 1)


@pytest.mark.fault(DAMAGED, "each byte of an archive's directory and headers flipped, one by one")
@MODES
def test_flipped_header_never_makes_wrong_recordings(place, server, mode, seen):
    """Recovered at once, but for a name that is lost or a directory that looks hostile."""
    place.members = {name(0): wav(0, 5)}
    write_zip(place.published / FIRST, place.members)
    content = (place.published / FIRST).read_bytes()
    refused = {}
    for flip in list(headers(content))[:: 1 if mode == "selective" else 20]:
        server.faults[FIRST].append(Fault(flip=flip))
        shutil.rmtree(place.destination.parent, ignore_errors=True)
        try:
            place.fetch([name(0)], quick(mode=mode, pause=0.001))
        except DownloadError as error:
            refused[flip] = str(error)
            assert_nothing_left(place)
            place.fetch([name(0)], quick(mode=mode))
        assert_fetched(place, name(0))
    directory = content.index(b"PK\1\2")
    assert set(refused) <= set(range(directory + 24, directory + 47))  # sizes, names, modes
    words = ("in no audio archive", "refused")
    assert all(any(word in message for word in words) for message in refused.values())
    assert mode == "selective" or not refused
    seen("never a wrong recording, nothing half-made; the next try or the same call finishes")


@pytest.mark.fault(DAMAGED, "an unknown compression method, or one of other data")
@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA, 99])
@PLACES
def test_other_methods_of_compression_are_refused(place, server, method, where, seen, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    with zipfile.ZipFile(place.published / FIRST, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name(0), wav(0))
        archive.filelist[0].compress_type = method
    with pytest.raises(DownloadError, match=f"compressed by method {method}") as raised:
        place.fetch([name(0)], source_of(where, place, server))
    assert name(0) in str(raised.value)
    assert_nothing_made(place)
    seen("refused by name and method")


@pytest.mark.fault(DAMAGED, "one byte flipped for good, where archives are fetched whole")
def test_lasting_flip_in_a_whole_archive_gives_both_checksums(place, server, seen):
    content = bytearray((place.published / FIRST).read_bytes())
    right = checksum(content)
    content[1000] ^= 0xFF
    server.lasting[FIRST] = Fault(flip=1000)
    with pytest.raises(DownloadError, match="3 tries") as raised:
        place.fetch([name(0)], quick(mode="full", attempts=3))
    assert right in str(raised.value)
    assert checksum(content) in str(raised.value)
    assert_nothing_left(place)
    seen("refused after 3 tries with both MD5s; nothing left over")


@pytest.mark.fault(DAMAGED, "one byte flipped for good, where members are fetched")
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_damaged_member_gives_both_checksums(place, server, method, seen):
    write_zip(place.published / FIRST, {name(0): wav(0), name(1): wav(1)}, method)
    content = bytearray((place.published / FIRST).read_bytes())
    start = data_start(place, FIRST, name(0))
    content[start] = 0xFF  # a type of block that deflate does not know
    (place.published / FIRST).write_bytes(content)
    found = bytes(content[start : start + len(wav(0))]) if method == zipfile.ZIP_STORED else b""
    with pytest.raises(DownloadError, match="2 tries") as raised:
        place.fetch([name(0)], quick(attempts=2))
    message = str(raised.value)
    assert f"expected {len(wav(0))} bytes with CRC-32 {zlib.crc32(wav(0)):08x}" in message
    assert f"got {len(found)} bytes with CRC-32 {zlib.crc32(found):08x}" in message
    assert ("invalid block type" in message) == (method == zipfile.ZIP_DEFLATED)
    assert name(0) in message
    assert_nothing_left(place)
    seen("refused after 2 tries with both CRC-32s; nothing left over")


@pytest.mark.fault(DAMAGED, "wrong MD5 in the registry, or another archive on the server")
def test_wrong_checksum_of_a_whole_archive(place, server, seen):
    right = checksum((place.published / FIRST).read_bytes())
    with pytest.raises(DownloadError, match="3 tries") as raised:
        place.fetch([name(0)], quick(mode="full", attempts=3), **{FIRST: {"md5": "0" * 32}})
    assert right in str(raised.value)
    assert "0" * 32 in str(raised.value)
    assert len(server.asked(FIRST)) == 3
    assert_nothing_left(place)
    seen("refused after 3 tries with both MD5s; nothing left over")


@pytest.mark.fault(DAMAGED, "wrong MD5 or size in the registry, or another archive in the folder")
@pytest.mark.parametrize("change", [{"bytes": 722_000}, {"md5": "1" * 32}])
def test_folder_with_another_archive_is_refused(place, change, seen):
    content = (place.published / FIRST).read_bytes()
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(2)], Source(str(place.published)), **{FIRST: change})
    for part in (str(len(content)), checksum(content), *map(str, change.values())):
        assert part in str(raised.value)
    assert_nothing_left(place)
    seen("refused with both sizes and MD5s; nothing left over")


@pytest.mark.fault(DAMAGED, "wrong MD5 of the archive with a data set's annotations")
def test_wrong_checksum_of_the_meta_archive(place, server, seen):
    right = checksum((place.published / META).read_bytes())
    dataset = place.registry(**{META: {"md5": "2" * 32}}).datasets[DATA]
    with pytest.raises(DownloadError, match="2 tries") as raised:
        fetch_meta(dataset, quick(attempts=2), place.cache, place.destination)
    assert right in str(raised.value)
    assert "2" * 32 in str(raised.value)
    assert_nothing_left(place)
    server.faults[META].append(Fault(flip=60))
    dataset = place.registry().datasets[DATA]
    fetch_meta(dataset, quick(), place.cache, place.destination)
    assert place.fetched() == {f"{DATA}/meta.txt": b"a\tb\n", f"{DATA}/meta/r.ann": b""}
    seen("refused after 2 tries with both MD5s; damaged once, it is fetched again")


@pytest.mark.fault(DAMAGED, "wrong CRC-32 in the archive's directory, for good")
@PLACES
def test_wrong_crc_in_the_directory(place, server, where, seen, monkeypatch):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    content = bytearray((place.published / FIRST).read_bytes())
    wrong = zlib.crc32(place.members[name(0)]) ^ 0xFF
    content[content.rindex((wrong ^ 0xFF).to_bytes(4, "little"))] ^= 0xFF
    (place.published / FIRST).write_bytes(content)
    with pytest.raises(DownloadError, match="tries") as raised:
        place.fetch([name(0)], source_of(where, place, server))
    assert f"CRC-32 {wrong:08x}" in str(raised.value)
    assert f"CRC-32 {wrong ^ 0xFF:08x}" in str(raised.value)
    assert_nothing_made(place)
    assert not list(place.cache.rglob("*.wav*"))
    seen("refused after the last try with both CRC-32s; no recording left over")


@pytest.mark.fault(DAMAGED, "wrong CRC-32 in the directory, in transit or until repaired")
def test_damage_of_the_directory_that_was_mended_is_forgotten(place, server, seen):
    whole = (place.published / FIRST).read_bytes()
    directory = whole.rindex(zlib.crc32(place.members[name(0)]).to_bytes(4, "little"))
    server.faults[FIRST].append(Fault(flip=directory))
    table = place.fetch([name(0)], quick())
    assert_fetched(place, name(0))
    assert table.crc32.tolist() == [f"{zlib.crc32(place.members[name(0)]):08x}"]
    server.lasting[FIRST] = Fault(flip=directory)
    with pytest.raises(DownloadError, match="CRC-32"):
        place.fetch([name(0), name(1)], quick())
    del server.lasting[FIRST]
    place.fetch([name(0), name(1)], quick())
    assert_fetched(place, name(0), name(1))
    seen("read again by the next try, or the same call")


@pytest.mark.fault(DAMAGED, "larger on the server than the registry says")
@MODES
def test_larger_than_the_registry_says(place, server, mode, seen):
    size = (place.published / FIRST).stat().st_size
    server.lasting[FIRST] = Fault(stall_after=0)  # who waits for content waits in vain
    with pytest.raises(DownloadError, match="3 tries") as raised:
        given = quick(mode=mode, attempts=3)
        place.fetch([name(0)], given, **{FIRST: {"bytes": size - 1}})
    assert f"{size} bytes; the registry says {size - 1}" in str(raised.value)
    assert_nothing_left(place)
    seen("refused after 3 tries with both sizes, before its content is read")


@pytest.mark.parametrize("larger", [1, 700_000])
@MODES
def test_smaller_than_the_registry_says(place, server, mode, larger):
    size = (place.published / FIRST).stat().st_size
    with pytest.raises(DownloadError, match="2 tries") as raised:
        given = quick(mode=mode, attempts=2)
        place.fetch([name(0)], given, **{FIRST: {"bytes": size + larger}})
    assert f"{size} bytes" in str(raised.value)
    assert str(size + larger) in str(raised.value)
    assert_nothing_left(place)


@pytest.mark.fault(DAMAGED, "an authors' list changed, on the server or in a folder")
@pytest.mark.parametrize("scheme", ["", "file://", "http"])
def test_annotations_with_another_checksum_are_refused(place, server, scheme, seen):
    path = place.published / "lists/folds/one.txt"
    path.write_bytes(b"changed")
    mirror = server.url if scheme == "http" else scheme + str(place.published)
    source = Source(mirror, attempts=2, pause=0.01)
    with pytest.raises(DownloadError) as raised:
        fetch_annotations(place.registry(), source, place.destination)
    for content in (LISTS["folds/one.txt"], b"changed"):
        assert checksum(content, "sha256") in str(raised.value)
    assert "one.txt" in str(raised.value)
    assert_nothing_made(place)
    path.write_bytes(LISTS["folds/one.txt"])
    fetch_annotations(place.registry(), source, place.destination)
    assert place.fetched() == LISTS
    seen("refused with both SHA-256s; nothing left over; repaired, the same call finishes")


@pytest.mark.fault(DAMAGED, "a fetched recording changed in the cache")
def test_damaged_file_in_the_cache_is_fetched_again(place, server, seen):
    server.faults[FIRST].extend([Fault(), Fault(), Fault(status=404)])
    with pytest.raises(DownloadError):
        place.fetch([name(1), name(3)], quick())
    (cached,) = place.cache.rglob("*.wav")
    cached.write_bytes(cached.read_bytes()[:-1] + b"\0")
    place.fetch([name(1), name(3)], quick())
    assert_fetched(place, name(1), name(3))
    seen("fetched again")


@pytest.mark.fault(DAMAGED, "a web page in its place")
@PLACES
def test_archive_that_is_none(place, server, where, seen):
    (place.published / FIRST).write_bytes(b"<html>" * 1000)
    with pytest.raises(DownloadError, match="not a readable ZIP archive") as raised:
        place.fetch([name(0)], source_of(where, place, server))
    assert FIRST in str(raised.value)
    assert_nothing_made(place)
    seen("refused by name")


def test_recordings_that_are_no_audio_are_all_named(place, server):
    write_zip(place.published / FIRST, {name(0): b"text", name(1): wav(1), name(2): b"words"})
    with pytest.raises(AudioError) as raised:
        place.fetch([name(0), name(1), name(2)], quick())
    assert name(0) in str(raised.value)
    assert name(2) in str(raised.value)
    assert name(1) not in str(raised.value)
    assert_nothing_made(place)


# Hostile archives


@pytest.mark.fault(HOSTILE, "members named ../up.wav, /tmp/..., a/../../up.wav, ..\\up.wav, C:/...")
@pytest.mark.parametrize(
    "member",
    ["../up.wav", "/tmp/softscene_absolute.wav", "a/../../up.wav", "..\\up.wav", "C:/a.wav"],
)
@PLACES
def test_members_that_leave_their_folder_are_refused(place, server, member, where, seen):
    write_zip(place.published / FIRST, {member: wav(0), "/other.wav": wav(1)})
    write_zip(place.published / META, {member: b"x"})
    before = set(place.folder.rglob("*"))
    source = source_of(where, place, server)
    with pytest.raises(DownloadError, match="refused") as raised:
        place.fetch([member, "/other.wav"], source)
    assert repr(member) in str(raised.value)
    assert "/other.wav" in str(raised.value)
    assert_nothing_made(place)
    place.destination = place.folder / "made" / "meta"
    with pytest.raises(DownloadError, match="refused"):
        fetch_meta(place.registry().datasets[DATA], source, place.cache, place.destination)
    assert_nothing_made(place)
    new = {path for path in set(place.folder.rglob("*")) - before if path.is_file()}
    assert all(path.name == "registry.yaml" or "cache" in path.parts for path in new)
    assert not any(path.suffix == ".wav" for path in new)
    seen("refused by name, in archives of recordings and of annotations; nothing written")


def write_special(path, kind, members):
    """An archive whose first member has a mode of another kind than a file's."""
    first, *others = members
    special = zipfile.ZipInfo(first)
    special.create_system, special.external_attr = 3, (kind | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(special, "/etc/passwd")
        for other in others:
            archive.writestr(other, wav(1))


@pytest.mark.fault(HOSTILE, "a symbolic link, a device, a pipe as members")
@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO])
@PLACES
def test_links_and_devices_are_refused(place, server, kind, where, seen):
    write_special(place.published / FIRST, kind, [name(0), name(1)])
    write_special(place.published / META, kind, [f"{DATA}/meta.txt"])
    source = source_of(where, place, server)
    words = "symbolic link" if kind == stat.S_IFLNK else "device"
    with pytest.raises(DownloadError, match=words) as raised:
        place.fetch([name(0), name(1)], source)
    assert name(1) not in str(raised.value)
    assert_nothing_made(place)
    with pytest.raises(DownloadError, match=words):
        fetch_meta(place.registry().datasets[DATA], source, place.cache, place.destination)
    assert_nothing_made(place)
    seen("refused by name, in archives of recordings and of annotations; nothing written")


def test_all_that_is_refused_is_told_at_once(place, server):
    write_special(place.published / FIRST, stat.S_IFLNK, [name(0), name(1)])
    with zipfile.ZipFile(place.published / FIRST, "a") as archive:
        archive.filelist[1].file_size = 5 * 2**30
        archive.writestr("x", "")
    with pytest.raises(DownloadError) as raised:
        place.fetch([name(0), name(1)], quick())
    assert "symbolic link" in str(raised.value)
    assert f"its {5 * 2**30} bytes are more than" in str(raised.value)
    assert "together" in str(raised.value)
    assert len(server.requests) == 1


def overlapping(path, members):
    """All entries of the directory point to one body, as in a bomb of Fifield's kind."""
    write_zip(path, {next(iter(members)): bytes(200_000)})
    with zipfile.ZipFile(path, "a") as archive:
        (first,) = archive.filelist
        for member in members[1:]:
            info = zipfile.ZipInfo(member)
            for fact in ("header_offset", "CRC", "compress_size", "file_size", "compress_type"):
                setattr(info, fact, getattr(first, fact))
            archive.filelist.append(info)
            archive.NameToInfo[member] = info
        archive.writestr("x", "")


def zeros(path, members):
    """What deflate shrinks a thousandfold."""
    write_zip(path, {member: bytes(500_000) for member in members})


@pytest.mark.fault(
    HOSTILE, "a bomb: members of zeros, or that share one body, far over the registry's size"
)
@pytest.mark.parametrize("pack", [zeros, overlapping])
@PLACES
def test_bombs_are_refused_before_anything_is_extracted(place, server, pack, where, seen):
    members = [name(number) for number in range(20)]
    pack(place.published / FIRST, members)
    pack(place.published / META, [f"{DATA}/{number}.txt" for number in range(20)])
    source = source_of(where, place, server)
    refused = f"more than {LARGEST_EXPANSION} times"
    with pytest.raises(DownloadError, match=refused) as raised:
        place.fetch([name(0)], source)
    assert FIRST in str(raised.value)
    assert str((place.published / FIRST).stat().st_size) in str(raised.value)
    assert_nothing_made(place)
    assert not list(place.cache.rglob("*.wav*"))
    with pytest.raises(DownloadError, match=refused):
        fetch_meta(place.registry().datasets[DATA], source, place.cache, place.destination)
    assert_nothing_made(place)
    seen(f"refused where members declare over {LARGEST_EXPANSION} times the archive's size")
    seen("nothing extracted")


@pytest.mark.fault(HOSTILE, "a member whose content is larger, or smaller, than it declares")
@pytest.mark.parametrize("declared", [-1, +1, -100_000])
def test_member_of_another_size_than_declared(place, server, declared, seen):
    with zipfile.ZipFile(place.published / FIRST, "w") as archive:
        archive.writestr(name(0), wav(0))
        archive.filelist[0].file_size += declared
    with pytest.raises(DownloadError, match=f"expected {len(wav(0)) + declared} bytes") as raised:
        place.fetch([name(0)], quick(attempts=1))
    got = int(str(raised.value).partition("got ")[2].split()[0])
    assert got == len(wav(0)) if declared == 1 else got == len(wav(0)) + declared + 1
    assert_nothing_left(place)
    seen("stopped at the first byte too many; refused with both sizes and CRC-32s")


@pytest.mark.fault(HOSTILE, "a bomb of 50 MB that declares 1 kB")
@PLACES
def test_bomb_that_lies_about_its_size_stops_at_the_first_byte_too_many(
    place, server, where, seen, monkeypatch
):
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: None)
    for archive, member in ((FIRST, name(0)), (META, f"{DATA}/meta.txt")):
        with zipfile.ZipFile(place.published / archive, "w", zipfile.ZIP_DEFLATED) as opened:
            opened.writestr(member, bytes(50_000_000))
            opened.filelist[0].file_size = 1000
    source = source_of(where, place, server)
    with small_disk(place.folder / "disk", "200k") as disk:
        place.cache, place.destination = disk.folder / "cache", disk.folder / "made" / "recordings"
        with pytest.raises(DownloadError, match=r"expected 1000 bytes.*got 1001 bytes"):
            place.fetch([name(0)], source)
        with pytest.raises(DownloadError, match=r"expected 1000 bytes.*got 1001 bytes"):
            fetch_meta(place.registry().datasets[DATA], source, place.cache, place.destination)
        assert_nothing_made(place)
    seen("stopped after 1001 bytes; refused")


@pytest.mark.fault(HOSTILE, "a directory declared as 30 MB, which would be read into memory")
def test_directory_of_absurd_size_is_not_read(place, server, seen):
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 1, 1, 30_000_000, 10_000_000, 0)
    (place.published / FIRST).write_bytes(bytes(40_000_000) + end)
    with pytest.raises(DownloadError, match=r"directory has more than.*2 tries"):
        place.fetch([name(0)], quick(attempts=2))
    assert server.bytes_served < 1_000_000
    assert_nothing_left(place)
    seen("refused before it is read")


# The server


@pytest.mark.fault(SERVER, "500, 503, 502, then good answers")
@MODES
def test_three_server_errors_then_a_good_answer(place, server, mode, seen):
    server.faults[FIRST].extend([Fault(500), Fault(503), Fault(502)])
    place.fetch([name(0)], quick(mode=mode))
    assert_fetched(place, name(0))
    assert len(server.asked(FIRST)) == (4 if mode == "full" else 5)
    seen("recovered with the fourth try")


@pytest.mark.fault(SERVER, "429 with and without Retry-After, then good answers")
@MODES
def test_too_many_requests_then_a_good_answer(place, server, mode, seen):
    server.faults[FIRST].extend([Fault(429), Fault(429, {"Retry-After": "0"})])
    place.fetch([name(0)], quick(mode=mode))
    assert_fetched(place, name(0))
    seen("recovered with the third try")


def fetch(what, place, server, **options):
    """Fetch one of the things that are fetched from the server."""
    if what == "lists":
        fetch_annotations(place.registry(), quick(**options), place.destination)
    elif what == "meta":
        dataset = place.registry().datasets[DATA]
        fetch_meta(dataset, quick(**options), place.cache, place.destination)
    else:
        place.fetch([name(0)], quick(mode=what, **options))


FILE = {"selective": FIRST, "full": FIRST, "meta": META, "lists": "lists/folds/one.txt"}
FETCHED = pytest.mark.parametrize("what", list(FILE))


@pytest.mark.fault(SERVER, "always 429, 500 or 503")
@FETCHED
@pytest.mark.parametrize("status", [429, 500, 503])
def test_lasting_server_error_names_url_status_and_tries(place, server, what, status, seen):
    server.lasting[FILE[what]] = Fault(status)
    with pytest.raises(DownloadError, match=rf"HTTP {status} .*4 tries") as raised:
        fetch(what, place, server)
    assert f"{server.url}/{FILE[what]}" in str(raised.value)
    assert len([path for path, _ in server.requests if path == f"/{FILE[what]}"]) == 4
    assert_nothing_left(place)
    seen("gave up after 4 tries, with URL and status; nothing left over")


@pytest.mark.fault(SERVER, "401, 403, 404 or 410")
@FETCHED
@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_other_client_errors_are_not_tried_again(place, server, status, what, seen):
    server.faults[FILE[what]].append(Fault(status))
    with pytest.raises(DownloadError, match=f"HTTP {status} .*1 try") as raised:
        fetch(what, place, server)
    assert f"{server.url}/{FILE[what]}" in str(raised.value)
    assert len([path for path, _ in server.requests if path == f"/{FILE[what]}"]) == 1
    assert_nothing_left(place)
    seen("gave up after 1 try, with URL and status; nothing left over")


@pytest.mark.fault(SERVER, "seven bad answers in a row, some with Retry-After up to an hour")
def test_pauses_grow_and_heed_the_server(place, server, monkeypatch, seen):
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    asked = [None, "7", "3600", "soon", None, None]
    faults = [Fault(429, {"Retry-After": text} if text else {}) for text in asked]
    server.faults[FIRST].extend([Fault(500, {"Retry-After": "59"}), *faults])
    place.fetch([name(0)], quick(attempts=8, pause=1.5))
    assert pauses == [1.5, 3.0, 7.0, 60.0, 24.0, 48.0, 60.0]
    seen("pauses double or follow the server, up to 60 s")


@pytest.mark.fault(SERVER, "the connection is dropped in a directory, a member, an archive")
@pytest.mark.parametrize("kept", [0, 20, 40_000])
@pytest.mark.parametrize(("mode", "good"), [("selective", 0), ("selective", 1), ("full", 0)])
def test_connections_dropped_mid_file(place, server, mode, good, kept, caplog, monkeypatch, seen):
    """In the first good answers lie an archive's directory, in those after it a member."""
    monkeypatch.setattr("softscene.data.archives.CHUNK", 4096)
    wanted = [name(0), name(1), name(5)]
    faults = [Fault()] * good + [Fault(drop_after=kept)] * 2
    server.faults[FIRST].extend(faults)
    with caplog.at_level(logging.INFO, logger="softscene"):
        place.fetch(wanted, quick(mode=mode))
    assert_fetched(place, *wanted)
    whole = f"{3 * len(wav(0)) / 1000:.0f}k"
    lines = [line for line in caplog.messages if line.startswith("fetching from")]
    assert f"100 % ({whole} of {whole})" in lines[-1]  # what was lost is not counted
    server.faults[FIRST].extend(faults)
    with pytest.raises(DownloadError, match="gave up after 1 try") as raised:
        place.fetch(wanted, quick(mode=mode, attempts=1))
    assert f"{server.url}/{FIRST}" in str(raised.value)
    seen("recovered with the third try; else gave up, with URL and tries")


@pytest.mark.fault(SERVER, "it stalls in a directory, a member, an archive, then works")
@pytest.mark.parametrize(("mode", "good"), [("selective", 0), ("selective", 1), ("full", 0)])
def test_stall_in_the_middle_is_given_up_and_tried_again(place, server, mode, good, seen):
    server.faults[FIRST].extend([Fault()] * good + [Fault(stall_after=20_000)])
    start = time.monotonic()
    place.fetch([name(3)], quick(mode=mode, timeout=0.3))
    assert server.stalled.is_set()
    assert 0.3 <= time.monotonic() - start < 10
    assert_fetched(place, name(3))
    seen("recovered with the second try, after the timeout")


@pytest.mark.fault(SERVER, "it stalls in the middle, every time")
@pytest.mark.parametrize(("mode", "good"), [("selective", 0), ("selective", 1), ("full", 0)])
def test_lasting_stall_ends_in_bounded_time(place, server, mode, good, seen):
    server.faults[FIRST].extend([Fault()] * good)
    server.lasting[FIRST] = Fault(stall_after=20_000)
    start = time.monotonic()
    with pytest.raises(DownloadError, match=r"(?i)timed? ?out.*3 tries") as raised:
        place.fetch([name(3)], quick(mode=mode, timeout=0.2, attempts=3))
    assert 0.6 <= time.monotonic() - start < 10
    assert f"{server.url}/{FIRST}" in str(raised.value)
    assert_nothing_left(place)
    seen("gave up after 3 timeouts, with URL and tries; nothing left over")


@pytest.mark.fault(SERVER, "it accepts the connection and sends nothing")
def test_server_that_stays_silent_is_given_up(place, monkeypatch, seen):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place.publisher = f"http://127.0.0.1:{silent.getsockname()[1]}"
        source = quick(attempts=2, timeout=0.1)
        with pytest.raises(DownloadError, match=r"(?i)timed? ?out.*2 tries"):
            place.fetch([name(0)], source)
    seen("gave up after 2 timeouts, with URL and tries")


@pytest.mark.fault(SERVER, "no such host, or no answer")
@MODES
@pytest.mark.parametrize("host", ["http://127.0.0.1:1", "http://softscene.invalid"])
def test_unreachable_host_points_to_the_mirror(place, mode, host, monkeypatch, seen):
    monkeypatch.setenv("NO_PROXY", "*")
    place.publisher = host
    with pytest.raises(DownloadError, match=r"cannot be reached.*download\.mirror.*2 tries"):
        place.fetch([name(0)], quick(mode=mode, attempts=2))
    seen("gave up after 2 tries, with URL, cause and how to work without internet")


@pytest.mark.fault(SERVER, "it serves no ranges")
def test_server_without_ranges_gives_whole_archives(place, server, caplog, seen):
    server.ranges = False
    with caplog.at_level(logging.INFO, logger="softscene"):
        place.fetch([name(2), name(8)], quick())
    assert_fetched(place, name(2), name(8))
    assert any("fetching all of it" in line and FIRST in line for line in caplog.messages)
    assert any("100 %" in line and FIRST in line for line in caplog.messages)
    assert not list(place.cache.rglob("*.zip"))
    seen("whole archives are fetched instead, and deleted after use")


@pytest.mark.fault(SERVER, "it serves ranges at first, then no more")
def test_server_that_ends_to_give_ranges(place, server, seen):
    server.faults[FIRST].extend([Fault(), Fault(), Fault(no_range=True)])
    server.faults[FIRST].extend([Fault(no_range=True)])
    place.fetch([name(0), name(1)], quick())
    assert_fetched(place, name(0), name(1))
    assert server.asked(FIRST)[-1] is None
    seen("whole archives are fetched instead")


@pytest.mark.fault(SERVER, "another range, fewer bytes, or more, than asked for; then good answers")
@pytest.mark.parametrize(
    ("mode", "faults"),
    [
        ("selective", [Fault(short=5000)]),
        ("selective", [Fault(), Fault(short=5000)]),
        ("selective", [Fault(shift=1000)]),
        ("selective", [Fault(), Fault(shift=1000)]),
        ("full", [Fault(short=5000)]),
        ("full", [Fault(endless=True)]),
    ],
)
def test_answers_other_than_asked_for(place, server, mode, faults, seen):
    server.faults[FIRST].extend(faults)
    place.fetch([name(3)], quick(mode=mode))
    assert_fetched(place, name(3))
    assert server.bytes_served < 30 * (place.published / FIRST).stat().st_size
    seen("fetched again: recording whole")


@pytest.mark.fault(SERVER, "always another range than asked for")
@pytest.mark.parametrize("good", [0, 1])
def test_lasting_wrong_range_names_url_status_and_tries(place, server, good, seen):
    server.faults[FIRST].extend([Fault()] * good)
    server.lasting[FIRST] = Fault(shift=1000)
    with pytest.raises(
        DownloadError, match=r"HTTP 206, but bytes \d+-\d+ instead of.*4 tries"
    ) as e:
        place.fetch([name(3)], quick())
    assert f"{server.url}/{FIRST}" in str(e.value)
    assert_nothing_left(place)
    seen("gave up after 4 tries, with URL, status and both ranges; nothing left over")


ENDLESS = "9" * 5000
NO_TIMES = (ENDLESS, "Fri, 31 Dec 99999 23:59:59 GMT", "1e400", "\xb2", " ", "-5", "Mon, , ,")


@pytest.mark.fault(SERVER, "Retry-After of 5,000 digits, the year 99999, and nonsense")
def test_pauses_that_are_none_are_not_heeded(place, server, monkeypatch, seen):
    pauses = []
    monkeypatch.setattr("tenacity.nap.time.sleep", pauses.append)
    server.faults[FIRST].extend(Fault(503, {"Retry-After": text}) for text in NO_TIMES)
    place.fetch([name(0)], quick(attempts=8, pause=1.0))
    assert pauses == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0]
    assert_fetched(place, name(0))
    seen("tried again after the usual pauses")


@pytest.mark.fault(SERVER, "byte counts of 5,000 digits")
@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 0-999/{ENDLESS}"},
        {"Content-Range": f"bytes {ENDLESS}-999/1000"},
        {"Content-Range": f"bytes 0-{ENDLESS}/1000"},
        {"Content-Range": "bytes \xb2-\xb3/1000"},
    ],
)
def test_ranges_that_are_none(place, server, headers, seen):
    server.lasting[FIRST] = Fault(headers=headers)
    place.fetch([name(0)], quick())
    assert_fetched(place, name(0))
    assert server.asked(FIRST)[-1] is None
    seen("whole archives are fetched instead")


@pytest.mark.fault(SERVER, "a compressed answer, or an endless list")
@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(headers={"Content-Encoding": "gzip"}), r"encoded \(gzip\).*not asked for"),
        (Fault(endless=True), f"more than {LARGEST_LIST} bytes came"),
    ],
)
def test_lists_that_would_fill_the_disk(place, server, fault, words, seen):
    (place.published / "lists/folds/one.txt").write_bytes(bytes(LARGEST_LIST // 50))
    server.lasting["lists/folds/one.txt"] = fault
    with small_disk(place.folder / "disk", f"{LARGEST_LIST // 2**20 + 2}m") as disk:
        with pytest.raises(DownloadError, match=f"{words}.*1 try"):
            fetch_annotations(place.registry(), quick(attempts=1), disk.folder / "made")
        assert not list(disk.folder.iterdir())
    assert server.bytes_served < 2 * LARGEST_LIST
    seen("refused after 17 MB at most; nothing left over")


@pytest.mark.fault(SERVER, "a redirection with an endless body")
def test_body_of_a_redirection_is_not_read(place, server, seen):
    moved = {"Location": f"{server.url}/{FIRST}"}
    server.faults["moved"].append(Fault(302, moved, endless=True))
    client = Client(quick(attempts=1))
    content = (place.published / FIRST).read_bytes()
    client.retrieve(f"{server.url}/moved", place.folder / FIRST, f"md5:{checksum(content)}")
    assert (place.folder / FIRST).read_bytes() == content
    assert server.bytes_served < 100_000_000
    seen("followed at once")


@pytest.mark.fault(SERVER, "403")
@pytest.mark.parametrize("what", ["selective", "full", "meta", "lists"])
def test_refusal_says_what_to_try(place, server, what, seen):
    server.lasting[FILE[what]] = Fault(403)
    with pytest.raises(DownloadError, match=r"HTTP 403 .*browser.*download\.mirror"):
        fetch(what, place, server)
    ((agent, _),) = server.clients
    assert agent == "softscene/0.1 (+https://arxiv.org/abs/2002.05848)"
    seen("says what to try, and names download.mirror")


@pytest.mark.fault(SERVER, "this machine's certificates are missing")
@pytest.mark.parametrize("what", ["selective", "full", "lists"])
@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_missing_certificates_are_named(place, what, variable, monkeypatch, seen):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.setenv(variable, str(place.folder / "none.pem"))
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda _: pytest.fail("tried again"))
    place.publisher = "https://127.0.0.1:9"
    with pytest.raises(DownloadError, match=r"https://127.*none\.pem.*1 try"):
        fetch(what, place, None)
    seen("DownloadError with URL and cause after 1 try")


def test_certificates_that_are_none(place, monkeypatch):
    bundle = place.folder / "none.pem"
    bundle.write_text("text")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    place.publisher = "https://127.0.0.1:9"
    with pytest.raises(DownloadError, match=r"https://127"):
        fetch("full", place, None, attempts=1)


# Mirrors


def silenced(path, member):
    """Put silence in place of a recording, and mend the archive: its own directory agrees."""
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as opened:
        info = opened.getinfo(member)
        assert info.compress_type == zipfile.ZIP_STORED
    start = info.header_offset + 30 + len(member)
    content[start + 44 : start + info.file_size] = bytes(info.file_size - 44)
    crc = struct.pack("<L", zlib.crc32(content[start : start + info.file_size]))
    content[info.header_offset + 14 : info.header_offset + 18] = crc
    entry = content.rindex(member.encode()) - 46
    content[entry + 16 : entry + 20] = crc
    path.write_bytes(content)


@pytest.mark.fault(HOSTILE, "a mirror's recording replaced, with the archive's directory to match")
@pytest.mark.parametrize("where", ["selective", "full", "folder"])
def test_mirror_with_another_recording_is_refused(place, server, where, caplog, seen):
    write_zip(place.published / FIRST, place.members, zipfile.ZIP_STORED)
    content = (place.published / FIRST).read_bytes()
    facts = {FIRST: {"bytes": len(content), "md5": checksum(content)}}
    silenced(place.published / FIRST, name(0))
    place.publisher = "http://127.0.0.1:1"
    folder = Source(str(place.published))
    source = folder if where == "folder" else mirror(server, mode=where, attempts=1)
    with (
        caplog.at_level(logging.INFO, logger="softscene"),
        pytest.raises(DownloadError, match=f"MD5 {checksum(content)}"),
    ):
        place.fetch([name(0)], source, **facts)
    assert_nothing_made(place)
    assert set(server.asked(FIRST)) <= {None}
    assert any("MD5" in line for line in caplog.messages) == (where == "selective")
    (place.published / FIRST).write_bytes(content)
    place.fetch([name(0)], source, **facts)
    assert_fetched(place, name(0))
    seen("whole archives are fetched from a mirror, and refused for their MD5")


# What is not this program's


def test_nothing_is_deleted_that_lies_in_the_way(place, server):
    place.destination.mkdir(parents=True)
    (place.destination / "mine.txt").write_text("mine")
    dataset = place.registry().datasets[DATA]
    for work in (
        lambda: fetch_annotations(place.registry(), quick(), place.destination),
        lambda: fetch_meta(dataset, quick(), place.cache, place.destination),
        lambda: fetch_recordings(dataset, [name(0)], quick(), place.cache, place.destination),
    ):
        with pytest.raises(DownloadError, match="there already"):
            work()
    assert place.fetched() == {"mine.txt": b"mine"}


def test_cache_loses_nothing_of_others(place, server):
    others = [place.cache / DATA / "other.txt", place.cache / DATA / "audio" / "other.txt"]
    for other in others:
        other.parent.mkdir(parents=True, exist_ok=True)
        other.write_text("mine")
    for mode in ("selective", "full"):
        place.fetch([name(0)], quick(mode=mode))
    assert {path for path in place.cache.rglob("*") if path.is_file()} == set(others)


# A full disk


@pytest.fixture
def disk(place):
    """Where things go, with room for two recordings and a half; something good lies there."""
    with small_disk(place.folder / "disk", "304k") as disk:
        place.cache, place.destination = disk.folder / "cache", disk.folder / "made" / "recordings"
        (disk.folder / "good").write_text("good")
        yield disk
        assert (disk.folder / "good").read_text() == "good"


def assert_full(raised, disk):
    for part in ("the disk is full", str(disk.folder), "free", "same command"):
        assert part in str(raised.value)


@pytest.mark.fault(DISK, "while recordings are extracted to a tmpfs that is too small")
@pytest.mark.parametrize("where", ["selective", "folder"])
def test_disk_full_while_extracting(place, server, disk, where, seen):
    wanted, source = [name(0), name(1), name(2)], source_of(where, place, server)
    with pytest.raises(StorageError) as raised:
        place.fetch(wanted, source)
    assert_full(raised, disk)
    assert "r2.wav" in str(raised.value)
    assert_nothing_made(place)
    kept = [path for path in place.cache.rglob("*") if path.is_file() and path.suffix != ".json"]
    assert sorted(path.name for path in kept) == ["r0.wav", "r1.wav"]
    start = f"bytes={place.offset(FIRST, name(2))}-"
    if where == "selective":
        assert len([asked for asked in server.asked(FIRST) if asked.startswith(start)]) == 1
    disk.resize("2m")
    server.requests.clear()
    place.fetch(wanted, source)
    assert_fetched(place, *wanted)
    fetched = [asked for asked in server.asked(FIRST) if not asked.startswith(start)]
    assert len(fetched) <= 2, "the directory, and none that was there"
    seen("StorageError at once, with file and free space; what was fetched is kept")
    seen("with room, the same call finishes and fetches only the rest")


@pytest.mark.fault(DISK, "while a whole archive is downloaded to a tmpfs that is too small")
def test_disk_full_while_downloading(place, server, disk, seen):
    with pytest.raises(StorageError) as raised:
        place.fetch([name(0)], quick(mode="full"))
    assert_full(raised, disk)
    assert FIRST in str(raised.value)
    assert_nothing_left(place)
    assert server.asked(FIRST) == [None], "not taken for a fault of the network, and tried again"
    disk.resize("2m")
    place.fetch([name(0)], quick(mode="full"))
    assert_fetched(place, name(0))
    seen("StorageError at once, with file and free space; no half archive left")
    seen("with room, the same call finishes")


@pytest.mark.fault(DISK, "while recordings are extracted from a whole archive")
def test_disk_full_while_extracting_from_a_whole_archive(place, server, disk, seen):
    wanted = [name(0), name(1), name(2)]
    disk.resize("1000k")
    with pytest.raises(StorageError) as raised:
        place.fetch(wanted, quick(mode="full"))
    assert_full(raised, disk)
    assert_nothing_made(place)
    disk.resize("2m")
    server.requests.clear()
    place.fetch(wanted, quick(mode="full"))
    assert_fetched(place, *wanted)
    assert server.requests == []
    seen("StorageError at once; the archive is kept, and with room not fetched again")


@pytest.mark.fault(DISK, "while annotations are extracted, or lists are fetched")
@pytest.mark.parametrize("what", ["meta", "lists"])
@pytest.mark.parametrize("remote", [True, False])
def test_disk_full_while_writing_annotations(place, server, disk, what, remote, seen):
    rng = np.random.default_rng(0)
    texts = {f"{DATA}/{number}.txt": rng.bytes(20_000) for number in range(5)}
    write_zip(place.published / META, texts)
    source = quick() if remote else Source(str(place.published))

    def work():
        if what == "lists":
            fetch_annotations(place.registry(), source, place.destination)
        else:
            dataset = place.registry().datasets[DATA]
            fetch_meta(dataset, source, place.cache, place.destination)

    disk.resize("8k" if what == "lists" else "160k" if remote else "60k")
    with pytest.raises(StorageError) as raised:
        work()
    assert_full(raised, disk)
    assert_nothing_made(place)
    disk.resize("1m")
    work()
    assert place.fetched() == (LISTS if what == "lists" else texts)
    seen("StorageError; nothing half-made left; with room, the same call finishes")


@pytest.mark.fault(DISK, "while the table of what was downloaded is written")
def test_disk_full_after_downloading(place, server, disk, seen):
    wanted, dataset = [name(0), name(1)], place.registry().datasets[DATA]

    def work():
        made = fetch_recordings(dataset, wanted, quick(), place.cache, place.destination)
        write_table(made, place.destination.with_suffix(".tsv"))

    disk.resize("248k")  # the recordings, what lists them and ``good``, to the last page
    with pytest.raises(StorageError) as raised:
        work()
    assert_full(raised, disk)
    shutil.rmtree(place.destination)  # as Snakemake does with what a failed job has made
    disk.resize("1m")
    server.requests.clear()
    work()
    assert_fetched(place, *wanted)
    assert len(server.requests) == 1, "the directory alone"
    discard_cache(dataset, place.cache)
    assert not list(place.cache.iterdir())
    seen("StorageError; with room, the same call finishes and fetches no recording again")
