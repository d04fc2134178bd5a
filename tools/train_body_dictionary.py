"""How src/releve/log/body-N.dict was made: from the bodies of a seed night, whose people are all invented.

    releve demo --folder NIGHT && python tools/train_body_dictionary.py NIGHT src/releve/log/body-2.dict 2

A dictionary that was released is never made anew: logs hold bodies that only it can read. A better one gets the next
number and a line in log/event.py, which then writes with it and goes on reading with all of them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
import zstandard

from releve.log import Ledger, decode_body

_BYTES = 16_384  # twice as much gains 3 %, and it is loaded in every process
_LEVEL = 3  # of the search inside the training; what is written with it is compressed at level 1


def main(night: Path, target: Path, number: int) -> None:
    encoder = msgspec.msgpack.Encoder()
    samples = []
    for folder in sorted((night / "nodes").iterdir()):
        ledger = Ledger(folder)
        samples += [encoder.encode(decode_body(event.body)) for event in ledger.every()]
        ledger.close()
    trained = zstandard.train_dictionary(_BYTES, samples, dict_id=number, level=_LEVEL)
    target.write_bytes(trained.as_bytes())
    print(f"{target}: {len(samples)} bodies, {len(trained)} bytes, number {trained.dict_id()}")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
