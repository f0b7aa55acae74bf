"""JPEG lossless (process 14, selection value 1), the least that encodes: CT archives hold it and no Python package writes it."""

import numpy as np


def encode(pixels: np.ndarray) -> bytes:
    """A 16-bit JPEG lossless stream of the pixels (rows, columns), first-order prediction, every Huffman code five bits long."""
    values = pixels.astype(np.int64) & 0xFFFF
    rows, columns = values.shape
    predicted = np.empty_like(values)
    predicted[0, 0] = 1 << 15
    predicted[0, 1:] = values[0, :-1]
    predicted[1:, 0] = values[:-1, 0]
    predicted[1:, 1:] = values[1:, :-1]
    differences = ((values - predicted + (1 << 15)) & 0xFFFF) - (1 << 15)
    bits = "".join(_code(int(d)) for d in differences.ravel())
    bits += "1" * (-len(bits) % 8)
    scan = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\x00")
    size = rows.to_bytes(2, "big") + columns.to_bytes(2, "big")
    frame = b"\xff\xc3\x00\x0b\x10" + size + b"\x01\x01\x11\x00"
    counts = bytes([0, 0, 0, 0, 17] + [0] * 11)
    table = b"\xff\xc4" + (2 + 1 + 16 + 17).to_bytes(2, "big") + b"\x00" + counts + bytes(range(17))
    return b"\xff\xd8" + frame + table + b"\xff\xda\x00\x08\x01\x01\x00\x01\x00\x00" + scan + b"\xff\xd9"


def _code(difference: int) -> str:
    """Category (ITU-T T.81 table H.2) and the bits that follow it."""
    if difference == -(1 << 15):
        return f"{16:05b}"
    category = abs(difference).bit_length()
    if not category:
        return f"{0:05b}"
    extra = difference if difference > 0 else difference + (1 << category) - 1
    return f"{category:05b}{extra:0{category}b}"
