"""One snapshot of the folder: read anew only where something was added."""

from dataclasses import replace

from releve.recovery.plan import make_plan

from .scene import Crisis


def test_a_page_is_another_one_only_when_something_changed(crisis: Crisis) -> None:
    first = crisis.reader.read()
    assert crisis.reader.read() is first
    crisis.tell("up", "record", 39)
    second = crisis.reader.read()
    assert second.version > first.version
    assert len(second.journal) == len(first.journal) + 1


def test_being_measured_again_is_no_change_and_another_state_is(crisis: Crisis) -> None:
    version = crisis.reader.read().version
    crisis.measured = [replace(one, at=one.at + 1) for one in crisis.measured]
    again = crisis.reader.read()
    assert (again.version, again.measured[0].at) == (version, crisis.measured[0].at)
    crisis.measured[0] = replace(crisis.measured[0], state="normal")
    assert crisis.reader.read().version > version


def test_a_line_that_cannot_be_read_hides_no_other(crisis: Crisis) -> None:
    count = len(crisis.reader.read().journal)
    with (crisis.path / "journal.jsonl").open("ab") as file:
        file.write(b'{"kind": "up"}\nnot json\n')
    crisis.tell("up", "record", 39)
    assert len(crisis.reader.read().journal) == count + 1


def test_a_plan_of_another_estate_is_not_shown(crisis: Crisis) -> None:
    crisis.plan(make_plan(crisis.estate))
    assert crisis.reader.read().plan is not None
    text = (crisis.path / "estate.toml").read_text().replace('id = "mail"', 'id = "post"')
    (crisis.path / "estate.toml").write_text(text)
    assert crisis.reader.read().plan is None


def test_an_estate_that_cannot_be_read_is_said_and_the_rest_is_shown(crisis: Crisis) -> None:
    (crisis.path / "estate.toml").write_text("[estate]\nname = 3\n")
    found = crisis.reader.read()
    assert found.estate is None
    assert "estate.toml" in found.fault
    assert found.journal


def test_the_last_run_is_the_one_that_is_shown(crisis: Crisis) -> None:
    crisis.tell("run-ended", minute=39)
    assert not crisis.reader.read().is_running
    crisis.tell("run-began", minute=39.5)
    found = crisis.reader.read()
    assert found.is_running
    assert [line.kind for line in found.run()] == ["run-began"]
