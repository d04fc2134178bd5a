"""HL7 v2: bytes of a line ⇄ blocks ⇄ messages ⇄ fields, and the acknowledgements that answer them.

    Deframer.feed   bytes → Block | Noise | TooLong     MLLP blocks, the same wherever the bytes were cut
    split_batch     block → messages                    FHS/BHS batches and messages that share a block
    parse           bytes → Message → Segment           exact text, read lazily; Z segments and odd lines kept
    acknowledge     Message → bytes                     AA/AE/AR, CA/CE/CR with ERR

It knows no socket, no clock and no FHIR. What a message means is `translate`'s.
Source: HL7 v2.5.1 chapter 2; MLLP release 1 and 2 (HL7 Transport Specification).
"""

from releve.wire.hl7v2.ack import (
    Answer,
    Fault,
    acknowledge,
    acknowledge_batch,
    answer_mode,
    parse_answers,
    refuse_unreadable,
)
from releve.wire.hl7v2.batch import Batch, split_batch
from releve.wire.hl7v2.framing import Block, Cut, Deframer, Noise, TooLong, frame
from releve.wire.hl7v2.message import Message, NotHL7, Segment, parse

__all__ = [
    "Answer",
    "Batch",
    "Block",
    "Cut",
    "Deframer",
    "Fault",
    "Message",
    "Noise",
    "NotHL7",
    "Segment",
    "TooLong",
    "acknowledge",
    "acknowledge_batch",
    "answer_mode",
    "frame",
    "parse",
    "parse_answers",
    "refuse_unreadable",
    "split_batch",
]
