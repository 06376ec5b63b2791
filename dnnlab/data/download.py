"""Downloads of the published data sets, checked against their published checksums."""

import os
import tarfile
import tempfile
from pathlib import Path

from dnnlab.data.files import data_root
from dnnlab.data.kinds import KINDS, Remote, remote_folder
from dnnlab.errors import DnnlabError, UsageError, listing, unknown


def download(name: str, progress: bool = True, mirror: str | None = None) -> Path:
    """Fetch the published data set ``name`` into `data_root`, in torchvision's layout.

    What is there and can be read stays as it is. A file takes its place only when it is whole, so that an
    interrupted download or extraction never looks like data.

    Args:
        progress: show a bar on stderr, if that is a terminal.
        mirror: a URL to take the place of the publisher's; the files below it have the publisher's names.

    Returns:
        The folder with the files.

    Raises:
        UsageError: nothing of that name can be downloaded, or ``mirror`` is no URL.
        DnnlabError: no connection, no such file on the server, a wrong checksum, or no room on the disk.
    """
    remote = _remote(name)
    if mirror is not None and not mirror.startswith(("http://", "https://")):
        raise UsageError(f"the mirror {mirror!r} is no URL: give one such as https://example.org/{name}/.")
    folder = remote_folder(remote)
    if _readable(name):
        return folder
    base = (mirror or remote.base).rstrip("/")
    try:
        if remote.archived:
            _fetch_archive(remote, base, folder, progress)
        else:
            for file, md5 in remote.files.items():
                _fetch(f"{base}/{file}", folder / file, md5, progress)
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


def _fetch(url: str, path: Path, md5: str, progress: bool) -> None:
    """Download ``url`` to ``path`` if that has not the checksum already.

    Raises:
        DnnlabError: the server cannot be reached or lacks the file, or the checksum differs.
        OSError: the file cannot be written.
    """
    import pooch
    import requests
    from tqdm import tqdm

    pooch.get_logger().setLevel("WARNING")  # the bar says the same
    # `disable=None` is tqdm's "unless stderr is a terminal". Pooch sets the total when the server tells it; until
    # then it must not be 0, which would make the bar false, and pooch would take it for none.
    with tqdm(total=1, unit="B", unit_scale=True, desc=path.name, disable=None if progress else True) as bar:
        try:
            pooch.retrieve(
                url,
                f"md5:{md5}",
                fname=path.name,
                path=path.parent,
                # Packed files must come as they are: a checksum is of the packed bytes.
                downloader=pooch.HTTPDownloader(
                    progressbar=bar, chunk_size=1 << 16, headers={"Accept-Encoding": "identity"}
                ),
            )
        except requests.HTTPError as error:
            # Its text is such as "404 Client Error: Not Found for url: …".
            raise DnnlabError(f"the server says {error}; try another with --mirror URL.") from None
        except requests.RequestException as error:
            raise DnnlabError(
                f"no connection for {url} ({type(error).__name__}); try again, or another server with --mirror URL."
            ) from None
        except ValueError:  # pooch's word for a checksum that differs
            raise DnnlabError(
                f"what {url} sends has not the published checksum (MD5 {md5}) and was thrown away; try "
                "again, or another server with --mirror URL."
            ) from None


def _fetch_archive(remote: Remote, base: str, folder: Path, progress: bool) -> None:
    """Download and unpack the archive of ``remote`` beside ``folder``, the one in it, and swap the two."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as text:
        aside = Path(text)
        for file, md5 in remote.files.items():
            archive = aside / file
            _fetch(f"{base}/{file}", archive, md5, progress)
            try:
                with tarfile.open(archive) as tar:
                    tar.extractall(aside / "unpacked", filter="data")
            except (tarfile.TarError, EOFError) as error:
                raise DnnlabError(f"{base}/{file} is no archive that can be unpacked safely ({error}).") from None
        fresh = aside / "unpacked" / folder.name
        if lacking := [name for name in remote.archived if not (fresh / name).is_file()]:
            raise DnnlabError(f"the archive at {base} lacks {listing(lacking)}; try another with --mirror URL.")
        if folder.exists():  # broken, or it would not have been fetched
            os.replace(folder, aside / "broken")
        os.replace(fresh, folder)
