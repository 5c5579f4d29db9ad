"""Files of one's own are listed by name, size and the checksum that sha256sum gives them."""

from softscene.archive.inputs import table_of_inputs

# Of the three bytes "abc": FIPS 180-2, appendix B.1.
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_own_files_are_named_without_where_they_lie(tmp_path):
    audio = [tmp_path / "secret" / name for name in ("one/a.wav", "two/a.wav")]
    lists = [tmp_path / "list.txt", tmp_path / "annotations/events.tsv"]
    for path in [*audio, *lists]:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("abc")
    table = table_of_inputs(None, [], [], lists[:1], audio, lists[1:])
    assert list(table.path) == ["list.txt", "one/a.wav", "two/a.wav", "annotations/events.tsv"]
    assert list(table.bytes) == [3, 3, 3, 3]
    assert set(table.checksum) == {f"sha256:{ABC}"}
