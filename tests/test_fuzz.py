"""A sample of the damaged files of `make fuzz`: every reader says in a sentence what is wrong."""

from fuzz.kinds import KINDS
from fuzz.run import corpus, is_fine, run

SAMPLE = 100  # files that are read


def test_a_sample_of_damaged_files():
    cases = list(corpus())
    every = len(cases) // SAMPLE
    outcomes = run(cases[::every], processes=1)
    failed = [(o.case.kind.name, o.case.damage, o.result) for o in outcomes if not is_fine(o)]
    assert not failed
    assert len(outcomes) >= SAMPLE * 0.9


def test_the_corpus_has_every_kind_and_damages_it_the_same_way_each_time():
    first, again = list(corpus()), list(corpus())
    assert [c.damage for c in first] == [c.damage for c in again]
    assert {c.kind.name for c in first} == {kind.name for kind in KINDS}
    assert len(first) >= 1500
