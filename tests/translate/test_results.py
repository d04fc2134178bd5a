import pytest

from releve.clock import to_iso
from releve.ids import computed_id
from releve.translate import Translation
from releve.translate.tables import OBSERVATION_STATUSES, REPORT_STATUSES
from translate.scene import codes, content, contents, edge, faults, needs_shared, observation, oru, said, statement

PID = "PID|1||42^^^CHU^PI"
OBR = "OBR|1|PL1|FL1|24323-8^Bilan^LN|||20260315080000|||||||||||||||20260315100000||HM|F"


def _observations(translation: Translation) -> list[str]:
    return [one.id for one in translation.statements if one.type == "Observation"]


def test_a_result_is_named_by_its_order_its_code_and_its_sub_id() -> None:
    translation = oru(PID, OBR, "OBX|1|NM|718-7^Hb^LN|2|13||||||F")
    assert computed_id("Observation", "urn:id:CHU", "FL1", "718-7", "2") == statement(translation, "Observation").id


def test_a_result_has_its_patient_its_times_its_range_and_its_flag() -> None:
    found = observation(
        "NM", "718-7^Hb^LN", "", "13.1", "g/dL^^UCUM", "12.0-16.0", "N", "", "", "F", "", "", "20260315075500",
        obr="1||FL1|X^^L|||20260315080000|||||||||||||||20260315100000||HM|F",
    )  # fmt: skip
    assert {"reference": f"Patient/{computed_id('Patient', 'urn:id:CHU', '42')}"} == found["subject"]
    assert found["effectiveDateTime"] == "2026-03-15T07:55:00+01:00"
    assert found["issued"] == "2026-03-15T10:00:00+01:00"
    assert found["referenceRange"][0]["text"] == "12.0-16.0"
    assert found["interpretation"][0]["coding"][0]["code"] == "N"
    assert found["category"][0]["coding"][0]["code"] == "laboratory"


def test_the_time_that_orders_versions_is_when_the_laboratory_said_so() -> None:
    obx = "OBX|1|NM|718-7||13||||||F|||20260315080000"
    assert to_iso(statement(oru(PID, OBR, obx), "Observation").at) == "2026-03-15T09:00:00.000Z"
    unissued = oru(PID, "OBR|1||FL1|X|||20260315080000", obx)
    assert to_iso(statement(unissued, "Observation").at) == "2026-03-15T08:30:00.000Z"


@pytest.mark.parametrize(("code", "status"), sorted(OBSERVATION_STATUSES.items()))
def test_every_status_of_the_table_is_charted(code: str, status: str) -> None:
    assert status == observation("NM", "X", "", "5", "", "", "", "", "", code)["status"]


def test_the_statuses_the_guide_leaves_open_are_decided() -> None:
    expected = {"B": "amended", "I": "registered", "O": "registered", "R": "preliminary", "S": "registered"}
    expected |= {"U": "final", "V": "final"}
    assert expected == {code: OBSERVATION_STATUSES[code] for code in expected}


def test_a_status_that_is_missing_or_unknown_is_told_from_the_order_or_unknown() -> None:
    assert observation("NM", "X", "", "5", obr="1||FL1|X" + "|" * 21 + "F")["status"] == "final"
    assert observation("NM", "X", "", "5")["status"] == "unknown"
    assert observation("NM", "X", "", "5", "", "", "", "", "", "Q")["status"] == "unknown"


@pytest.mark.parametrize(("code", "status"), sorted(REPORT_STATUSES.items()))
def test_every_status_of_a_report_is_charted(code: str, status: str) -> None:
    translation = oru(PID, f"OBR|1||FL1|X{'|' * 21}{code}", "OBX|1|NM|X||5||||||F")
    assert status == content(translation, "DiagnosticReport")["status"]


@pytest.mark.parametrize(
    ("results", "orc", "status"),
    [
        ("FF", "", "final"),
        ("FP", "", "partial"),
        ("PP", "", "preliminary"),
        ("FC", "", "corrected"),
        ("XX", "", "cancelled"),
        ("II", "", "registered"),
        ("", "CM", "final"),
        ("", "CA", "cancelled"),
        ("", "", "unknown"),
    ],
)
def test_a_report_without_a_status_has_that_of_its_results(results: str, orc: str, status: str) -> None:
    obx = [f"OBX|{n}|NM|X{n}||5||||||{code}" for n, code in enumerate(results, 1)]
    translation = oru(PID, f"ORC|RE||||{orc}", "OBR|1||FL1|X", *obx)
    assert status == content(translation, "DiagnosticReport")["status"]


def test_a_report_holds_its_results_its_numbers_and_its_comment() -> None:
    translation = oru(PID, OBR, "NTE|1|L|Prélèvement hémolysé", "OBX|1|NM|A||1||||||F", "OBX|2|NM|B||2||||||F")
    report = content(translation, "DiagnosticReport")
    assert [f"Observation/{id_}" for id_ in _observations(translation)] == [
        one["reference"] for one in report["result"]
    ]
    assert (report["identifier"][0]["system"], report["identifier"][0]["value"]) == ("urn:id:CHU", "FL1")
    assert report["basedOn"][0]["identifier"]["value"] == "PL1"
    assert report["conclusion"] == "Prélèvement hémolysé"
    assert (
        computed_id("DiagnosticReport", "urn:id:CHU", "FL1", "24323-8") == statement(translation, "DiagnosticReport").id
    )


