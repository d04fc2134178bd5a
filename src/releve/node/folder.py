"""What a node's folder holds, and how a new one is made."""

from __future__ import annotations

import json
import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from releve.config import NODE_FILE, check_site_id, sample
from releve.errors import StoreUnable, WrongUse
from releve.replica.access import write_request

KEY_FILE = "keys/origin.key"
SERVICES_FILE = "run/services.json"
HUBS_FILE = "run/hubs.json"
RECOVERY_FOLDER = "recovery"


def make_folder(
    folder: Path, site_id: str, name: str, hubs: tuple[str, ...] = (), *, http: str = "", mllp: str = ""
) -> Path:
    """Make a new node's folder and return the path of its node.toml; it runs as it is.

    raises  WrongUse     the site id cannot be used, or a node is already there (nothing is changed)
    raises  StoreUnable  the folder cannot be written
    """
    check_site_id(site_id)
    path = folder / NODE_FILE
    if path.exists():
        raise WrongUse("init.exists", f"{path} exists already; nothing was changed. Choose another folder, or edit it.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in ("keys", "run", "reports"):
            (folder / part).mkdir(mode=0o700, exist_ok=True)
        path.write_text(sample(site_id, name or site_id, hubs, http=http, mllp=mllp), "utf-8")
        write_request(folder, site_id, name or site_id, _make_key(folder / KEY_FILE))
    except OSError as error:
        raise StoreUnable("init.unwritable", f"{folder} cannot be written: {error.strerror}.") from error
    return path


def signing_key(folder: Path) -> Ed25519PrivateKey:
    """Return the key that signs this node's history.

    raises  WrongUse  there is none, or others may read it
    """
    path = folder / KEY_FILE
    try:
        if path.stat().st_mode & 0o077:
            raise WrongUse("node.key-open", f"{path} may be read by others. Close it: chmod 600 {path}")
        key = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise WrongUse(
            "node.no-key", f"{path} cannot be read ({error.strerror}). Without it this node cannot sign its history."
        ) from error
    except ValueError as error:
        raise WrongUse("node.bad-key", f"{path} is no private key: {error}.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise WrongUse("node.bad-key", f"{path} is no Ed25519 key.")
    return key


def write_state(path: Path, value: object) -> None:
    """Replace a small file of measured states in one step, so that a reader sees the old or the new one."""
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps(value, ensure_ascii=False), "utf-8")
    draft.replace(path)


def read_state(path: Path) -> object:
    """Return what write_state left; None when nothing was measured yet."""
    try:
        value: object = json.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return None
    return value


def _make_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    return key
