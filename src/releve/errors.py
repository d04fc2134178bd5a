"""The errors that callers branch on. Each carries a stable code; the sentence is for people, the code for machines.

    ReleveError
    ├── WrongUse        a person gave a wrong file, folder, port or argument: one sentence, exit code 2
    ├── Refused         the answer is no (lost, broken, refused): exit code 1
    ├── StoreUnable     the disk could not keep it: nothing was acknowledged, it may be sent again; exit code 2
    └── PeerError       a peer broke its protocol: answer it, keep its bytes, go on

Our own misuse is an assertion, not an error of this tree.
"""

from __future__ import annotations


class ReleveError(Exception):
    """Something a caller or a person can act on.

    code      stable, dotted, such as "hl7v2.message-too-long"; shared by log line, page and manual
    sentence  which thing, what was expected, what came, what is true now, what to do
    """

    exit_code = 1

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


class WrongUse(ReleveError):
    """A wrong configuration, folder, port or argument; nothing was started."""

    exit_code = 2


class Refused(ReleveError):
    """The answer is no: something is lost, broken or not allowed."""


class StoreUnable(ReleveError):
    """The disk could not keep what was given; nothing of it was acknowledged and it may be sent again."""

    exit_code = 2


class PeerError(ReleveError):
    """The other side broke its protocol; the owner of the socket answers with the protocol's refusal and goes on."""
