"""releve run DIR: a node in the foreground."""

from __future__ import annotations

import argparse
import socket
from pathlib import Path

from releve.config import load
from releve.node.posts import run_node


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, metavar="DIR", help="a folder made by releve init")


def run(options: argparse.Namespace) -> int:
    config = load(options.folder)

    def announce(http: socket.socket, mllp: socket.socket) -> None:
        scheme = "https" if config.http.tls else "http"
        print(f"ready {scheme}://{_address(http)} mllp://{_address(mllp)} site={config.site_id}", flush=True)

    return run_node(config, announce)


def _address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
