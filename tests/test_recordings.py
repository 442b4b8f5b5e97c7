"The text readers of recordings: a clear error or a correct read, never a wrong one."

import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from runningpose.data.qtm import read_qtm, save_markers
from runningpose.files.text import FormatError
from runningpose.poses import MARKERS, pose_arrays, poses_dataset
from runningpose.skeleton import Skeleton

props = settings(derandomize=True, max_examples=60, deadline=None)
numbers = st.integers(-3_000_000, 3_000_000).map(
    lambda v: v / 1000 or 1.0
)  # mm, three decimals, never exactly 0
shapes = st.tuples(st.integers(1, 5), st.integers(1, 4))


@st.composite
def recordings(draw):
    "Positions in mm (T, K, 3) with some markers missing, and their names"
    T, K = draw(shapes)
    x = np.array(draw(st.lists(numbers, min_size=3 * T * K, max_size=3 * T * K))).reshape(T, K, 3)
    lost = np.array(draw(st.lists(st.booleans(), min_size=T * K, max_size=T * K))).reshape(T, K) & (
        np.arange(T * K).reshape(T, K) > 0
    )
    x[lost] = np.nan
    return x, [f"M{k}" for k in range(K)]


def cell(v):
    return "" if np.isnan(v) else f"{v:.3f}"


def tsv(x, names, missing=cell):
    "A TSV as QTM writes it"
    head = [
        f"NO_OF_FRAMES\t{len(x)}",
        f"NO_OF_MARKERS\t{len(names)}",
        "FREQUENCY\t100",
        "DATA_INCLUDED\t3D",
        "MARKER_NAMES\t" + "\t".join(names),
    ]
    return (
        "\n".join(head + ["\t".join(missing(v) for v in row) for row in x.reshape(len(x), -1)])
        + "\n"
    )


def rows(x, names):
    return (
        "\n".join(",".join(f"{v:.3f}" for v in np.nan_to_num(r).ravel()) for r in x.swapaxes(0, 1))
        + "\n"
    )


def trc(x, names, folder):
    ds = poses_dataset(
        x / 1000, skeleton=Skeleton(MARKERS, tuple(names), ()), fps=100, frame="world"
    )
    return save_markers(ds, folder / "a.trc").read_text()


def text_of(kind, x, names, folder):
    return dict(
        tsv=lambda: tsv(x, names), txt=lambda: rows(x, names), trc=lambda: trc(x, names, folder)
    )[kind]()


def read(kind, data, names, folder):
    f = folder / f"r.{kind}"
    f.write_bytes(data if isinstance(data, bytes) else data.encode())
    return pose_arrays(read_qtm(f, names if kind == "txt" else None))[0]


def same(a, b):
    return a.shape == b.shape and np.allclose(a, b, atol=2e-6, equal_nan=True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("rec")


@pytest.mark.parametrize("kind", ["tsv", "txt", "trc"])
def test_dress_does_not_matter(kind, folder):
    "Windows line ends, a byte-order mark, UTF-16, decimal commas, empty lines at the end"

    @props
    @given(recordings())
    def check(r):
        x, names = r
        text = text_of(kind, x, names, folder)
        want = x / 1000
        for data in (
            text,
            text.replace("\n", "\r\n"),
            "\ufeff" + text,
            text.encode("utf-16"),
            text + "\n\n",
        ):
            assert same(read(kind, data, names, folder), want)

        def number(s):
            return s[:1] in "-0123456789\t"

        comma = (
            text.replace(",", ";").replace(".", ",")
            if kind == "txt"
            else "\n".join(s.replace(".", ",") if number(s) else s for s in text.split("\n"))
        )
        assert same(read(kind, comma, names, folder), want)

    check()


@pytest.mark.parametrize("kind", ["tsv", "txt", "trc"])
def test_cut_off_anywhere(kind, folder):
    "A file that ends too early is refused, or nothing of it was lost"

    @props
    @given(recordings(), st.floats(0, 1))
    def check(r, share):
        x, names = r
        text = text_of(kind, x, names, folder)
        data = text[: int(share * len(text))]
        try:
            got = read(kind, data, names, folder)
        except FormatError:
            return
        assert same(got, x / 1000)

    check()


@pytest.mark.parametrize("kind", ["tsv", "txt", "trc"])
def test_a_line_cut_off_or_lost(kind, folder):
    "One line is lost, or loses cells: refused, or a marker that was missing anyway"

    @props
    @given(recordings(), st.integers(0, 100), st.integers(0, 12))
    def check(r, which, cells):
        x, names = r
        sep = "," if kind == "txt" else "\t"
        assume(kind != "txt" or len(names) > 1)  # a single row of numbers may have any length
        lines = text_of(kind, x, names, folder)[:-1].split("\n")
        i = which % len(lines)
        lines[i : i + 1] = (
            [sep.join(lines[i].split(sep)[:cells])]
            if cells < len(lines[i].split(sep)) and cells
            else []
        )
        assume(lines)
        try:
            got = read(kind, "\n".join(lines) + "\n", names, folder)
        except FormatError:
            return
        assert same(got, x / 1000)

    check()


@pytest.mark.parametrize("kind", ["tsv", "txt", "trc"])
def test_names_and_counts(kind, folder):
    "Two markers of one name, a name too few or too many"

    @props
    @given(recordings())
    def check(r):
        x, names = r
        text = text_of(kind, x, names, folder)
        twice = text.replace("\tM0", "\tM0\tM0") if len(names) == 1 else text.replace("M0", "M1")
        with pytest.raises(FormatError):
            read(kind, twice, [*names, "M0"], folder)
        if kind != "tsv":
            return
        for key, n in (("NO_OF_FRAMES", len(x)), ("NO_OF_MARKERS", len(names))):
            with pytest.raises(FormatError, match=key):
                read(kind, text.replace(f"{key}\t{n}", f"{key}\t{n + 1}"), names, folder)

    check()


@pytest.mark.parametrize("ending", ["tsv", "txt", "trc", "json", "mat", "c3d", "csv"])
def test_rubbish_is_refused(ending, folder):
    "Whatever is in a file, it is refused in a sentence"

    @settings(props, max_examples=60)
    @given(
        st.one_of(
            st.binary(max_size=300),
            st.text(max_size=200).map(lambda s: s.encode("utf-8", "replace")),
            st.text("0123456789.,-;\t\n eENaA", max_size=200).map(str.encode),
        )
    )
    def check(data):
        f = folder / f"x.{ending}"
        f.write_bytes(data)
        try:
            ds = read_qtm(f)
        except (FormatError, ImportError):
            return
        assert ds.sizes["time"] > 0

    check()


def test_a_million_columns(folder):
    "A line of a million cells: refused or read, in seconds"
    start = time.time()
    f = folder / "wide.txt"
    f.write_text(",".join(["1.5"] * 1_000_002) + "\n")
    assert pose_arrays(read_qtm(f, ["A"]))[0].shape == (333_334, 1, 3)
    f.write_text(",".join(["1.5"] * 1_000_001) + "\n")
    with pytest.raises(FormatError, match="x, y and z"):
        read_qtm(f, ["A"])
    g = folder / "wide.tsv"
    g.write_text(
        "NO_OF_MARKERS\t1\nFREQUENCY\t100\nMARKER_NAMES\tA\n"
        + "\t".join(["1.5"] * 1_000_000)
        + "\n"
    )
    with pytest.raises(FormatError, match="1000000 values, 3 are needed"):
        read_qtm(g)
    assert (
        time.time() - start < 60
    )  # not a benchmark: what grows with the square of the length would take hours
