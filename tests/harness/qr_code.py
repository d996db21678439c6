"""Reads a QR code as it is drawn in a terminal by half blocks (ISO/IEC 18004). It is seen without errors, so none are
corrected; versions 1 to 20, levels L and M."""
import itertools
import re

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
# By version, for the level: error correction codewords of a block, and blocks (table 9).
BLOCKS = {
    "L": ([7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28],
          [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8]),
    "M": ([10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26],
          [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16]),
}
LEVELS = {0b01: "L", 0b00: "M"}
MASKS = [
    lambda x, y: (x + y) % 2, lambda x, y: y % 2, lambda x, y: x % 3, lambda x, y: (x + y) % 3,
    lambda x, y: (x // 3 + y // 2) % 2, lambda x, y: x * y % 2 + x * y % 3,
    lambda x, y: (x * y % 2 + x * y % 3) % 2, lambda x, y: ((x + y) % 2 + x * y % 3) % 2,
]


def _modules(text):
    """Rows of modules, True for dark, without the border."""
    rows = []
    for line in re.sub(r"\x1b\[[0-9;]*m", "", text).splitlines():
        rows += [[character in " ▄" for character in line], [character in " ▀" for character in line]]
    dark = [(y, x) for y, row in enumerate(rows) for x, cell in enumerate(row) if cell and any(not each for each in row)]
    top, left = min(y for y, _ in dark), min(x for _, x in dark)
    size = max(x for _, x in dark) - left + 1
    assert (size - 17) % 4 == 0 and left >= 2 and top >= 2, "a square of a known size, with a light border"
    return [row[left:left + size] for row in rows[top:top + size]]


def _is_pattern(size, version):
    """What belongs to no data: finders with the format, timing, alignment, version."""
    count = version // 7 + 2 if version > 1 else 0
    step = (version * 8 + count * 3 + 5) // (count * 4 - 4) * 2 if count else 0
    centres = [6] + sorted(size - 7 - i * step for i in range(count - 1)) if count else []
    aligned = [(x, y) for x in centres for y in centres if (x, y) not in ((6, 6), (6, size - 7), (size - 7, 6))]

    def test(x, y):
        if x == 6 or y == 6 or (x < 9 and y < 9) or (x >= size - 8 and y < 9) or (x < 9 and y >= size - 8):
            return True
        if version >= 7 and ((x >= size - 11 and y < 6) or (y >= size - 11 and x < 6)):
            return True
        return any(abs(x - a) <= 2 and abs(y - b) <= 2 for a, b in aligned)
    return test


def _codewords(cells, version, mask):
    size = len(cells)
    is_pattern = _is_pattern(size, version)
    bits = []
    for right in range(size - 1, 0, -2):
        right -= right <= 6
        upward = (right + 1) & 2 == 0
        for step, x in itertools.product(range(size), (right, right - 1)):
            y = size - 1 - step if upward else step
            if not is_pattern(x, y):
                bits.append(cells[y][x] ^ (MASKS[mask](x, y) == 0))
    return [sum(bit << (7 - i) for i, bit in enumerate(bits[at:at + 8])) for at in range(0, len(bits) - 7, 8)]


def _data(codewords, version, level):
    """The data of the blocks, which are interleaved; the last are one longer."""
    correction, count = (column[version - 1] for column in BLOCKS[level])
    short, longer = len(codewords) // count - correction, len(codewords) % count
    blocks, stream = [[] for _ in range(count)], iter(codewords)
    for i in range(short + 1):
        for number, block in enumerate(blocks):
            if i < short or number >= count - longer:
                block.append(next(stream))
    return [byte for block in blocks for byte in block]


def _text(data, version):
    bits = "".join(f"{byte:08b}" for byte in data)
    at, text = 0, b""

    def take(count):
        nonlocal at
        at += count
        return int(bits[at - count:at], 2)
    while at + 4 <= len(bits) and (mode := take(4)):
        few = version < 10
        if mode == 0b0100:
            text += bytes(take(8) for _ in range(take(8 if few else 16)))
        elif mode == 0b0010:
            left = take(9 if few else 11)
            for _ in range(left // 2):
                text += "".join(ALPHANUMERIC[part] for part in divmod(take(11), 45)).encode()
            text += ALPHANUMERIC[take(6)].encode() if left % 2 else b""
        else:
            assert mode == 0b0001, f"mode {mode}"
            left = take(10 if few else 12)
            for digits in [3] * (left // 3) + ([left % 3] if left % 3 else []):
                text += f"{take((0, 4, 7, 10)[digits]):0{digits}d}".encode()
    return text.decode()


def read_qr_code(text):
    """What the drawn code says."""
    cells = _modules(text)
    version = (len(cells) - 17) // 4
    places = [(8, i) for i in range(6)] + [(8, 7), (8, 8), (7, 8)] + [(14 - i, 8) for i in range(9, 15)]
    format_bits = sum(cells[y][x] << i for i, (x, y) in enumerate(places)) ^ 0x5412
    level, mask = LEVELS[format_bits >> 13], format_bits >> 10 & 7
    return _text(_data(_codewords(cells, version, mask), version, level), version)
