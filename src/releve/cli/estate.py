"""releve estate: check a file before it is needed, begin one from an inventory, draw it.

releve estate check FILE                     what is wrong with it; exit 1 if any of it is grave
releve estate import netbox|ansible|compose FILE…
releve estate picture FILE                   SVG on the terminal
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import orjson

from releve.errors import WrongUse
from releve.estate import load_unproved
from releve.estate.findings import findings
from releve.estate.findings_text import findings_json, findings_text
from releve.estate.picture import picture


def arguments(parser: argparse.ArgumentParser) -> None:
    acts = parser.add_subparsers(dest="act", metavar="check | import | picture", required=True)
    check = acts.add_parser("check", help="what is wrong with an estate file; exit 1 if any of it is grave")
    check.add_argument("file", type=Path, metavar="FILE", help="an estate file")
    check.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the findings")
    check.add_argument("--json", type=Path, metavar="FILE", help="write everything as JSON here, - for the terminal")
    bring = acts.add_parser("import", help="an estate file to complete, from an inventory, on the terminal")
    bring.add_argument("source", choices=("netbox", "ansible", "compose"), help="what wrote the files")
    bring.add_argument("files", nargs="+", type=Path, metavar="FILE", help="its exports; see docs/it.md")
    draw = acts.add_parser("picture", help="the estate as a picture (SVG), on the terminal")
    draw.add_argument("file", type=Path, metavar="FILE", help="an estate file")
    draw.add_argument("--lang", choices=("fr", "en"), default="en", help="language of the picture")


def run(options: argparse.Namespace) -> int:
    if options.act == "import":
        return _import(options.source, options.files)
    estate = load_unproved(options.file)
    if options.act == "picture":
        print(picture(estate, {}, options.lang, lambda unit: f"#{unit}"))
        return 0
    found = findings(estate)
    if options.json is not None:
        write_json(options.json, findings_json(estate, found))
    if options.json is None or str(options.json) != "-":
        print(findings_text(estate, found, options.lang))
    return 1 if any(one.severity == "grave" for one in found) else 0


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Write values to a file, or to the terminal when the path is "-"."""
    content = orjson.dumps(values, option=orjson.OPT_INDENT_2) + b"\n"
    if str(path) == "-":
        sys.stdout.write(content.decode())
        return
    try:
        path.write_bytes(content)
    except OSError as error:
        raise WrongUse("estate.json", f"{path} cannot be written: {error.strerror}.") from error


def _import(source: str, files: list[Path]) -> int:
    from releve.estate.inventory import import_inventory

    print(import_inventory(source, files), end="")
    return 0
