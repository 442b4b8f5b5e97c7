"""A sample of the damaged files of `make fuzz`: every reader says in a sentence what is wrong."""

from functools import cache

import numpy as np
from fuzz.damage import turned
from fuzz.kinds import KINDS
from fuzz.reasons import Read, reason_for
from fuzz.run import corpus, is_fine, run

SAMPLE = 100  # files that are read


@cache
def all_cases():
    return list(corpus())


def test_a_sample_of_damaged_files():
    cases = all_cases()
    every = len(cases) // SAMPLE
    sample = [c for i, c in enumerate(cases) if i % every == 0 or c.damage == "none"]
    outcomes = run(sample, processes=1)
    failed = [(o.case.kind.name, o.case.damage, o.result) for o in outcomes if not is_fine(o)]
    assert not failed
    assert len(outcomes) >= SAMPLE * 0.9


def test_the_corpus_has_every_kind_and_damages_it_the_same_way_each_time():
    first, again = all_cases(), list(corpus())
    assert [c.damage for c in first] == [c.damage for c in again]
    assert {c.kind.name for c in first} == {kind.name for kind in KINDS}
    assert len(first) >= 1500


def read_as(before, after, whole=b"x\n1\n2\n", data=b"x\n1\n3\n", **more):
    "A text of two numbers, read as others"
    facts = dict(kind="text", is_own=False, rewritten=False, warned=False) | more
    values = [{"/x": [[len(v), "f"], list(map(repr, v))]} for v in (before, after)]
    return Read(whole=whole, data=data, before=values[0], after=values[1], **facts)


def test_a_reason_is_given_only_for_what_the_damage_explains():
    assert "another number" in reason_for(read_as([1.0, 2.0], [1.0, 3.0]))
    assert "warning" in reason_for(read_as([1.0, 2.0], [1.0, 3.0], warned=True))
    assert reason_for(read_as([1.0, 2.0], [1.0, 3.0], is_own=True)) == ""  # it has a check sum
    assert reason_for(read_as([1.0, 2.0], [1.0, 3.0, 4.0])) == ""  # more values than numbers


def test_raw_numbers_may_differ_only_where_bytes_do():
    whole = np.arange(99.0).tobytes()
    data = turned(whole, [800])
    before, after = np.frombuffer(whole), np.frombuffer(data)
    assert "raw numbers" in reason_for(read_as(before, after, whole, data))
    assert reason_for(read_as(before, before + 1, whole, data)) == ""
