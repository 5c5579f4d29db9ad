"""Packages without some of their modules."""

import sys

import pytest
from softscene.core.loading import without

PACKAGE = {
    "__init__.py": "from packed import slow\nimport packed.used\n",
    "slow.py": "loaded = True\n",
    "used.py": "import packed.slow as slow\n",
}


@pytest.fixture
def packed(tmp_path, monkeypatch):
    """A package on the path, that is forgotten afterwards."""
    (tmp_path / "packed").mkdir()
    for name, text in PACKAGE.items():
        (tmp_path / "packed" / name).write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield
    for name in [name for name in sys.modules if name.split(".")[0] == "packed"]:
        del sys.modules[name]


@pytest.mark.usefixtures("packed")
def test_a_module_is_empty_while_its_package_is_loaded_and_whole_when_it_is_asked_for():
    with without("packed.slow"):
        import packed  # noqa: PLC0415
    assert not hasattr(packed.slow, "loaded")
    assert not hasattr(packed.used.slow, "loaded")
    assert "packed.slow" not in sys.modules
    import packed.slow  # noqa: PLC0415

    assert packed.slow.loaded


@pytest.mark.usefixtures("packed")
def test_what_is_loaded_stays():
    from packed import slow  # noqa: PLC0415

    with without("packed.slow"):
        import packed.slow as again  # noqa: PLC0415
    assert again is slow is sys.modules["packed.slow"]


@pytest.mark.usefixtures("packed")
def test_errors_leave_nothing_empty():
    with pytest.raises(KeyError), without("packed", "packed.slow"):
        raise KeyError
    assert not {"packed", "packed.slow"} & set(sys.modules)
