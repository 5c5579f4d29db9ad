"""Whether a processor has products in bfloat16."""

import pytest
from softscene.core import processor


@pytest.mark.parametrize(
    ("text", "lacks"),
    [
        ("processor\t: 0\nflags\t\t: fpu avx2 fma\n", True),
        ("flags\t\t: fpu avx512f avx512_bf16\n", False),
        ("flags\t\t: fpu amx_bf16 amx_tile\n", False),
        ("Features\t: fp asimd bf16\n", False),
        ("Features\t: fp asimd\n", True),
        ("model name\t: of the flags nothing is said\n", False),
        ("", False),
    ],
)
def test_flags_decide_and_an_unknown_processor_may_have_it(tmp_path, monkeypatch, text, lacks):
    (tmp_path / "cpuinfo").write_text(text)
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "cpuinfo")
    assert processor.lacks_bfloat16() == lacks


def test_where_there_is_no_such_file_nothing_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(processor, "CPUINFO", tmp_path / "none")
    assert not processor.lacks_bfloat16()
