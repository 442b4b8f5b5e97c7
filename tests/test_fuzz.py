"A sample of the damaged files that `make fuzz` reads, and cases that are no damage."

import os

import pytest

if not hasattr(os, "fork"):
    pytest.skip("signals of POSIX are needed", allow_module_level=True)

from fuzz.corpus import cases, make_whole
from fuzz.run import FAULTS, judged, run

from runningpose.inputs import FormatError

SAMPLE = 100


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    "A folder with a small file of every kind"
    return make_whole(tmp_path_factory.mktemp("whole"))


def test_whole_files_are_accepted(whole):
    untouched = {
        case.whole.name: case._replace(damage=lambda data, path: path.write_bytes(data))
        for case in cases(whole)
    }
    refused = []
    run(
        untouched.values(),
        lambda case, outcome: (
            refused.append((case.name, outcome)) if outcome.kind != "accepted" else None
        ),
    )
    assert not refused


def test_a_sample_of_damaged_files(whole):
    every = cases(whole)
    assert len(every) >= 1500
    faults = []
    counts = run(
        every[3 :: len(every) // SAMPLE],
        lambda case, outcome: (
            faults.append((case.name, outcome)) if outcome.kind in FAULTS else None
        ),
    )
    assert not faults
    assert counts["refused"] > 50


def test_what_counts_as_a_sentence():
    assert judged(FormatError("run.tsv is empty")).kind == "refused"
    assert judged(FormatError("it asks for more memory than there is")).kind == "memory"
    assert judged(KeyError("x")).kind == "traceback"
