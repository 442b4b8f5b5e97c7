"""What can happen to a file: cut off, bits turned over, pieces lost or added, values that cannot
be, other content, nesting without end. A case follows from a number, so it can be repeated."""

import io
import json
import re
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import h5py
import numpy as np

CUTS = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)  # of the length, where a file is cut off
DEEP = 100_000  # levels of nesting
SINGLE_BITS = 50  # more bits that are turned over, of files with a check sum of everything
NUMBER = re.compile(rb"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?")
VALUES = (  # in place of a number
    *("NaN", "nan", "inf", "-Infinity", "1e308", "1e30", "-1", "0", "2147483648"),
    *("99999999999999999999", "text", "", "null", "true", "[]", '"x"', "{}"),
)
JSON_VALUES = (
    None,
    True,
    [],
    {},
    "",
    "x",
    -1,
    0.5,
    1e308,
    10**20,
    float("nan"),
    [[[]]],
    [None] * 3,
)
WORDS = (b"\xff\xff\xff\x7f", b"\xff\xff\xff\xff", b"\x00\x00\x00\x80", b"\x00\x00\xc0\x7f")
HUGE = (np.nan, np.inf, 1e308, 1e30, -1e9, 0)  # in place of the values of an array


class Damaged(NamedTuple):
    "A damaged file"

    damage: str  # What was done
    data: bytes  # What is in the file now
    rewritten: bool = False  # By a program that knows the format: its check sums fit


def damaged(
    data: bytes,  # A whole file
    rng: np.random.Generator,  # Where, and with what
    other: bytes,  # A file of another kind
) -> Iterator[Damaged]:
    "The file with one damage after the other"
    yield from whole_file(data, other)
    yield from anywhere(data, rng)
    if is_text(data):
        yield from in_text(data, rng)
    else:
        yield from in_binary(data, rng)
    if is_json(data):
        yield from in_json(data, rng)
    if data.startswith(b"\x89HDF"):
        yield from in_hdf5(data, rng)
    if data.startswith(b"PK") and b".npy" in data:
        yield from in_npz(data, rng)


def is_text(data):
    "Whether a file has only printable bytes"
    return b"\0" not in data and data.isascii()


def is_json(data):
    try:
        return isinstance(json.loads(data), dict | list)
    except ValueError:
        return False


def whole_file(data, other):
    "Nothing, another content, nesting"
    yield Damaged("empty", b"")
    yield Damaged("one byte", data[:1])
    yield Damaged("other kind", other)
    yield Damaged("text", b"This is no such file.\n")
    yield Damaged("zeros", bytes(len(data)))
    yield Damaged("twice", data + data)
    for opening in (b"[", b'{"a":', b"<a>", b"- "):
        yield Damaged(f"nested {opening.decode()}", opening * DEEP)


