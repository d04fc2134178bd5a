"""HL7 v2 ⇄ FHIR: what a message says as statements about resources, and what was captured here as messages again.

    translation   message → Translation: which translation reads it, when it counts, why it was not understood
    patient       PID, PD1         person      names, addresses, telephones
    stay          PV1, PV2, ZBE    merge       A40 with MRG        allergy  AL1
    results       ORU              orders      its tree            value    OBX-5      document  ED, RP
    outbound      captures → MDM, ADT; what came is passed on byte for byte
    grammar, reading, time, identifier, coding, tables    what all of them stand on

Pure: no socket, no disk, no clock. It knows no state of the record: what a stay or a merged patient looks like in the
end is folded elsewhere. Source: HL7 v2.5.1; HL7 v2-to-FHIR (August 2025); IHE PAM France 2.11; FHIR R4.
"""

from releve.translate.outbound import Station, outbound
from releve.translate.translation import Translation, translate

__all__ = ["Station", "Translation", "outbound", "translate"]
