"""Acknowledgements: what is answered to a message, in its own delimiters, version and character set.

Original mode (MSH-15 and MSH-16 empty) answers AA, AE or AR. Enhanced mode answers CA, CE or CR when MSH-15 asks for
it, else AA, AE or AR when MSH-16 does: one answer for each message, never two, because senders on MLLP read one and
would take the second for the answer to their next message. Here both are known at the same instant anyway: the message
is kept and what was understood of it is done when the answer is written.
Source: HL7 v2.5.1, 2.9.2, 2.9.3, 2.15.5 (ERR), 2.15.8 (MSA); tables 0008, 0155, 0357.
"""

from __future__ import annotations

import msgspec

from releve.wire.hl7v2.batch import split_batch
from releve.wire.hl7v2.escape import escape_text
from releve.wire.hl7v2.message import Message, NotHL7, parse

#: Table 0357, the ones that are used here.
SEGMENT_SEQUENCE_ERROR = ("100", "Segment sequence error")
INTERNAL_ERROR = ("207", "Application internal error")

_NO_FRAMING = {0x0B: None, 0x1C: None}
_SENTENCE_CHARACTERS_MAX = 250  # ERR-8 is a TX of 250


class Fault(msgspec.Struct, frozen=True, gc=False):
    """Why something is refused.

    kind      E: it may be sent again as it is, the fault is ours or passing; R: it must be changed first
    table     code and text of table 0357
    code      ours, stable: "hl7v2.message-too-long"
    sentence  for the person who reads the sender's log
    """

    kind: str
    table: tuple[str, str]
    code: str
    sentence: str


def answer_mode(message: Message, *, is_refused: bool) -> str:
    """Return what the sender asks for: "A" an application answer, "C" an accept answer, "" none."""
    accept = message.accept_ack_type.strip().upper()
    application = message.application_ack_type.strip().upper()
    if not accept and not application:
        return "A"
    if _asks(accept, is_refused):
        return "C"
    return "A" if _asks(application, is_refused) else ""


def _asks(condition: str, is_refused: bool) -> bool:
    if condition in ("", "NE", '""'):
        return False
    if condition == "ER":
        return is_refused
    if condition == "SU":
        return not is_refused
    return True  # AL, and what table 0155 does not know: a sender must not wait in vain


def acknowledge(message: Message, mode: str, fault: Fault | None, *, control_id: str, at: str) -> bytes:
    """Return the answer to a message.

    mode        "A" or "C", see answer_mode
    fault       None when it is accepted
    control_id  MSH-10 of the answer
    at          MSH-7 of the answer: 20240803091244+0000
    """
    d = message.delimiters
    msh = message.header
    field = d.field
    trigger, version = message.trigger, message.version
    component = d.component or "^"
    kind = "ACK"
    if trigger:
        kind = f"ACK{component}{trigger}{component}ACK" if version >= "2.3.1" else f"ACK{component}{trigger}"
    charset = f"{field * 6}{msh(18)}" if msh(18) else ""
    code = mode + (fault.kind if fault else "A")
    text = (
        f"MSH{field}{msh(2)}{field}{msh(5)}{field}{msh(6)}{field}{msh(3)}{field}{msh(4)}{field}{at}{field}{field}{kind}"
        f"{field}{control_id}{field}{msh(11) or 'P'}{field}{msh(12) or '2.5'}{charset}\r"
        f"MSA{field}{code}{field}{msh(10)}"
    )
    if fault:
        sentence = escape_text(fault.sentence[:_SENTENCE_CHARACTERS_MAX], d.escape, d.letters)
        text += f"{field}{sentence}\r{_err(fault, sentence, message, version)}\r"
    else:
        text += "\r"
    if "\x0b" in text or "\x1c" in text:  # a stray VT in what is echoed would break the block of the answer
        text = text.translate(_NO_FRAMING)
    return text.encode(message.charset, "replace")


def _err(fault: Fault, sentence: str, message: Message, version: str) -> str:
    """Return the ERR segment: the form of v2.5 and later, or for older senders the one they know."""
    d = message.delimiters
    field, component, sub = d.field, d.component or "^", d.subcomponent or "&"
    number, meaning = fault.table
    if version and version < "2.5":
        return f"ERR{field}{component * 3}{number}{sub}{meaning}{sub}HL70357"
    coded = f"{number}{component}{meaning}{component}HL70357"
    own = f"{escape_text(fault.code, d.escape, d.letters)}{component}{component}L"
    return f"ERR{field * 3}{coded}{field}E{field}{own}{field * 3}{sentence}"


_NOBODY = b"MSH|^~\\&|||||||||P|2.5\r"


def refuse_unreadable(content: bytes, fault: Fault, *, control_id: str, at: str) -> bytes:
    """Return the answer to bytes that are no message, or only the beginning of one: with as much as they tell."""
    start = content.find(b"MSH")
    try:
        message = parse(content[start:] if start >= 0 else _NOBODY)
    except NotHL7:
        message = parse(_NOBODY)
    mode = answer_mode(message, is_refused=True) or "C"
    return acknowledge(message, mode, fault, control_id=control_id, at=at)


def acknowledge_batch(answers: list[bytes], batch_control_id: str, *, control_id: str, at: str) -> bytes:
    """Return the answers to the messages of a batch as a batch: one block was sent, one is answered."""
    head = f"BHS|^~\\&|||||{at}||||{control_id}|{batch_control_id}\r".encode("latin-1", "replace")
    return head + b"".join(answers) + f"BTS|{len(answers)}\r".encode("ascii")


class Answer(msgspec.Struct, frozen=True, gc=False):
    """What an acknowledgement says.

    code        MSA-1: AA, AE, AR, CA, CE, CR
    control_id  MSA-2: MSH-10 of the message that is answered
    sentence    MSA-3, or what ERR says; "" of an acceptance
    """

    code: str
    control_id: str
    sentence: str

    @property
    def is_accepted(self) -> bool:
        """Whether the receiver has taken responsibility for the message."""
        return self.code in ("AA", "CA")


def parse_answers(content: bytes) -> list[Answer]:
    """Return what a block of acknowledgements says: one of a plain ACK, one for each message of a batch.

    returns  none for a block that is no acknowledgement
    raises   NotHL7  the block is no HL7 v2
    """
    batch = split_batch(content)
    answers = []
    for raw in batch.messages if batch is not None else [content]:
        message = parse(raw)
        msa = message.first("MSA")
        if msa is not None:
            answers.append(Answer(msa.get(1).strip().upper(), msa.get(2).strip(), _said(message, msa.get(3))))
    return answers


def _said(message: Message, text: str) -> str:
    """Return the sentence of an acknowledgement: MSA-3, else the first thing that ERR says."""
    err = message.first("ERR")
    if text or err is None:
        return text
    return err.get(8) or err.get(7) or err.get(3, 2) or err.get(3) or err.get(1, 4, 2) or err.get(1, 4)
