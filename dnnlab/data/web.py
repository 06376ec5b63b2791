"""One file from a server that may be slow, silent or lie: it holds nobody up, and fills neither memory nor disk."""

import http.client
import queue
import threading
from collections.abc import Generator
from urllib.parse import urljoin

import requests
from urllib3.exceptions import HTTPError

from dnnlab.errors import DnnlabError

PIECE = 1 << 15  # bytes
PATIENCE = 30.0
"""Seconds within which the next `PIECE` must be there, or what is left: that is 1 kB a second."""
REDIRECTS = 10
TIMEOUT = 90.0  # seconds without a byte; only ends the thread, which nobody waits for any more
_WAITING = 8  # pieces that may wait to be written
_ELSEWHERE = "try again, or another server with --mirror URL"


def pieces(url: str, size: int) -> Generator[bytes, None, None]:
    """What ``url`` sends, at most ``size`` bytes, in pieces; fewer bytes when the connection breaks.

    It is read in a thread: a time-out of a socket begins anew with every byte, and so a server that drips its
    headers, or a name server that does not answer, would hold the program up for days.

    Raises:
        DnnlabError: no connection, no such file, a redirect without end, a file of another size, or too few bytes
            for too long.
    """
    arrived: queue.Queue[bytes | Exception] = queue.Queue(_WAITING)
    given_up = threading.Event()
    threading.Thread(target=_read, args=(url, size, arrived, given_up), daemon=True).start()
    count = 0
    try:
        while piece := arrived.get(timeout=PATIENCE):
            if isinstance(piece, Exception):
                raise piece
            count += len(piece)
            if count > size:
                raise DnnlabError(f"{url} sends more than the {size:,} bytes of the published file; {_ELSEWHERE}.")
            yield piece
    except queue.Empty:
        raise DnnlabError(
            f"{url} is too slow: after {count:,} of {size:,} bytes, the next {PIECE >> 10} KiB or the rest did not "
            f"come within {PATIENCE:.0f} seconds; {_ELSEWHERE}."
        ) from None
    finally:
        given_up.set()
        while not arrived.empty():  # a full queue would hold the thread for ever
            arrived.get_nowait()


def _read(url: str, size: int, arrived: "queue.Queue[bytes | Exception]", given_up: threading.Event) -> None:
    """Put what ``url`` sends into ``arrived``, and at the end what ended it: nothing, or an error."""
    begun = False
    try:
        with _answer(url, size) as response:
            # Packed files must come as they are: a checksum is of the packed bytes.
            while piece := response.raw.read(PIECE, decode_content=False):
                begun = True
                arrived.put(piece)
                if given_up.is_set():
                    return
        arrived.put(b"")
    except (requests.RequestException, HTTPError, ValueError) as error:  # ValueError: no valid address
        lost = DnnlabError(f"no connection for {url} ({type(error).__name__}); {_ELSEWHERE}.")
        arrived.put(b"" if begun else lost)  # the caller, which counts the bytes, can say more
    except Exception as error:  # noqa: BLE001 - whoever waits for the pieces gets it
        arrived.put(error)


class _Session(requests.Session):
    """Follows no redirect: requests would read what comes with one to its end, and there may be none."""

    def get_redirect_target(self, resp: requests.Response) -> None:
        return None


def _answer(url: str, size: int) -> requests.Response:
    """The answer for ``url`` after all redirects, its body still to be read: a file, of ``size`` bytes if it says so.

    Raises:
        DnnlabError: there is no such answer.
        requests.RequestException, ValueError: there is no connection.
    """
    place = url
    with _Session() as session:
        for _ in range(REDIRECTS + 1):
            response = session.get(place, stream=True, timeout=TIMEOUT, headers={"Accept-Encoding": "identity"})
            if not response.is_redirect:
                break
            response.close()
            place = urljoin(place, response.headers["Location"])
    problem = _problem(response, size)
    if problem:
        response.close()
        raise DnnlabError(f"{url} {problem}; {_ELSEWHERE}.")
    return response


def _problem(response: requests.Response, size: int) -> str | None:
    """What is wrong with an answer, as far as its headers tell."""
    code = response.status_code
    if response.is_redirect:
        return f"leads from one address to another, more than {REDIRECTS} times"
    if code != http.client.OK:
        return f"is answered with {code} {http.client.responses.get(code, '')}".rstrip()
    length = response.headers.get("Content-Length", str(size))
    if length != str(size):
        return f"announces {length[:20]} bytes where the published file has {size}"
    return None
