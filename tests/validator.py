"""roc-validator, which has an environment of its own, without the internet."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
import rocrate

from tests.conftest import ROOT

CONTEXT = "https://w3id.org/ro/crate/1.1/context"
# Its cache is filled as a request would fill it.
FILL = """
import io, sys
import urllib3
from pathlib import Path
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession

class Shelf(HTTPAdapter):
    def send(self, request, **_):
        answer = urllib3.HTTPResponse(
            io.BytesIO(Path(sys.argv[3]).read_bytes()), {"Content-Type": "application/ld+json"},
            200, preload_content=False, request_url=request.url)
        return self.build_response(request, answer)

session = CachedSession(sys.argv[1], expire_after=-1)
session.mount("https://", Shelf())
session.get(sys.argv[2])
"""
# What RO-Crate 1.1 defines of what an archive says.
TERMS = frozenset({
    "@id", "@type", "about", "actionStatus", "author", "citation", "conditionsOfAccess",
    "conformsTo", "contentSize", "datePublished", "description", "encodingFormat", "endTime",
    "hasPart", "identifier", "instrument", "isBasedOn", "license", "mainEntity", "mentions", "name",
    "object", "programmingLanguage", "result", "softwareRequirements", "url", "version",
})  # fmt: skip
TYPES = frozenset({
    "ComputationalWorkflow", "ComputerLanguage", "CreateAction", "CreativeWork", "Dataset", "File",
    "Person", "ScholarlyArticle", "SoftwareApplication", "SoftwareSourceCode",
})  # fmt: skip


# rocrate has the words of RO-Crate 1.3, where this one has another meaning.
OTHERWISE = {"ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow"}


def write_context(target):
    """Write as much of the context of RO-Crate 1.1 as an archive may use."""
    source = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    every = json.loads(source.read_text(encoding="utf-8"))["@context"]
    words = {word: every[word] for word in TERMS | TYPES if not word.startswith("@")} | OTHERWISE
    target.write_text(json.dumps({"@context": words}), encoding="utf-8")
    return target


def find():
    """The program, in the environment that make makes for it, or on the PATH."""
    places = os.pathsep.join([str(ROOT / ".venv" / "validate" / "bin"), os.environ["PATH"]])
    found = shutil.which("rocrate-validator", path=places)
    if not found:
        pytest.fail("needs roc-validator: make .venv/validate/bin/rocrate-validator")
    return Path(found).resolve()


def validate(archive, folder):
    """What roc-validator says of an archive; nothing if it is a Workflow Run Crate."""
    program, cache = find(), folder / "cache"
    context = write_context(folder / "context.json")
    python = program.with_name("python")
    environ = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    subprocess.run([python, "-c", FILL, cache, CONTEXT, context], check=True, env=environ)
    done = subprocess.run(
        [
            program, "-y", "--disable-color", "validate", "--offline", "--cache-path", cache,
            "--profile-identifier", "workflow-run-crate", "--requirement-severity", "required",
            "--no-paging", "--verbose", archive,
        ],
        capture_output=True, text=True, check=False, env=environ, cwd=folder,
    )  # fmt: skip
    return "" if done.returncode == 0 else done.stdout + done.stderr
