"""Why a damaged file may be read with other values: a rule for each reason, checked on the bytes
and on what was read. A file without a reason is wrong and accepted: that fails."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from typing import NamedTuple

import h5py
import numpy as np
from fuzz.damage import is_json, is_text

OPEN_ENDED = {  # kinds of which a part is a whole file too: why
    "table of trials": "rows typed by hand; the last line need not end",
    "marker set": "tables typed by hand; none has to be there but the keypoints",
    "video .h264": "a bare stream has neither a count of its frames nor an end",
}
UNCOUNTED = {  # kinds whose rows nothing counts
    "table of trials",
    "DeepLabCut .csv",
    "labels",
    "marker set",
    "result, metrics.csv",
    "result, cycles.csv",
}
UNCOUNTED_FRAMES = {
    "video .ts": "a transport stream has no number of its frames",
    "video .avi": "its header counts ticks of a clock, with a frame or without",
}
OPTIONAL_ENTRIES = {
    "result, run.json": "earlier versions have fewer entries",
    "description without hash": "earlier versions have fewer entries",
}
UNNUMBERED = {"recording .txt"}  # kinds whose rows have no number and no time
NAMES_ONLY = {"labels"}  # kinds of which every line is a name
MISSING = {"", "nan", "null", "none", "inf", "infinity", "-inf", "-infinity", "na", "n/a"}
CELLS = re.compile(rb"[,;\t =:<>\[\]{}()\"'/]")
PER_CELL = 8  # values of what was read that may change with one cell of a text
CLOCK = ("time", "fps", "duration", "rate")  # numbers from which all times follow


class Read(NamedTuple):
    "A damaged file that was read"

    kind: str
    is_own: bool  # Only our program writes such files, with a check sum of everything in them
    rewritten: bool  # Another program wrote the file anew
    whole: bytes  # The file before
    data: bytes  # The file that was read; empty where none was
    before: dict  # What the whole file gives: name of a part to its shape and values
    after: dict  # What was read
    warned: bool  # The reader said that something is missing or wrong


class Difference(NamedTuple):
    "How two texts differ, in cells"

    numbers: int  # A number that became another, or a missing one
    words: int  # Other cells
    lost: int  # Cells or rows that are gone, or added


# ---------------------------------------------------------------- what was read


def changed_values(read: Read) -> dict[str, int]:
    "Parts of what was read that differ, and in how many values; -1 for another shape"
    names = read.before.keys() | read.after.keys()
    changed = {}
    for name in names:
        old, new = read.before.get(name), read.after.get(name)
        if old is None or new is None or old[0] != new[0]:
            changed[name] = -1
        elif n := sum(a != b for a, b in zip(old[1], new[1], strict=True)):
            changed[name] = n
    return changed


def is_local(read: Read, cells: int) -> bool:
    "Only as much of what was read differs as belongs to some cells; a rate changes all times"
    changed = {
        name: n
        for name, n in changed_values(read).items()
        if not any(word in name.rsplit("/")[-1] for word in CLOCK)
    }
    return -1 not in changed.values() and sum(changed.values()) <= PER_CELL * cells


# ---------------------------------------------------------------- what is in a text


def difference(whole: bytes, data: bytes) -> Difference:
    "How two texts differ"
    if is_json(whole) and is_json(data):
        return _difference_of_trees(json.loads(whole), json.loads(data))
    old, new = whole.splitlines(), data.splitlines()
    if len(old) != len(new):
        return Difference(0, 0, abs(len(old) - len(new)))
    total = Difference(0, 0, 0)
    for a, b in zip(old, new):
        if a != b:
            total = Difference(*map(sum, zip(total, _difference_of_lines(a, b))))
    return total


def _difference_of_lines(old: bytes, new: bytes) -> Difference:
    a, b = CELLS.split(old), CELLS.split(new)
    if len(a) != len(b):
        return Difference(0, 0, 1)
    pairs = [(x, y) for x, y in zip(a, b) if x != y]
    numbers = sum(_is_number(x) and _is_number(y) for x, y in pairs)
    return Difference(numbers, len(pairs) - numbers, 0)


def _is_number(cell: bytes) -> bool:
    text = cell.decode("latin1").strip().lower()
    if text in MISSING:
        return True
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


def _difference_of_trees(old, new) -> Difference:
    a, b = dict(_leaves_of_tree(old)), dict(_leaves_of_tree(new))
    pairs = [(a[k], b[k]) for k in a.keys() & b.keys() if repr(a[k]) != repr(b[k])]
    numbers = sum(_is_plain_number(x) and _is_plain_number(y) for x, y in pairs)
    lost = len(a.keys() ^ b.keys())
    return Difference(numbers, len(pairs) - numbers, lost)


def _is_plain_number(value) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _leaves_of_tree(tree, place=""):
    if isinstance(tree, dict):
        for key, part in tree.items():
            yield from _leaves_of_tree(part, f"{place}/{key}")
    elif isinstance(tree, list):
        for k, part in enumerate(tree):
            yield from _leaves_of_tree(part, f"{place}/{k}")
    else:
        yield place, tree


# ---------------------------------------------------------------- the reasons


def was_said(read: Read) -> bool:
    return read.warned


def was_rewritten(read: Read) -> bool:
    "Every check sum of the file fits, so a program wrote these values"
    if not read.rewritten:
        return False
    if read.data.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(read.data)) as archive:
            return archive.testzip() is None
    with h5py.File(io.BytesIO(read.data)) as file:
        file.visititems(lambda _, one: one[...] if isinstance(one, h5py.Dataset) else None)
    return True


def is_part(read: Read) -> bool:
    return read.kind in OPEN_ENDED and read.whole.startswith(read.data)


def is_another_number(read: Read) -> bool:
    if read.is_own or not is_text(read.whole):
        return False
    found = difference(read.whole, read.data)
    return found.numbers > 0 and not found.words + found.lost and is_local(read, found.numbers)


def is_renamed(read: Read) -> bool:
    "The same values under another name"
    if read.is_own or not is_text(read.whole):
        return False

    def values(found):
        ours = (v for name, v in found.items() if not name.endswith("/source"))
        return sorted(ours, key=repr)

    return values(read.before) == values(read.after)


def is_another_word(read: Read) -> bool:
    if read.is_own or not is_text(read.whole):
        return False
    if read.kind in NAMES_ONLY:
        return len(read.whole.splitlines()) == len(read.data.splitlines())
    found = difference(read.whole, read.data)
    return found.words > 0 and not found.lost


def is_reordered(read: Read) -> bool:
    before, after = (sorted(filter(None, d.splitlines())) for d in (read.whole, read.data))
    return read.kind in UNNUMBERED and before == after


def is_another_row(read: Read) -> bool:
    return (
        read.kind in UNCOUNTED
        and len(read.whole.splitlines()) != len(read.data.splitlines())
        and difference(read.whole, read.data).lost > 0
    )


def is_raw_number(read: Read) -> bool:
    "As many values differ as bytes do"
    if read.is_own or is_video(read) or is_text(read.whole) or len(read.whole) != len(read.data):
        return False
    changed = sum(a != b for a, b in zip(read.whole, read.data))
    return is_local(read, changed)


def is_video(read: Read) -> bool:
    return read.kind.startswith("video")


def was_counted(read: Read) -> bool:
    "Frames without a person who fits are counted in the attributes, and the report has the number"
    name = "/attrs/frames_lost"
    if name not in read.before or name not in read.after:
        return False
    return int(read.after[name][1][0]) > int(read.before[name][1][0])


def is_right_copy(read: Read) -> bool:
    "Weights that were found in the cache, with the right hash"
    return read.kind == "weights" and read.after == {"": [[], ["True"]]}


def is_doubled(read: Read) -> bool:
    "A film behind the same film: all pictures of both"
    if not is_video(read) or read.data != read.whole + read.whole:
        return False
    return _frames(read.after) == 2 * _frames(read.before)


def _frames(found: dict) -> int:
    return sum(name.startswith("/times/") for name in found)


def is_uncounted_frame(read: Read) -> bool:
    "A frame less where nothing counts them: the others have their times"
    if read.kind not in UNCOUNTED_FRAMES:
        return False
    return _frames(read.after) == _frames(read.before) - 1


def is_entry_missing(read: Read) -> bool:
    return read.kind in OPTIONAL_ENTRIES and difference(read.whole, read.data).lost > 0


def is_picture(read: Read) -> bool:
    "The same frames at the same times; brightness differs"
    return is_video(read) and all(name.startswith("/means/") for name in changed_values(read))


REASONS: dict[str, Callable[[Read], bool]] = {
    "the reader says so in a warning": was_said,
    "frames are left out, and counted in the result": was_counted,
    "another copy, whose hash is right": is_right_copy,
    "two recordings, one behind the other": is_doubled,
    "a frame less, which the format does not count": is_uncounted_frame,
    "an entry that earlier versions do not have": is_entry_missing,
    "written anew by a program, all check sums fit": was_rewritten,
    "a part is a whole file of this kind": is_part,
    "text without check sum: another number, within bounds": is_another_number,
    "text without check sum: the same values under another name": is_renamed,
    "text without check sum: another name or word": is_another_word,
    "text without check sum: rows that have no number": is_reordered,
    "text without check sum: rows that nothing counts": is_another_row,
    "raw numbers without check sum, within bounds": is_raw_number,
    "compressed pictures without check sum": is_picture,
}


def reason_for(read: Read) -> str:
    "The first reason that holds; '' if there is none"
    return next((reason for reason, holds in REASONS.items() if holds(read)), "")
