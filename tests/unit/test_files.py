"""Files that are whole or not there, and what killed processes leave beside them."""

import pytest
from softscene.files import partial_beside, replacing, write_text


@pytest.mark.parametrize("name", ["a.tsv", "a [1].tsv", "corpus", "{x}.tsv"])
def test_what_a_killed_process_left_goes_with_the_next_write(tmp_path, name):
    target, other = tmp_path / name, tmp_path / f"b{name}"
    left, others, folder = (
        each.with_name(f".{each.name}.{pid}.partial{each.suffix}")
        for each, pid in ((target, 11), (other, 11), (target, 12))
    )
    left.write_text("half")
    others.write_text("another's half")
    (folder / "within").mkdir(parents=True)
    write_text(target, "whole")
    assert {path.name for path in tmp_path.iterdir()} == {target.name, others.name}
    assert target.read_text() == "whole"


def test_a_path_for_what_is_not_whole_is_a_hidden_neighbour(tmp_path):
    beside = partial_beside(tmp_path / "features.h5")
    assert beside.parent == tmp_path
    assert beside.name.startswith(".features.h5.")
    assert beside.suffix == ".h5"


def test_a_block_that_fails_leaves_all_as_it_was(tmp_path):
    write_text(tmp_path / "a.tsv", "before")
    with pytest.raises(KeyError), replacing(tmp_path / "a.tsv") as partial:
        partial.write_text("half")
        raise KeyError
    assert [path.read_text() for path in tmp_path.iterdir()] == ["before"]
