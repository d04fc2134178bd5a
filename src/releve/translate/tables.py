"""Code tables of HL7 v2 and what each code becomes in FHIR R4. Facts only, no rule.

Source: HL7 v2-to-FHIR implementation guide (August 2025), concept maps; where it maps nothing and FHIR needs a value,
the decision stands beside the line.
"""

from __future__ import annotations

V2 = "http://terminology.hl7.org/CodeSystem/v2-"
ACT_CODE = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
ABSENT_REASON = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
MARITAL_STATUS = "http://terminology.hl7.org/CodeSystem/v3-MaritalStatus"
NULL_FLAVOR = "http://terminology.hl7.org/CodeSystem/v3-NullFlavor"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
OBSERVATION_CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"
ALLERGY_CLINICAL = "http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical"
UCUM = "http://unitsofmeasure.org"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"

#: Table 0396: names of code systems in the third component of a coded value → URI.
CODE_SYSTEMS = {
    "LN": LOINC,
    "LOINC": LOINC,
    "SCT": SNOMED,
    "SNM": SNOMED,
    "SNOMED": SNOMED,
    "SNOMED-CT": SNOMED,
    "UCUM": UCUM,
    "I9": "http://hl7.org/fhir/sid/icd-9-cm",
    "I9C": "http://hl7.org/fhir/sid/icd-9-cm",
    "I10": "http://hl7.org/fhir/sid/icd-10",
    "I10C": "http://hl7.org/fhir/sid/icd-10-cm",
    "ICD10": "http://hl7.org/fhir/sid/icd-10",
    "CIM10": "http://hl7.org/fhir/sid/icd-10",
    "C4": "http://www.ama-assn.org/go/cpt",
    "CPT": "http://www.ama-assn.org/go/cpt",
    "CVX": "http://hl7.org/fhir/sid/cvx",
    "MVX": "http://hl7.org/fhir/sid/mvx",
    "NDC": "http://hl7.org/fhir/sid/ndc",
    "RXN": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "RXNORM": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ATC": "http://www.whocc.no/atc",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "UNII": "http://fdasis.nlm.nih.gov",
    "CCAM": "https://mos.esante.gouv.fr/NOS/CCAM",
    "NULLFL": NULL_FLAVOR,
}

GENDERS = {"F": "female", "M": "male", "O": "other", "U": "unknown", "A": "other", "N": "other"}

#: Table 0200. L and D as IHE PAM France uses them: L the name of birth, D the name in use.
NAME_USES = {
    "L": "official",
    "R": "official",
    "B": "official",
    "D": "usual",
    "U": "usual",
    "M": "maiden",
    "N": "nickname",
    "BAD": "old",
    "NOUSE": "old",
    "MSK": "anonymous",
    "S": "anonymous",
    "NAV": "temp",
    "TEMP": "temp",
}

ADDRESS_USES = {"H": "home", "B": "work", "O": "work", "C": "temp", "BA": "old", "BI": "billing"}
ADDRESS_TYPES = {"M": "postal", "SH": "postal"}
#: Table 0190: what is no address to write to but where somebody was born.
BIRTH_PLACES = ("BDL", "N")

TELECOM_USES = {"PRN": "home", "ORN": "home", "VHN": "temp", "WPN": "work", "PRS": "mobile"}
TELECOM_SYSTEMS = {
    "PH": "phone",
    "FX": "fax",
    "MD": "other",
    "CP": "phone",
    "SAT": "phone",
    "BP": "pager",
    "INTERNET": "email",
    "X.400": "email",
    "TDD": "other",
    "TTY": "other",
}

MARITAL_STATUSES = {
    "A": "L",
    "D": "D",
    "M": "M",
    "S": "S",
    "W": "W",
    "C": "C",
    "G": "T",
    "P": "T",
    "R": "T",
    "E": "L",
    "N": "A",
    "I": "I",
    "B": "U",
}

#: Table 0004 → v3-ActCode. What has no counterpart keeps its v2 code.
ENCOUNTER_CLASSES = {
    "E": ("EMER", "emergency"),
    "I": ("IMP", "inpatient encounter"),
    "O": ("AMB", "ambulatory"),
    "P": ("PRENC", "pre-admission"),
}
ENCOUNTER_CLASSES_V2 = {
    "R": "Recurring patient",
    "B": "Obstetrics",
    "C": "Commercial account",
    "N": "Not applicable",
    "U": "Unknown",
}

#: Table 0085 (OBX-11) → Observation.status. The guide maps A, C, D, F, P, W, X; FHIR needs one for each:
#:   B  appended report   → amended: final, then added to
#:   I  specimen in the laboratory, O order only, S partial (deprecated) → registered: nothing to rely on yet
#:   N  not asked         → final: that it was not asked is the result, said by dataAbsentReason
#:   R  entered, not verified → preliminary
#:   U  final without retransmission, V verified → final
OBSERVATION_STATUSES = {
    "A": "amended",
    "B": "amended",
    "C": "corrected",
    "D": "entered-in-error",
    "F": "final",
    "I": "registered",
    "N": "final",
    "O": "registered",
    "P": "preliminary",
    "R": "preliminary",
    "S": "registered",
    "U": "final",
    "V": "final",
    "W": "entered-in-error",
    "X": "cancelled",
}