def test_a_comment_on_a_result_is_read_with_it() -> None:
    translation = oru(PID, OBR, "OBX|1|NM|A||1||||||C", "NTE|1|L|Inversion~de tube", "NTE|2|L|Signé")
    assert content(translation, "Observation")["note"] == [{"text": "Inversion\nde tube"}, {"text": "Signé"}]


def test_the_order_number_may_stand_in_orc_only() -> None:
    in_obr = oru(PID, "ORC|RE|PL1|FL1", "OBR|1|PL1|FL1|X", "OBX|1|NM|A||1||||||F")
    in_orc = oru(PID, "ORC|RE|PL1|FL1", "OBR|1|||X", "OBX|1|NM|A||1||||||F")
    assert _observations(in_obr) == _observations(in_orc)


def test_without_any_order_number_patients_and_days_are_not_mixed() -> None:
    def name(patient: str, day: str) -> str:
        translation = oru(f"PID|1||{patient}^^^CHU^PI", f"OBR|1|||X|||{day}", "OBX|1|NM|A||1||||||F")
        return _observations(translation)[0]

    assert name("42", "20260315") == name("42", "20260315")
    assert len({name("42", "20260315"), name("43", "20260315"), name("42", "20260316")}) == 3


def test_results_of_one_name_in_one_message_are_told_apart_and_remarked() -> None:
    translation = oru(PID, OBR, "OBX|1|ST|X^Un||a||||||F", "OBX|2|ST|X^Deux||b||||||F", "OBX|3|ST|X^Trois||c||||||F")
    assert len(set(_observations(translation))) == 3
    assert "hl7v2.result-repeated" in codes(translation)


def test_a_result_without_a_code_is_charted_under_its_order() -> None:
    translation = oru(PID, OBR, "OBX|1|ST|||a||||||F")
    assert content(translation, "Observation")["code"]["text"] == "Bilan"
    assert "hl7v2.result-unnamed" in codes(translation)


def test_a_time_that_cannot_be_read_does_not_lose_the_result() -> None:
    translation = oru(PID, "OBR|1||FL1|X|||hier", "OBX|1|NM|A||1||||||F|||pas une date")
    assert content(translation, "Observation")["valueQuantity"]["value"] == 1
    assert "hl7v2.time-unreadable" in codes(translation)


def test_method_performer_device_and_specimen_are_named() -> None:
    obx = "OBX|1|NM|A||1||||||F||||LAB^Labo|9^MARTIN^PAUL|M1^Cytométrie^L|XN-1000^Sysmex|||||Hôpital Nord"
    found = content(oru(PID, OBR, obx, "SPM|1|S1&&1.2.3.4&ISO^S2&&1.2.3.5&ISO||119297000^Sang^SCT"), "Observation")
    assert [one["display"] for one in found["performer"]] == ["PAUL MARTIN", "Hôpital Nord"]
    assert found["method"]["text"] == "Cytométrie"
    assert found["device"]["display"] == "XN-1000"
    assert (
        found["specimen"]["display"],
        found["specimen"]["identifier"]["system"],
        found["specimen"]["identifier"]["value"],
    ) == ("Sang", "urn:oid:1.2.3.5", "S2")


def test_everything_that_is_put_is_valid_fhir() -> None:
    obx = "OBX|1|NM|A||1|g/dL|1-2|H~QQ|||F|||20260315||LAB^Labo|9^MARTIN^PAUL|M1^Cyto^L|XN^S||S^Site^L|I1^SYS||Nord"
    translation = oru(PID, OBR, "NTE|1||x", obx, "NTE|1||y", "SPM|1|S1^S2||119297000^Sang^SCT")
    assert [fault for one in translation.statements if one.verb == "put" for fault in faults(one)] == []


ISOLATES = (
    "OBR|1|PLM|FLM|630-4^Culture^LN",
    "OBX|1|CWE|600-7^Germe^LN|1|112283007^Escherichia coli^SCT||||||F",
    "OBX|2|CWE|600-7^Germe^LN|2|3092008^Staphylococcus aureus^SCT||||||F",
)


def _parent(of: str, *isolates: str) -> Translation:
    child = f"OBR|2|PLM|AST|29576-6^AST^LN{'|' * 22}{of}|||PLM^FLM"
    return oru(PID, *isolates, child, "OBX|1|NM|18906-8^Cipro^LN||0.25||||||F")


def _germ(translation: Translation) -> list[str]:
    last = contents(translation, "Observation")[-1]
    return [one["reference"].removeprefix("Observation/") for one in last.get("derivedFrom", [])]


def test_a_susceptibility_hangs_on_its_germ_by_the_sub_id() -> None:
    for sub_id in ("1", "2"):
        germ = computed_id("Observation", "urn:id:CHU", "FLM", "600-7", sub_id)
        assert [germ] == _germ(_parent(f"600-7&Germe&LN^{sub_id}", *ISOLATES))
        assert [germ] == _germ(_parent(f"600-7&Germe&LN^{sub_id}"))  # the culture came in an earlier message


