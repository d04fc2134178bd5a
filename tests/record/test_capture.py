"""What people enter at a page: notes, unknown persons, merges; each form makes one fact."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from record.scene import NINE, SECOND, Scene, named, patient, patient_id
from releve.record.capture import (
    admission_draft,
    merge_draft,
    note_draft,
    reservation_draft,
    temporary_ids,
    unmerge_draft,
)
from releve.record.temporary import check_character, is_temporary_number, temporary_number


def test_a_note_is_shown_in_the_chart_with_author_and_time(scene: Scene) -> None:
    scene.tell(patient("1"))
    draft = note_draft(
        key="k1",
        patient_id=patient_id("1"),
        encounter_id="e1",
        text="Douleur à 9 h\nÉvaluée",
        author="u7",
        author_display="Inf. Y. Z.",
        at=NINE,
    )
    assert not scene.keep(draft).is_duplicate
    assert scene.keep(draft).is_duplicate
    chart = scene.fold().chart(patient_id("1"))
    assert chart is not None
    (shown,) = chart.documents
    assert (shown.kind, shown.text, shown.author, shown.at, shown.status) == (
        "note",
        "Douleur à 9 h\nÉvaluée",
        "Inf. Y. Z.",
        NINE,
        "final",
    )
    assert shown.sender == "u7"
    assert [one.kind for one in scene.views.outbox("dpi", 10)] == ["note"]


def test_an_unknown_person_is_admitted_with_a_number_of_this_node(scene: Scene) -> None:
    reserved = scene.keep(reservation_draft(key="form-1", author="u7"))
    number = temporary_number("H01", reserved.seq)
    draft = admission_draft(
        key="form-1",
        number=number,
        sex="male",
        description="tatouage, amené par les pompiers",
        ward="URG",
        room="3",
        bed="1",
        class_="EMER",
        author="u7",
        author_display="Inf. Y. Z.",
        at=NINE,
        birth_year=1980,
    )
    scene.keep(draft)
    (occupant,) = scene.fold().ward_list("URG")
    assert (occupant.family, occupant.ipp, occupant.is_temporary, occupant.is_known) == ("INCONNU", number, True, True)
    assert (occupant.patient_id, occupant.encounter_id) == temporary_ids(number)
    assert (occupant.bed, occupant.class_) == ("1", "EMER")
    assert [one.id for one in scene.views.find(number)] == [occupant.patient_id]
    assert [one.id for one in scene.views.find(number.lower())] == [occupant.patient_id]
    stay = scene.doc("Encounter", occupant.encounter_id)
    assert stay["reasonCode"] == [{"text": "tatouage, amené par les pompiers"}]


def test_a_double_click_gives_one_number_and_another_form_gives_another(scene: Scene) -> None:
    first = scene.keep(reservation_draft(key="form-1", author="u7"))
    again = scene.keep(reservation_draft(key="form-1", author="u7"))
    other = scene.keep(reservation_draft(key="form-2", author="u7"))
    numbers = [temporary_number("H01", receipt.seq) for receipt in (first, again, other)]
    assert numbers[0] == numbers[1] != numbers[2]


def test_a_person_who_gets_a_name_is_no_longer_temporary(scene: Scene) -> None:
    number = temporary_number("H01", 1)
    unknown, _ = temporary_ids(number)
    form = {"room": "", "bed": "", "author": "u", "author_display": "U", "description": ""}
    scene.keep(admission_draft(key="k", number=number, sex="unknown", ward="URG", class_="EMER", at=NINE, **form))
    scene.tell(patient("1", name=named("Connu")))
    scene.keep(merge_draft(key="m", loser_id=unknown, winner_id=patient_id("1"), author="u", at=NINE + SECOND))
    (occupant,) = scene.fold().ward_list("URG")
    assert (occupant.family, occupant.is_temporary, occupant.patient_id) == ("Connu", False, patient_id("1"))
    scene.keep(unmerge_draft(key="n", loser_id=unknown, winner_id=patient_id("1"), author="u", at=NINE + 2 * SECOND))
    (occupant,) = scene.fold().ward_list("URG")
    assert (occupant.family, occupant.is_temporary) == ("INCONNU", True)
    assert [one.kind for one in scene.views.outbox("dpi", 10)] == ["admission", "merge", "unmerge"]


def test_numbers_of_two_nodes_and_two_epochs_are_never_the_same() -> None:
    numbers = {temporary_number(node, 5, epoch=epoch) for node in ("H01", "H01b", "H02") for epoch in (1, 2)}
    assert len(numbers) == 6
    assert all(is_temporary_number(number) for number in numbers)


def test_the_check_character_is_that_of_the_standard() -> None:
    assert check_character("A12425GABC1234002") == "M"


@given(st.integers(0, 10**9), st.data())
def test_a_single_slip_is_noticed(count: int, data: st.DataObject) -> None:
    number = temporary_number("H07", count)
    assert is_temporary_number(f" {number.lower()} ")
    places = [n for n, letter in enumerate(number) if letter.isdigit()]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([one for one in "0123456789" if one != number[place]]))
    assert not is_temporary_number(number[:place] + digit + number[place + 1 :])
