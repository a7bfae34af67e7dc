"""Find the one file that a person means: beside a spelling mistake, in a zip, a gzip, or of a kind that is no table."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from helpers.data.report import Findings
from helpers.errors import DataError

ADDRESS = re.compile(r"https?:/+", re.IGNORECASE)
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, NotImplementedError)
"""What the unpackers raise where an archive is cut off or broken."""

PACKED = ((b"\x1f\x8b", gzip.open), (b"BZh", bz2.open), (b"\xfd7zXZ\x00", lzma.open))
DEEPEST = 3
"""Archives within archives that are opened."""

PASSED_OVER = re.compile(
    r"(?:^|/)(?:\.|__MACOSX/|~\$|readme|licen[cs]e)|\.(?:md|pdf|html?|png|jpe?g|gif|py|ipynb)$", re.I
)
"""What an archive holds beside its tables."""

LISTED = 12

THE_FILE = "Download the file itself: on GitHub by Raw, on Hugging Face by the download arrow."
AS_TABLE = "Save the table as .csv, .xlsx, .jsonl or .parquet and give that file."
FOREIGN = (
    (b"%PDF", "a PDF", AS_TABLE),
    (b"\xd0\xcf\x11\xe0", "an old Office file (.xls), or one with a password", "Save it as .xlsx, without a password."),
    (b"SQLite format 3\x00", "an SQLite database", "Export the table with the examples as .csv."),
    (b"\x93NUMPY", "a NumPy array", AS_TABLE),
    (b"\x89HDF", "an HDF5 file", AS_TABLE),
    (b"Obj\x01", "an Avro file", "Save it as .parquet."),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "Unpack it and give the table inside."),
    (b"Rar!", "a RAR archive", "Unpack it and give the table inside."),
    (b"\x28\xb5\x2f\xfd", "a zstd archive", "Unpack it (zstd -d) and give the table inside."),
    (b"\x89PNG", "a picture", AS_TABLE),
    (b"\xff\xd8\xff", "a picture", AS_TABLE),
    (b"GIF8", "a picture", AS_TABLE),
    (b"{\\rtf", "a formatted text (RTF)", AS_TABLE),
    (b"version https://git-lfs", "a pointer of Git LFS, not the file", "Run `git lfs pull`, then read it again."),
    (b"<!doctype html", "a web page", THE_FILE),
    (b"<html", "a web page", THE_FILE),
    (b"<?xml", "XML", AS_TABLE),
)  # fmt: skip
"""How files begin that hold no table: the beginning, what it is, what to do."""

PICKLE = re.compile(rb"\x80[\x02-\x05]")
ORC = re.compile(rb"ORC.{0,500}?[\x00-\x08\x0e-\x1f]", re.DOTALL)
"""An ORC file: its mark, then bytes that no text has. Without these it is a table whose first column is an ORCID."""
TAR_MARK = slice(257, 262)


class Opened(NamedTuple):
    """The file, its name ("" for bytes), and what follows ``#``: the sheet of a workbook."""

    file: BinaryIO
    name: str
    part: str


@contextmanager
def opened(source: str | Path | bytes | bytearray, found: Findings) -> Iterator[Opened]:
    """The file that ``source`` names, out of its archives.

    Args:
        source: a path, with ``#SHEET`` or ``#FILE`` behind it for one part of a workbook or archive; or the file's
            bytes.
        found: takes what was unpacked or passed over.

    Raises:
        DataError: it is not there, is damaged, is locked, or holds several files.
    """
    with ExitStack() as stack:
        if isinstance(source, (bytes, bytearray)):
            at = Opened(io.BytesIO(source), "", "")
        else:
            path, part = located(source)
            at = Opened(stack.enter_context(open(path, "rb")), path.name, part)
        called = at.name or "The file"
        try:
            for _ in range(DEEPEST):
                inner = _unpacked(at, stack, found)
                if inner is None:
                    break
                found.add("not_jsonl", 0, "file", "The file is packed, not JSON Lines.")
                at = inner
            yield at
        except DAMAGED as error:
            raise DataError(
                f"{called} is damaged or cut off.",
                got=str(error)[:200],
                fix="Download or export it again.",
            ) from error


def located(source: str | Path) -> tuple[Path, str]:
    """The path, and the part of it that is meant: ``book.xlsx#Sheet2`` names a sheet, ``export.zip#train.csv`` a file.

    Raises:
        DataError: it is an address, a folder, or not there.
    """
    text = str(source)
    if ADDRESS.match(text):
        raise DataError(
            "DATA is an address, and nothing is fetched without your consent.",
            got=text,
            fix="Set MAY_DOWNLOAD = True in the parameters cell, or download the file and give its path.",
        )
    if not text.strip():
        raise DataError("DATA names no file.", fix='Write its path: DATA = "my_examples.csv".')
    path, part = Path(text).expanduser(), ""
    if not _exists(path) and "#" in text:
        before, _, part = text.partition("#")
        path = Path(before).expanduser()
    if not _exists(path):
        raise _not_there(path)
    if path.is_dir():
        inside = sorted(one.name for one in path.iterdir() if not PASSED_OVER.search(one.name))
        example = f'"{path / inside[0]}"' if inside else "the path of a file"
        raise DataError(
            f"{path} is a folder.", got=_listed(inside) or "an empty folder", fix=f"Name one file: DATA = {example}."
        )
    return path, part


