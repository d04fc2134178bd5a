from releve.translate.orders import orders_of
from releve.wire.hl7v2 import parse
from translate.scene import text


def _tree(*segments: str) -> list[tuple[str, list[tuple[bool, bool, int, list[int]]]]]:
    """Return, for each patient: its number and its orders as (has ORC, has OBR, notes, notes of each result)."""
    groups, _ = orders_of(parse(text(*segments, type_="ORU^R01")))
    return [
        (
            group.pid.get(3) if group.pid else "",
            [
                (o.orc is not None, o.obr is not None, len(o.notes), [len(r.notes) for r in o.results])
                for o in group.orders
            ],
        )
        for group in groups
    ]


def test_a_note_belongs_to_what_it_follows() -> None:
    tree = _tree("PID|1||A", "NTE|1", "OBR|1", "NTE|1", "NTE|2", "OBX|1", "NTE|1", "OBX|2")
    assert tree == [("A", [(False, True, 2, [1, 0])])]


def test_a_second_patient_begins_with_a_second_pid() -> None:
    tree = _tree("PID|1||A", "ORC|RE", "OBR|1", "OBX|1", "PID|2||B", "OBR|1", "OBX|1", "OBX|2")
    assert tree == [("A", [(True, True, 0, [0])]), ("B", [(False, True, 0, [0, 0])])]


def test_several_orders_may_follow_one_orc() -> None:
    tree = _tree("PID|1||A", "ORC|RE", "OBR|1", "OBX|1", "OBR|2", "OBX|1")
    assert tree == [("A", [(True, True, 0, [0]), (True, True, 0, [0])])]


def test_results_without_an_order_or_a_patient_are_not_lost() -> None:
    assert _tree("PID|1||A", "OBX|1") == [("A", [(False, False, 0, [0])])]
    assert _tree("OBR|1", "OBX|1") == [("", [(False, True, 0, [0])])]


def test_an_order_that_only_changes_its_status_is_remarked() -> None:
    _, remark = orders_of(parse(text("PID|1||A", "ORC|SC", type_="ORU^R01")))
    assert "ORC without OBR" in remark
