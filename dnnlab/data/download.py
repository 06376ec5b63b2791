"""Downloads of the published data sets, checked against their published sizes and checksums.

Every temporary file has a name that never changes, so that what a killed download leaves is removed by the next.
"""

import hashlib
import os
import shutil
import sys
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import BinaryIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from dnnlab import atomic
from dnnlab.data.files import CHUNK, data_root
from dnnlab.data.kinds import KINDS, Published, Remote, remote_folder
from dnnlab.data.web import pieces
from dnnlab.errors import DnnlabError, UsageError, listing, unknown
from dnnlab.terminal import say


def download(name: str, progress: bool = True, mirror: str | None = None) -> Path:
    """Fetch the published data set ``name`` into `data_root`, in torchvision's layout.

    What is there and can be read stays as it is. A file takes its place only when it is whole, so that an
    interrupted download or extraction never looks like data. A second process waits for the first.

    Args:
        progress: show a bar on stderr, if that is a terminal.
        mirror: a URL to take the place of the publisher's; the files below it have the publisher's names.

    Returns:
        The folder with the files.

    Raises:
        UsageError: nothing of that name can be downloaded, or ``mirror`` is no URL.
        DnnlabError: no connection, no such file on the server, a wrong size or checksum, too few bytes for too
            long, or no room on the disk.
    """
    remote = _remote(name)
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise UsageError(f"the mirror {mirror!r} is no URL: give one such as https://example.org/{name}/.")
    folder = remote_folder(remote)
    lock = folder / ".download.lock"
    parts = [_part(folder / file) for file in (*remote.files, *remote.unpacked)]
    if _readable(name) and not any(os.path.lexists(left) for left in (lock, *parts)):
        return folder
    try:
        with (
            atomic.locked(lock, partial(say, f"another process is downloading {name}; waiting for it.")),
            _removed(parts),
            _bar(progress) as bar,
        ):
            if not _readable(name):  # another process may just have downloaded it
                _get(remote, (mirror or remote.base).rstrip("/"), folder, bar)
    except OSError as error:
        raise DnnlabError(
            f"cannot write {name} to {data_root()} ({error.strerror}); set DNNLAB_DATA to another folder."
        ) from None
    return folder


def _remote(name: str) -> Remote:
    downloads = [known for known, kind in KINDS.items() if kind.remote is not None]
    kind = KINDS.get(name.partition(":")[0])
    if kind is None:
        raise unknown("download", name, downloads)
    if kind.remote is None or name not in KINDS:
        raise UsageError(f"{name} needs no download; what can be downloaded is {listing(downloads)}.")
    return kind.remote


def _readable(name: str) -> bool:
    try:
        KINDS[name].read()
    except DnnlabError:
        return False
    return True


def _part(path: Path) -> Path:
    """The file in which ``path`` is downloaded until it is whole."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def _removed(parts: list[Path]) -> Iterator[None]:
    """Remove all of ``parts``, now and afterwards."""
    for part in parts:
        part.unlink(missing_ok=True)
    try:
        yield
    finally:
        for part in parts:
            part.unlink(missing_ok=True)


def _bar(progress: bool) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(20), TaskProgressColumn(), DownloadColumn())
    shown = progress and sys.stderr.isatty()
    console = Console(stderr=True, quiet=not shown)  # disabled alone, older versions of Rich still end with a line
    return Progress(*columns, TimeRemainingColumn(), console=console, disable=not shown)


def _get(remote: Remote, base: str, folder: Path, bar: Progress) -> None:
    """Download the files of ``remote`` that are missing in ``folder``.

    Raises:
        DnnlabError: as `download`.
        OSError: a file cannot be written.
    """
    lacking = {
        file: published
        for file, published in remote.files.items()
        if remote.unpacked or not _is_whole(folder / file, published)
    }
    needed = sum(published.size for published in lacking.values()) + sum(remote.unpacked.values())
    if (free := shutil.disk_usage(folder).free) < needed:
        raise DnnlabError(
            f"{needed:,} bytes are needed in {folder} and {free:,} are free; make room, or set DNNLAB_DATA to "
            "another folder."
        )
    for file, published in lacking.items():
        part = _part(folder / file)
        _fetch(f"{base}/{file}", part, published, bar)
        if remote.unpacked:
            _unpack(part, folder, remote.unpacked)
        else:
            os.replace(part, folder / file)


def _is_whole(path: Path, published: Published) -> bool:
    """Whether ``path`` is the published file; a file that cannot be read is not."""
    try:
        if not path.is_file() or path.stat().st_size != published.size:  # a pipe would never end
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == published.sha256
    except PermissionError:
        return False


def _fetch(url: str, part: Path, published: Published, bar: Progress) -> None:
    """Download ``url`` to ``part``, and see that it is the published file.

    Raises:
        DnnlabError: it cannot be had, or is another.
        OSError: it cannot be written.
    """
    digest, count = hashlib.sha256(), 0
    task = bar.add_task(url.rpartition("/")[2], total=published.size)
    with part.open("xb") as file, closing(pieces(url, published.size)) as arriving:
        for piece in arriving:
            digest.update(piece)
            file.write(piece)
            count += len(piece)
            bar.advance(task, len(piece))
        _sync(file)
    elsewhere = "and was thrown away; try again, or another server with --mirror URL"
    if count < published.size:
        raise DnnlabError(f"what {url} sends ended after {count:,} of {published.size:,} bytes {elsewhere}.")
    if digest.hexdigest() != published.sha256:
        raise DnnlabError(f"what {url} sends has not the published checksum (SHA-256 {published.sha256}) {elsewhere}.")


def _unpack(archive: Path, folder: Path, sizes: Mapping[str, int]) -> None:
    """Put the files of ``sizes`` out of ``archive`` into ``folder``: nothing else, and not a byte more.

    Raises:
        DnnlabError: it is no archive, or lacks one of them.
        OSError: one cannot be written.
    """
    lacking = dict(sizes)
    try:
        with tarfile.open(archive) as tar:
            for member in tar:
                place, name = os.path.split(os.path.normpath(member.name))
                content = tar.extractfile(member) if member.isreg() else None
                if content is None or place != folder.name or member.size != lacking.get(name):
                    continue
                part = _part(folder / name)
                with part.open("xb") as file:
                    shutil.copyfileobj(content, file, CHUNK)
                    _sync(file)
                os.replace(part, folder / name)
                del lacking[name]
    except (tarfile.TarError, EOFError) as error:
        raise DnnlabError(f"the published archive does not unpack ({error}).") from None
    if lacking:
        raise DnnlabError(f"the published archive lacks {listing(lacking)}, or they have another size.")


def _sync(file: BinaryIO) -> None:
    """Flush ``file`` to the disk: a power cut must not leave a name without content."""
    file.flush()
    os.fsync(file.fileno())
