"""Bytes made wrong: by place, by number, by word, and by structure with the checksums made right again."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

WILD_NUMBERS = (0, 1, -1, 2, 127, 128, 255, 256, 2**15, 2**16 - 1, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63, 10**30)
WILD_VALUES: tuple[Any, ...] = (
    *(None, True, False, -1, 0, 1.5, 1e300, float("nan"), float("inf"), 10**400, "", "x", "../x", "\x1b[2J", "\ud800"),
    *([], {}, [None], [[1, 2]], {"a": {}}, "9" * 400, list(range(300))),
)


def some_bytes(data: bytes, random: Random, words: Sequence[bytes] = ()) -> bytes:
    """One to six edits: a byte, a number, a run of bytes, a word of the format, the end cut off."""
    edits = (_byte, _bit, _number, _cut, _twice, _removed, _word)
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 6))):
        random.choice(edits)(out, random, words)
    return bytes(out)


def _place(data: bytearray, random: Random) -> int:
    """Anywhere, and often near the ends, where formats keep their numbers."""
    near = min(len(data), 64)
    return random.choice(
        (random.randrange(len(data) + 1), random.randrange(near + 1), len(data) - random.randint(0, near))
    )


def _byte(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    at = _place(data, random)
    data[at : at + 1] = bytes([random.choice((0, 1, 0x7F, 0x80, 0xFF, random.randrange(256)))])


def _bit(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    if data:
        data[min(_place(data, random), len(data) - 1)] ^= 1 << random.randrange(8)


def _number(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    size, order = random.choice((1, 2, 4, 8)), random.choice(("little", "big"))
    at = _place(data, random)
    data[at : at + size] = (random.choice(WILD_NUMBERS) % 256**size).to_bytes(size, order)


def _cut(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    del data[_place(data, random) :]


def _removed(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    at = _place(data, random)
    del data[at : at + random.choice((1, 4, 40))]


def _twice(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    at = _place(data, random)
    part = bytes(data[at : at + random.choice((1, 8, 200))])
    data[at:at] = part * random.choice((1, 2, 300))


def _word(data: bytearray, random: Random, words: Sequence[bytes]) -> None:
    if words:
        at, word = _place(data, random), random.choice(words)
        data[at : at + random.choice((0, len(word)))] = word


# -- values ----------------------------------------------------------------------------------------------


def other_value(value: Any, random: Random) -> Any:
    """A JSON value with one place in it changed, removed or doubled."""
    if isinstance(value, dict) and value and random.random() < 0.9:
        key = random.choice(sorted(value))
        out = dict(value)
        act = random.randrange(6)
        if act == 0:
            del out[key]
        elif act == 1:
            out[random.choice(("", "x", key + "_", "class", "settings"))] = out.pop(key)
        else:
            out[key] = other_value(value[key], random)
        return out
    if isinstance(value, list) and value and random.random() < 0.9:
        out, at = list(value), random.randrange(len(value))
        act = random.randrange(5)
        if act == 0:
            del out[at]
        elif act == 1:
            out.insert(at, out[at])
        else:
            out[at] = other_value(out[at], random)
        return out
    if isinstance(value, int | float) and not isinstance(value, bool) and random.random() < 0.5:
        return random.choice((-value, value + 1, value * 10, *WILD_NUMBERS))
    return random.choice(WILD_VALUES)


def json_text(data: bytes, random: Random, words: Sequence[bytes] = ()) -> bytes:
    """JSON with other values in it, or damaged as text."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return some_bytes(data, random, words)
    if random.random() < 0.3:
        return some_bytes(data, random, words)
    for _ in range(random.choice((1, 1, 2, 4))):
        value = other_value(value, random)
    return json.dumps(value).encode()


# -- containers ------------------------------------------------------------------------------------------


def resealed(data: bytes, random: Random, words: Sequence[bytes] = ()) -> bytes:
    """A file of ganad's with another header, other tensors or other types, whose checksums are right again."""
    if random.random() < 0.1:
        return some_bytes(data, random, words)
    try:
        end = 8 + int.from_bytes(data[:8], "little")
        entries = json.loads(data[8:end])
        metadata = entries.pop("__metadata__")
        header = json.loads(metadata["ganad"])
        parts = {
            k: [e["dtype"], e["shape"], data[end + e["data_offsets"][0] : end + e["data_offsets"][1]]]
            for k, e in entries.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError):
        return some_bytes(data, random, words)
    if parts and random.random() < 0.4:
        _other_tensor(parts, random)
    if random.random() < 0.7:
        header = other_value(header, random)
    return packed(parts, header, metadata.get("ganad_format"))


def _other_tensor(parts: dict[str, list[Any]], random: Random) -> None:
    name = random.choice(sorted(parts))
    dtype, shape, content = parts[name]
    act = random.randrange(5)
    if act == 0:
        del parts[name]
    elif act == 1:
        parts[name + "x"] = parts.pop(name)
    elif act == 2:
        parts[name][2] = bytes(random.choice((0, 0xFF, random.randrange(256))) for _ in content)
    elif act == 3 and dtype in ("F32", "I32"):
        parts[name][0] = {"F32": "I32", "I32": "F32"}[dtype]
    else:
        parts[name][1] = [*shape[1:], *shape[:1]] if random.random() < 0.5 else [1, *shape]


def packed(parts: dict[str, list[Any]], header: Any, form: Any) -> bytes:
    """A safetensors file with right checksums."""
    if isinstance(header, dict) and isinstance(header.get("sha256"), dict):
        header = header | {"sha256": {k: hashlib.sha256(content).hexdigest() for k, (_, _, content) in parts.items()}}
    text = json.dumps(header)
    entries: dict[str, Any] = {
        "__metadata__": {"ganad": text, "ganad_format": form, "ganad_sha256": hashlib.sha256(text.encode()).hexdigest()}
    }
    at = 0
    for key, (dtype, shape, content) in parts.items():
        entries[key] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    head = json.dumps(entries).encode()
    head += b" " * (-len(head) % 8)
    return len(head).to_bytes(8, "little") + head + b"".join(content for _, _, content in parts.values())


def images(data: bytes, random: Random, words: Sequence[bytes] = ()) -> bytes:
    """A picture made wrong; the parts of a PNG get their checksums again, or a decoder would look no further."""
    out = some_bytes(data, random, words)
    return _with_sums(out) if out[:8] == b"\x89PNG\r\n\x1a\n" and random.random() < 0.7 else out


def _with_sums(data: bytes) -> bytes:
    out, at = bytearray(data), 8
    while at + 12 <= len(out):
        length = int.from_bytes(out[at : at + 4], "big")
        stop = at + 8 + length
        if stop + 4 > len(out):
            break
        out[stop : stop + 4] = zlib.crc32(out[at + 4 : stop]).to_bytes(4, "big")
        at = stop + 4
    return bytes(out)


Mutate = Callable[[bytes, Random, Sequence[bytes]], bytes]