def _exists(path: Path) -> bool:
    """Whether the path is there; a text that can be no path (a null character, too long) is not."""
    try:
        return path.exists()
    except (OSError, ValueError):
        return False


def _not_there(path: Path) -> DataError:
    shown = str(path) if len(str(path)) < 200 else f"{str(path)[:200]}…"
    folder = path.parent
    there = sorted(one.name for one in folder.iterdir()) if _exists(folder) and folder.is_dir() else None
    if there is None:
        return DataError(
            f"There is no file {shown!r}.",
            got=f"no folder {str(folder)[:200]!r}; relative paths start at {Path.cwd()}",
            fix="Give the whole path of your file.",
        )
    near = get_close_matches(path.name, there, n=1)
    fix = f'Did you mean DATA = "{folder / near[0]}"?' if near else f"Relative paths start at {Path.cwd()}."
    return DataError(f"There is no file {shown!r}.", fix=fix)


def _unpacked(at: Opened, stack: ExitStack, found: Findings) -> Opened | None:
    """The file within an archive; None where the file is no archive."""
    head = at.file.read(512)
    at.file.seek(0)
    for mark, open_packed in PACKED:
        if head.startswith(mark):
            name = PurePosixPath(at.name).stem if at.name.lower().endswith((".gz", ".bz2", ".xz")) else at.name
            file = stack.enter_context(open_packed(at.file))
            if file.read(512)[TAR_MARK] == b"ustar":
                raise DataError(
                    f"{at.name or 'The file'} is a tar archive.", fix="Unpack it and give the table inside."
                )
            file.seek(0)
            return Opened(file, name, at.part)
    if not head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return None
    try:
        archive = stack.enter_context(zipfile.ZipFile(at.file))
        names = archive.namelist()
        if any(name.startswith("xl/") for name in names):
            at.file.seek(0)
            return None
        _refuse_documents(names, at.name)
        member, part = _member(archive, at, found)
        return Opened(stack.enter_context(archive.open(member)), PurePosixPath(member.filename).name, part)
    except DataError:
        raise
    except Exception as error:  # a damaged directory of files fails in any of the parser's ways
        raise zipfile.BadZipFile(str(error)) from error


def _refuse_documents(names: list[str], called: str) -> None:
    """Office files are zips, too."""
    known = {"word/": "a Word document", "ppt/": "a presentation", "content.xml": "an OpenDocument file",
             "Index/": "an Apple document"}  # fmt: skip
    for start, what in known.items():
        if any(name.startswith(start) for name in names):
            raise DataError(f"{called or 'The file'} is {what}.", fix=AS_TABLE)


def _member(archive: zipfile.ZipFile, at: Opened, found: Findings) -> tuple[zipfile.ZipInfo, str]:
    """The member that is named behind ``#``, or the only one that can be a table; and what else is named."""
    files = [one for one in archive.infolist() if not one.is_dir()]
    tables = [one for one in files if not PASSED_OVER.search(one.filename)]
    name, _, part = at.part.partition("#")
    called = at.name or "the zip"
    if name:
        meant = [one for one in files if name in (one.filename, PurePosixPath(one.filename).name)]
        if not meant:
            listed = _listed([one.filename for one in tables or files])
            raise DataError(f"{called} contains no file {name!r}.", got=listed, fix=_choose(called, tables or files))
        tables = meant
    if not tables:
        raise DataError(
            f"{called} contains no table.",
            got=_listed([one.filename for one in files]) or "an empty archive",
            fix=AS_TABLE,
        )
    if len(tables) > 1:
        listed = _listed([one.filename for one in tables])
        raise DataError(f"{called} contains {len(tables)} files.", got=listed, fix=_choose(called, tables))
    if tables[0].flag_bits & 1:
        raise DataError(f"{called} is protected by a password.", fix="Unpack it yourself and give the table inside.")
    found.add("read_as", 0, "file", f"Read {tables[0].filename} from {called}.")
    return tables[0], part


def _choose(called: str, files: list[zipfile.ZipInfo]) -> str:
    return f'Choose one: DATA = "…/{called}#{files[0].filename}".' if files else AS_TABLE


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return ", ".join(names[:LISTED]) + more


def refuse_foreign(head: bytes, called: str) -> None:
    """Raise for a file that begins as no table does.

    Args:
        head: the file's first bytes.
        called: its name, "" where there is none.

    Raises:
        DataError: it is an archive, a picture, a page, a pickle or another file without rows; the message says which.
    """
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n")[:64]
    for mark, what, fix in FOREIGN:
        if start.lower().startswith(mark.lower()) if mark.startswith(b"<") else head.startswith(mark):
            raise DataError(f"{called or 'The file'} is {what}.", fix=fix)
    if ORC.match(head):
        raise DataError(f"{called or 'The file'} is an ORC file.", fix="Save it as .parquet.")
    if PICKLE.match(head):
        raise DataError(
            f"{called or 'The file'} is a Python pickle, which can run code when it is opened.",
            fix="Write the table as .parquet where you made it: table.to_parquet(…).",
        )
    if head[TAR_MARK] == b"ustar":
        raise DataError(f"{called or 'The file'} is a tar archive.", fix="Unpack it and give the table inside.")
    if len(head) > 64 and not head.strip(b"\x00"):
        raise DataError(
            f"{called or 'The file'} contains only zero bytes: writing it was never finished.",
            fix="Download or export it again.",
        )
