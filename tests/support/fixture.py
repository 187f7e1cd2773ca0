"""The fixture language of all tests: files in one string, with a cursor or a selection.

    -- src/a.py --
    import b
    b.$0
    -- src/b.py --
    def f(): ...

`-- path --` starts a file, a line of its own. Text before the first such line belongs to `main.py`.
`$0` is the cursor; two of them, `$0..$0`, are a selection from the first to the second.
A file keeps its last line end, as on disk.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from indexer import FileFound, Index, IndexConfig, Open, extract, language_of

ROOT = "/repo"
FILE_LINE = re.compile(rb"^-- (\S.*?) --\r?\n", re.MULTILINE)
CURSOR = b"$0"


@dataclass(frozen=True, slots=True)
class Fixture:
    """Files by path (absolute, below ROOT) and what is marked in them, in UTF-8 bytes."""

    files: dict[str, bytes]
    path: str  # the file with the cursor; the first file where there is none
    offsets: tuple[int, ...]  # of the cursor, or start and end of the selection

    @property
    def offset(self) -> int:
        """The cursor."""
        if len(self.offsets) != 1:
            raise ValueError(f"the fixture has {len(self.offsets)} marks $0, not one")
        return self.offsets[0]

    @property
    def selection(self) -> tuple[int, int]:
        """The selection; a cursor is an empty one."""
        if not 1 <= len(self.offsets) <= 2:
            raise ValueError(f"the fixture has {len(self.offsets)} marks $0, not one or two")
        return self.offsets[0], self.offsets[-1]

    @property
    def text(self) -> bytes:
        """The text of the file with the cursor."""
        return self.files[self.path]


def parse(source: str, root: str = ROOT) -> Fixture:
    """Reads a fixture. Raises ValueError if more than one file has marks, or one more than two."""
    files: dict[str, bytes] = {}
    marked: list[tuple[str, tuple[int, ...]]] = []
    for name, text in _files(source.encode()):
        pieces = text.split(CURSOR)
        offsets = tuple(sum(map(len, pieces[:count])) for count in range(1, len(pieces)))
        path = f"{root}/{name}"
        if path in files:
            raise ValueError(f"the fixture has two files {name}")
        files[path] = b"".join(pieces)
        if offsets:
            marked.append((path, offsets))
    if len(marked) > 1:
        raise ValueError(f"marks $0 in several files: {', '.join(path for path, _ in marked)}")
    path, offsets = marked[0] if marked else (next(iter(files)), ())
    if len(offsets) > 2:
        raise ValueError(f"the fixture has {len(offsets)} marks $0, more than two")
    return Fixture(files, path, offsets)


def _files(source: bytes) -> list[tuple[str, bytes]]:
    marks = list(FILE_LINE.finditer(source))
    if not marks:
        return [("main.py", source)]
    found = [("main.py", source[: marks[0].start()])] if source[: marks[0].start()].strip() else []
    ends = [mark.start() for mark in marks[1:]] + [len(source)]
    found += [
        (mark.group(1).decode(), source[mark.end() : end])
        for mark, end in zip(marks, ends, strict=True)
    ]
    return found


def write(fixture: Fixture, root: Path) -> None:
    """Writes the files of a fixture that was parsed with `root=str(root)`."""
    for path, text in fixture.files.items():
        target = Path(path)
        if root not in target.parents:
            raise ValueError(f"{path} is not below {root}")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


def index_of(fixture: Fixture, config: IndexConfig | None = None) -> Index:
    """An index of a fixture that is not on disk: every file is an open document."""
    index = Index(config or IndexConfig(workers=0), (_root_of(fixture),))
    for path, text in fixture.files.items():
        index.apply(Open(path, None, 1, text))
    return index


def index_of_disk(fixture: Fixture, root: Path, config: IndexConfig | None = None) -> Index:
    """An index of a fixture on disk, with only the file under the cursor open."""
    write(fixture, root)
    index = Index(config or IndexConfig(workers=0), (str(root),))
    for path, text in fixture.files.items():
        language = language_of(path)
        if language is not None and index.rules.verdict(path, len(text)).allowed:
            index.apply(FileFound(path, extract(path, language, text)))
    index.apply(Open(fixture.path, None, 1, fixture.text))
    return index


def _root_of(fixture: Fixture) -> str:
    """The root that the fixture was parsed with: the folder that all paths share."""
    if all(path.startswith(ROOT + "/") for path in fixture.files):
        return ROOT
    folders = [path.rsplit("/", 1)[0] for path in fixture.files]
    shared = min(folders, key=len)
    while not all(folder == shared or folder.startswith(shared + "/") for folder in folders):
        shared = shared.rsplit("/", 1)[0]
    return shared
