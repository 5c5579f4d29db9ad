"""Notes in every process of a run where its time goes.

A measured copy of the checkout has this file beside its scripts as ``sitecustomize.py``, which
Python imports when it starts. Each process leaves ``probe/<pid>.json``: its ``argv``, when it was
``started``, the top-level ``modules`` that it loaded, and ``marks``: ``begin`` (this file runs),
``main`` (a rule's script has imported what it needs), ``batch`` (a network is called first) and
``end``. Of each mark: the wall clock, the CPU time with that of finished children, the seconds of
both that went into loading modules until then, and how many are loaded. All times in seconds.

With ``PROBE_UNTIL`` a process ends at its first mark of that name.
"""

import atexit
import json
import os
import resource
import sys
import time
from importlib import _bootstrap

find_and_load = _bootstrap._find_and_load
loading, depth, marks = [0.0, 0.0], 0, {}


def clocks():
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.time(), time.process_time() + children.ru_utime + children.ru_stime


def mark(name):
    if name not in marks:
        marks[name] = [*clocks(), *loading, len(sys.modules)]
    if os.environ.get("PROBE_UNTIL") == name:
        write()
        os._exit(0)


def timed_find_and_load(name, import_):
    """Load what is not loaded yet, as Python does; of nested ones, time the outermost."""
    global depth  # noqa: PLW0603
    before, depth = clocks(), depth + 1
    try:
        module = find_and_load(name, import_)
    finally:
        depth -= 1
        if depth == 0:
            for i, (old, new) in enumerate(zip(before, clocks(), strict=True)):
                loading[i] += new - old
    if name == "job":
        mark_calls(module, "run_job", "main")
    if name == "softscene.models.networks":
        mark_calls(sys.modules[name].Student, "forward", "batch")
        mark_calls(sys.modules[name].Teacher, "forward", "batch")
    return module


def mark_calls(owner, name, as_what):
    function = getattr(owner, name)

    def call(*args, **kwargs):
        mark(as_what)
        return function(*args, **kwargs)

    setattr(owner, name, call)


def started():
    """Wall clock at this process's start, to 10 ms."""
    with open("/proc/self/stat") as file:  # noqa: PTH123 - pathlib is not loaded yet
        ticks = int(file.read().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def write():
    marks["end"] = [*clocks(), *loading, len(sys.modules)]
    folder = os.path.join(os.path.dirname(__file__), "..", "probe")  # noqa: PTH118, PTH120
    os.makedirs(folder, exist_ok=True)  # noqa: PTH103
    facts = {
        "argv": sys.argv,
        "started": started(),
        "modules": sorted(sys.modules),
        "marks": marks,
    }
    with open(f"{folder}/{os.getpid()}.json", "w") as file:  # noqa: PTH123
        json.dump(facts, file)


mark("begin")
_bootstrap._find_and_load = timed_find_and_load
atexit.register(write)