def anywhere(data, rng):
    "Cuts, bits, lost and added bytes"
    for part in CUTS:
        yield Damaged(f"cut at {part}", data[: int(part * len(data))])
    yield Damaged("cut of the last byte", data[:-1])
    for bits in (1, 1, 1, 2, 4, 16, 64):
        yield Damaged(f"{bits} bits", turned(data, rng.integers(8 * len(data), size=bits)))
    for bits in (1, 2, 4):
        beginning = min(len(data), 128)
        yield Damaged(
            f"{bits} bits of the head", turned(data, rng.integers(8 * beginning, size=bits))
        )
    for length in (1, 3, 16, max(1, len(data) // 5)):
        start = int(rng.integers(len(data)))
        yield Damaged(f"{length} bytes lost", data[:start] + data[start + length :])
        added = rng.integers(256, size=length, dtype=np.uint8).tobytes()
        yield Damaged(f"{length} bytes added", data[:start] + added + data[start:])


def turned(data, bits):
    "The file with some bits turned over"
    out = bytearray(data)
    for bit in bits:
        out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def single_bits(data, rng):
    "One bit after the other, each in another copy"
    for bit in rng.integers(8 * len(data), size=SINGLE_BITS):
        yield Damaged("1 bits", turned(data, [bit]))


def in_text(data, rng):
    "Values in place of numbers, lines lost and doubled, other encodings"
    numbers = list(NUMBER.finditer(data))
    for value in VALUES if numbers else ():
        where = numbers[rng.integers(len(numbers))]
        replaced = data[: where.start()] + value.encode() + data[where.end() :]
        yield Damaged(f"a number is {value!r}", replaced)
    lines = data.split(b"\n")
    k = int(rng.integers(len(lines)))
    yield Damaged("a line lost", b"\n".join(lines[:k] + lines[k + 1 :]))
    yield Damaged("a line twice", b"\n".join(lines[:k] + lines[k : k + 1] + lines[k:]))
    yield Damaged(
        "lines in another order", b"\n".join([lines[i] for i in rng.permutation(len(lines))])
    )
    yield Damaged("UTF-16", data.decode().encode("utf-16"))
    middle = len(data) // 2
    yield Damaged("Latin 1", data[:middle] + b"\xe4\xff" + data[middle:])
    yield Damaged("a zero byte", data[:middle] + b"\0" + data[middle:])


def in_binary(data, rng):
    "Numbers of four bytes that are as large as can be, or none"
    for word in WORDS * 3:
        start = 4 * int(rng.integers(max(1, len(data) // 4)))
        yield Damaged(f"a word is {word.hex()}", data[:start] + word + data[start + 4 :])


def in_json(data, rng):
    "Another kind of value somewhere in the tree"
    for value in JSON_VALUES:
        content = json.loads(data)
        places = list(places_in(content))
        holder, key = places[rng.integers(len(places))]
        holder[key] = value
        yield Damaged(f"a place is {value!r}", json.dumps(content).encode())
    for _ in range(3):
        content = json.loads(data)
        named = [place for place in places_in(content) if isinstance(place[0], dict)]
        if not named:
            return
        holder, key = named[rng.integers(len(named))]
        del holder[key]
        yield Damaged(f"there is no {key}", json.dumps(content).encode())


def places_in(content):
    "Every place of a tree: what holds it, and its key there"
    keys = content if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield content, key
        if isinstance(content[key], dict | list):
            yield from places_in(content[key])


def in_hdf5(data, rng):
    "Arrays and attributes of an HDF5 file: other values, types, shapes; gone"
    for number in range(3 * len(HUGE)):
        yield edited_hdf5(data, rng, array_filled, HUGE[number % len(HUGE)])
    for edit in (array_gone, array_of_text, array_short, array_flat, attribute_gone) * 2:
        yield edited_hdf5(data, rng, edit, None)
    for value in (np.nan, -1.0, 1e308, "text", "json:[", "json:" + "[" * DEEP, np.arange(3)):
        yield edited_hdf5(data, rng, attribute_set, value)


def edited_hdf5(data, rng, edit, value):
    "The file with one array or attribute changed"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.h5"
        path.write_bytes(data)
        with h5py.File(path, "r+") as f:
            arrays = []
            f.visititems(lambda name, one: arrays.append(one) if hasattr(one, "shape") else None)
            what = edit(f, arrays[rng.integers(len(arrays))], rng, value)
        return Damaged(f"{edit.__name__} {what} {str(value)[:20]}", path.read_bytes(), True)


def array_filled(f, array, rng, value):
    "One value everywhere"
    if array.dtype.kind in "iu":
        limits = np.iinfo(array.dtype)
        value = int(np.clip(np.nan_to_num(value), limits.min // 2, limits.max // 2))
    if array.dtype.kind in "iuf" and array.size:
        with np.errstate(over="ignore"):
            array[...] = np.full(array.shape, value).astype(array.dtype)
    return array.name


def replaced(f, array, values):
    "Other values under the name of an array"
    name = array.name
    del f[name]
    f[name] = values
    return name


def array_gone(f, array, rng, value):
    name = array.name
    del f[name]
    return name


def array_of_text(f, array, rng, value):
    return replaced(f, array, np.full(array.shape or (1,), b"text"))


def array_short(f, array, rng, value):
    return replaced(f, array, array[...][:1] if array.shape else np.zeros(3))


def array_flat(f, array, rng, value):
    return replaced(f, array, array[...].ravel())


def attribute_set(f, array, rng, value):
    "Another value of an attribute of the file"
    names = list(f.attrs)
    if not names:
        return "none"
    name = names[rng.integers(len(names))]
    f.attrs[name] = value if not isinstance(value, str) or len(value) < 60_000 else value[:60_000]
    return name


def attribute_gone(f, array, rng, value):
    names = list(f.attrs)
    if names:
        del f.attrs[names[rng.integers(len(names))]]
    return "of the file"


def in_npz(data, rng):
    "Members of an archive: other arrays in their place, headers that promise more; gone"
    with zipfile.ZipFile(io.BytesIO(data)) as z:
        members = {name: z.read(name) for name in z.namelist()}
    for what, content in npy_files():
        name = list(members)[rng.integers(len(members))]
        kept = {k: v for k, v in members.items() if k != name}
        changed = kept if content is None else kept | {name: content}
        yield Damaged(f"{name} is {what}", zipped(changed), True)
    for _ in range(8):  # damage inside, with the right checksum
        name = list(members)[rng.integers(len(members))]
        inner = turned(members[name], rng.integers(8 * len(members[name]), size=3))
        yield Damaged(f"bits in {name}", zipped(members | {name: inner}), True)
        cut = members[name][: rng.integers(len(members[name]))]
        yield Damaged(f"{name} cut off", zipped(members | {name: cut}), True)


def npy_files():
    "Contents of files of arrays, and what they are"
    yield "gone", None
    arrays = (
        np.zeros(0),
        np.zeros((3, 2)),
        np.array(1.5),
        np.array("text"),
        np.full((9, 3), np.nan),
    )
    for array in (*arrays, np.full((2, 18, 3), 1e308), np.array([None, {}, "x"], object)):
        file = io.BytesIO()
        np.save(file, array, allow_pickle=True)
        yield f"an array {array.shape} of {array.dtype}", file.getvalue()
    for shape in ((2**40,), (2**62, 2**62), (-1,)):
        file = io.BytesIO()
        head = dict(descr="<f8", fortran_order=False, shape=shape)
        np.lib.format.write_array_header_1_0(file, head)
        yield f"a head of {shape}", file.getvalue()
    yield "text", b"no array"


def zipped(members):
    "An archive"
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in members.items():
            z.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()
