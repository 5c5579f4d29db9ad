"""What this machine's processor can do."""

from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")
# Flags of x86 and Arm processors that multiply bfloat16 numbers.
BFLOAT16 = {"avx512_bf16", "amx_bf16", "bf16", "svebf16"}
WITHOUT_BFLOAT16 = (
    "compute.precision is bfloat16, but this machine's processor does not have it (AVX512_BF16, "
    "AMX or Arm's BF16): without a GPU a training takes several times as long as with float32"
)


def lacks_bfloat16() -> bool:
    """Whether this processor has no products in bfloat16; False where that is unknown."""
    try:
        lines = CPUINFO.read_text().splitlines()
    except OSError:
        return False
    listed = [line.partition(":") for line in lines]
    flags = [value.split() for key, _, value in listed if key.strip() in ("flags", "Features")]
    return bool(flags) and not any(BFLOAT16 & set(each) for each in flags)
