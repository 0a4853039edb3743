"""Reads feature stores of one file without an HDF5 library (features/FORMAT.md): contiguous datasets, metadata of version 1.10."""

import math
import struct
import zlib
from pathlib import Path

SIGNATURE = b"\x89HDF\r\n\x1a\n"
DATASPACE, DATATYPE, LINK, LAYOUT, CONTINUATION = 1, 3, 6, 8, 16
COMPLETE = ord("C")


class Dataset:
    """A contiguous dataset: its shape, bytes per value, and address."""

    def __init__(self, messages):
        found = dict(messages)
        space, layout = found[DATASPACE], found[LAYOUT]
        if layout[1] != 1:
            raise ValueError("a dataset is not contiguous")
        self.shape = struct.unpack_from(f"<{space[1]}Q", space, 4)
        self.size = struct.unpack_from("<I", found[DATATYPE], 4)[0]
        self.address = struct.unpack_from("<Q", layout, 2)[0]

    def row(self, content, row):
        length = self.size * math.prod(self.shape[1:])
        start = self.address + row * length
        return content[start : start + length]


class Store:
    """The rows of a store that are complete, by the names of their images."""

    def __init__(self, path):
        self.content = Path(path).read_bytes()
        if not self.content.startswith(SIGNATURE):
            raise ValueError(f"{path}: not an HDF5 file")
        root = self._links(struct.unpack_from("<Q", self.content, 36)[0])
        self.datasets = {name: Dataset(self._messages(root[name])) for name in root if name != "grids"}
        grids = {view: Dataset(self._messages(at)) for view, at in self._links(root["grids"]).items()}
        self.grids = grids["original"]
        self.view = list(grids).index("original")
        self.cells, self.channels = self.grids.shape[1:]
        self.rows = {
            self._value("name", row).rstrip(b"\0").decode(): row
            for row in range(self.grids.shape[0])
            if self._value("state", row)[0] == COMPLETE
        }

    def grid_bytes(self, image):
        """The grid of an image as it is stored, compared with its checksum."""
        row = self.rows[image]
        grid = self.grids.row(self.content, row)
        checksums = self._value("checksum", row)
        checksum = struct.unpack_from("<I", checksums, 4 * self.view)[0]
        if zlib.crc32(grid, zlib.crc32(self._value("source_sha256", row))) != checksum:
            raise ValueError(f"{image}: checksum mismatch")
        return grid

    def vectors(self, image):
        """The cells of an image, each a tuple of values."""
        grid = self.grid_bytes(image)
        kind = "e" if self.grids.size == 2 else "f"
        return list(struct.iter_unpack(f"<{self.channels}{kind}", grid))

    def _value(self, name, row):
        return self.datasets[name].row(self.content, row)

    def _links(self, address):
        links = {}
        for kind, message in self._messages(address):
            if kind != LINK:
                continue
            flags, at = message[1], 2
            at += (1 if flags & 8 else 0) + (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
            width = 1 << (flags & 3)
            length = int.from_bytes(message[at : at + width], "little")
            name = message[at + width : at + width + length].decode()
            links[name] = struct.unpack_from("<Q", message, at + width + length)[0]
        return links

    def _messages(self, address):
        """The messages of an object header of version 2, as pairs of type and content."""
        content = self.content
        if content[address : address + 5] != b"OHDR\x02":
            raise ValueError("an object header has an unknown version")
        flags, at = content[address + 5], address + 6
        at += (16 if flags & 32 else 0) + (4 if flags & 16 else 0)
        width = 1 << (flags & 3)
        size = int.from_bytes(content[at : at + width], "little")
        chunks = [(at + width, size)]
        head = 6 if flags & 4 else 4
        for start, size in chunks:
            at = start
            while at + head <= start + size:
                kind, length = struct.unpack_from("<BH", content, at)
                message = content[at + head : at + head + length]
                if kind == CONTINUATION:
                    other, size_of_other = struct.unpack("<QQ", message[:16])
                    # Without the signature before its messages and the checksum after them.
                    chunks.append((other + 4, size_of_other - 8))
                yield kind, message
                at += head + length


def cosine_distance(one, other):
    product = math.sumprod(one, other) if hasattr(math, "sumprod") else sum(map(float.__mul__, one, other))
    lengths = math.hypot(*one) * math.hypot(*other)
    return max(0.0, 1 - product / lengths) if lengths else float(one != other)


def distances(one, other, most):
    """The cosine distances of all cells of at most `most` images, which are spread over both stores."""
    images = sorted(one.rows.keys() & other.rows.keys())
    step = max(1, len(images) // most)
    found = []
    for image in images[::step][:most]:
        found.extend(map(cosine_distance, one.vectors(image), other.vectors(image)))
    return found