def test_a_parent_without_a_sub_id_is_found_by_its_text_or_not_at_all() -> None:
    unnumbered = tuple(line.replace("|1|112", "||112").replace("|2|309", "||309") for line in ISOLATES)
    second = computed_id("Observation", "urn:id:CHU", "FLM", "600-7", "", "#2")
    assert [second] == _germ(_parent("600-7&Germe&LN^^Staphylococcus aureus", *unnumbered))
    ambiguous = _parent("600-7&Germe&LN", *unnumbered)
    assert _germ(ambiguous) == []
    assert "hl7v2.parent-ambiguous" in codes(ambiguous)


def test_a_report_of_a_child_order_says_which_it_extends() -> None:
    reports = contents(_parent("600-7&Germe&LN^1", *ISOLATES), "DiagnosticReport")
    assert "extension" not in reports[0]
    assert reports[1]["extension"][0]["valueReference"]["identifier"]["value"] == "FLM"


@needs_shared
def test_two_patients_in_one_message_each_get_their_own_result() -> None:
    translation = said(edge("oru-two-patients"))
    patients = [computed_id("Patient", "urn:id:CHU-TEST", number) for number in ("000042", "000043")]
    results = [one for one in translation.statements if one.type == "Observation"]
    assert patients == [one.subject for one in results]
    assert [one["valueQuantity"]["value"] for one in contents(translation, "Observation")] == [13, 14]
    assert [f"Patient/{id_}" for id_ in patients] == [
        one["subject"]["reference"] for one in contents(translation, "Observation")
    ]


@needs_shared
def test_a_second_patient_that_cannot_be_named_costs_the_first_nothing() -> None:
    raw = edge("oru-two-patients").replace(b"000043^^^", b"^^^").replace(b"~200000000000094", b"~")
    translation = said(raw)
    assert len(_observations(translation)) == 1
    assert (translation.understood, translation.reason.split(":")[0]) == (False, "hl7v2.no-patient-number")


@needs_shared
def test_a_corrected_result_is_the_same_result_as_its_preliminary_and_later() -> None:
    first, second = said(edge("oru-preliminary")), said(edge("oru-corrected"))
    assert statement(first, "Observation").id == statement(second, "Observation").id
    assert [content(one, "Observation")["status"] for one in (first, second)] == ["preliminary", "corrected"]
    assert statement(first, "Observation").at < statement(second, "Observation").at


@needs_shared
def test_the_edge_result_of_sixteen_kinds_is_sixteen_results() -> None:
    translation = said(edge("oru-obx-types"))
    assert len(set(_observations(translation))) == 16
    assert [fault for one in translation.statements if one.verb == "put" for fault in faults(one)] == []
    kinds = [
        next((key for key in one if key.startswith("value")), "none") for one in contents(translation, "Observation")
    ]
    assert kinds[:5] == ["valueQuantity"] * 2 + ["valueRatio", "valueRange", "valueCodeableConcept"]
    assert kinds[5:11] == ["valueDateTime", "valueDateTime", "valueTime", "valueQuantity", "none", "none"]


@needs_shared
def test_the_edge_antibiogram_hangs_on_its_culture() -> None:
    translation = said(edge("oru-micro-parent-child"))
    germ = _observations(translation)[0]
    assert [[], [], [germ], [germ]] == [
        [ref["reference"].removeprefix("Observation/") for ref in one.get("derivedFrom", [])]
        for one in contents(translation, "Observation")
    ]


@needs_shared
def test_the_edge_escapes_are_read_and_a_line_feed_inside_a_value_is_data() -> None:
    values = [one["valueString"] for one in contents(said(edge("oru-escapes")), "Observation")]
    assert values[0] == "pipe| caret^ amp& tilde~ back\\slash"
    assert values[1].split("\n")[:2] == ["ligne 1", "ligne 2"]
    assert values[2].startswith("café et ")
    assert values[3] == "C:\\temp \\Zxx\\ 5\\ fin"
    assert values[4] == "un\ndeux~trois"
    assert content(said(edge("bare-lf-inside-obx5")), "Observation")["valueString"] == "ligne un\nligne deux"


@needs_shared
def test_the_edge_hour_that_occurs_twice_is_flagged() -> None:
    translation = said(edge("dst-ambiguous-local-time"))
    assert content(translation, "Observation")["effectiveDateTime"] == "2026-10-25T02:30:00+02:00"
    assert "hl7v2.time-ambiguous" in codes(translation)


def test_what_is_remembered_of_a_patient_is_said_again_and_so_is_every_remark() -> None:
    odd = "PID|1||42^^^CHU^PI||DOE^JANE||hier"
    sound = "PID|1||42^^^CHU^PI||DOE^JANE||19800214"
    for pid, remarks in ((odd, {"hl7v2.birth-date-unreadable"}), (sound, set())):
        first, again = oru(pid, OBR), oru(pid, OBR)
        assert first.statements == again.statements
        assert codes(first) == codes(again) == remarks