#: Table 0123 (OBR-25) → DiagnosticReport.status. The guide maps R to partial; FHIR calls what is not verified
#: preliminary, and so do we, as for OBX-11. A (some results) is partial; M (corrected, not final) preliminary;
#: N (done, results pending) registered; Y and Z (no such order, no such patient) unknown.
REPORT_STATUSES = {
    "A": "partial",
    "C": "corrected",
    "F": "final",
    "I": "registered",
    "M": "preliminary",
    "N": "registered",
    "O": "registered",
    "P": "preliminary",
    "R": "preliminary",
    "S": "registered",
    "X": "cancelled",
    "Y": "unknown",
    "Z": "unknown",
}

#: Table 0038 (ORC-5) → DiagnosticReport.status, asked only when OBR-25 is empty and no OBX says more.
ORDER_STATUSES = {
    "A": "partial",
    "CA": "cancelled",
    "CM": "final",
    "DC": "cancelled",
    "ER": "entered-in-error",
    "IP": "registered",
    "SC": "registered",
}

#: What a result of a status lacks when it has no value, as data-absent-reason.
ABSENT_BY_STATUS = {
    "X": ("not-performed", "Not Performed"),
    "N": ("not-asked", "Not Asked"),
    "I": ("temp-unknown", "Temporarily Unknown"),
    "O": ("temp-unknown", "Temporarily Unknown"),
    "S": ("temp-unknown", "Temporarily Unknown"),
    "P": ("temp-unknown", "Temporarily Unknown"),
}
ABSENT_OTHERWISE = ("unknown", "Unknown")

#: Table 0078 codes that v3-ObservationInterpretation has too, with their names.
INTERPRETATIONS = {
    "<": "Off scale low",
    ">": "Off scale high",
    "A": "Abnormal",
    "AA": "Critical abnormal",
    "B": "Better",
    "CAR": "Carrier",
    "D": "Significant change down",
    "DET": "Detected",
    "E": "Equivocal",
    "EX": "outside threshold",
    "EXP": "Expected",
    "H": "High",
    "HH": "Critical high",
    "HU": "Significantly high",
    "I": "Intermediate",
    "IE": "Insufficient evidence",
    "IND": "Indeterminate",
    "L": "Low",
    "LL": "Critical low",
    "LU": "Significantly low",
    "MS": "Moderately susceptible",
    "N": "Normal",
    "NCL": "No CLSI defined breakpoint",
    "ND": "Not detected",
    "NEG": "Negative",
    "NR": "Non-reactive",
    "NS": "Non-susceptible",
    "POS": "Positive",
    "R": "Resistant",
    "RR": "Reactive",
    "S": "Susceptible",
    "SDD": "Susceptible-dose dependent",
    "SYN-R": "Synergy - resistant",
    "SYN-S": "Synergy - susceptible",
    "TOX": "Cytotoxic substance present",
    "U": "Significant change up",
    "UNE": "Unexpected",
    "VS": "Very susceptible",
    "W": "Worse",
    "WR": "Weakly reactive",
}

#: Table 0074 (OBR-24) codes that are imaging, and those that are neither imaging nor laboratory; others are laboratory.
IMAGING_SECTIONS = ("RAD", "RUS", "NMR", "CT", "NMS", "RX", "VUS", "XRC", "CUS", "OUS", "RT", "CTH")
OTHER_SECTIONS = ("CG", "CP", "EC", "EN", "NRS", "PAR", "PF", "PHR", "PHY", "PT", "OT", "OSL", "RC", "SP", "AU")

#: Table 0127 → AllergyIntolerance.category and whether it is an allergy at all.
ALLERGEN_CATEGORIES = {
    "DA": "medication",
    "FA": "food",
    "EA": "environment",
    "AA": "biologic",
    "PA": "environment",
    "LA": "environment",
}
ALLERGEN_TYPES = ("DA", "FA", "MA", "EA", "AA", "PA", "LA")
#: Table 0128. A severe reaction is a high criticality; what is moderate says nothing of the next time.
CRITICALITIES = {"SV": "high", "MI": "low"}
SEVERITIES = {"SV": "severe", "MO": "moderate", "MI": "mild"}

#: ED-2/ED-3 and RP-3/RP-4 subtypes (tables 0191, 0291) → media type.
MEDIA_TYPES = {
    "PDF": "application/pdf",
    "XML": "text/xml",
    "HTML": "text/html",
    "RTF": "text/rtf",
    "PLAIN": "text/plain",
    "JPEG": "image/jpeg",
    "JPG": "image/jpeg",
    "GIF": "image/gif",
    "PNG": "image/png",
    "TIFF": "image/tiff",
    "DICOM": "application/dicom",
    "X-HL7-CDA-LEVEL-ONE": "text/xml",
}
