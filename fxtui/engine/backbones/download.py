"""Published weights: from torch's directory, or downloaded into it."""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import tempfile
import threading
import urllib.error
import urllib.request
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import torch

from fxtui.config import ConfigError
from fxtui.engine.downloads import CONNECT_SECONDS
from fxtui.machine.directories import cache_home

_CHUNK = 1 << 20
# The first digits of the SHA-256 are part of the file's name, as torch.hub has it.
_DIGEST = re.compile(r"-([a-f0-9]{8,})\.")


def published_file(url: str, setting: str) -> Path:
    """The file that a URL stands for, complete and with the SHA-256 that its name says.

    Raises:
        ConfigError: it is not there and cannot be downloaded, or it is damaged. ``setting`` is the value of
            ``model.weights`` that the message names.
    """
    path = published_path(url)
    where = f"model.weights = '{setting}'"
    if not path.is_file():
        try:
            _download(url, path)
        except (OSError, http.client.HTTPException) as error:
            raise ConfigError(
                f"{where}: {path.name} is not in {path.parent} and could not be downloaded ({_reason(error)}); "
                f"download {url} elsewhere and copy it to {path}"
            ) from None
    if (wanted := _DIGEST.search(path.name)) and not _sha256(path).startswith(wanted[1]):
        raise ConfigError(f"{where}: {path} is damaged: its SHA-256 does not begin with {wanted[1]}; delete it")
    return path


def published_path(url: str) -> Path:
    """Where the file that a URL stands for lies once it is here."""
    hub = Path(torch.hub.get_dir())
    # What torch makes of a home directory that there is not.
    hub = hub if hub.parts[:1] != ("~",) else cache_home() / "torch" / "hub"
    return hub / "checkpoints" / url.rpartition("/")[2]


def _download(url: str, path: Path) -> None:
    response = _open(url)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, partial = tempfile.mkstemp(prefix=path.name, suffix=".partial", dir=path.parent)
    try:
        with response, os.fdopen(descriptor, "wb") as file:
            while chunk := response.read(_CHUNK):
                file.write(chunk)
        Path(partial).chmod(0o644)
        Path(partial).replace(path)
    finally:
        Path(partial).unlink(missing_ok=True)


def _open(url: str) -> Any:
    """The response, or TimeoutError after a few seconds in all: a name may stand for many addresses, each tried."""
    answer: SimpleQueue[Any] = SimpleQueue()

    def ask() -> None:
        try:
            answer.put(urllib.request.urlopen(url, timeout=CONNECT_SECONDS))
        except (OSError, http.client.HTTPException) as error:
            answer.put(error)

    threading.Thread(target=ask, name="download", daemon=True).start()
    try:
        response = answer.get(timeout=CONNECT_SECONDS)
    except Empty:
        raise TimeoutError("no answer") from None
    if isinstance(response, BaseException):
        raise response
    return response


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"HTTP {error.code}"
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, OSError) and not isinstance(cause, PermissionError):
        return f"no network: {cause.strerror or cause}"
    return str(cause).splitlines()[0] if str(cause) else type(cause).__name__


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
