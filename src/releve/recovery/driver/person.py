"""A step by hand: a person is told what to do, does it and ticks it off. The run waits; nothing here acts."""

from __future__ import annotations

from releve.estate import Command, Contact, Estate
from releve.recovery.driver.order import Launched, Order


class Person:
    """Says who does what; the run waits for the tick."""

    def __init__(self, estate: Estate) -> None:
        self._estate = estate

    async def carry_out(self, order: Order) -> Launched:
        """Refuse: only the run knows what people decided."""
        raise AssertionError(f"a person carries out {order.act} of {order.unit}: the run waits for the tick")

    def words(self, command: Command) -> str:
        """Return what is to be done and who does it."""
        what = command.words.en if command.words else "by hand"
        return f"{whom(self._estate.contacts.get(command.address))}: {what}"

    async def flaws(self, command: Command) -> list[str]:
        """Return that nobody can be called, when nobody can."""
        contact = self._estate.contacts.get(command.address)
        if contact is None:
            return ["nobody is named for this step by hand"]
        return [] if contact.phone else [f"{contact.name.en} has no phone number"]


def whom(contact: Contact | None, lang: str = "en") -> str:
    """Return a name with its phone number."""
    if contact is None:
        return "nobody is named"
    name = contact.name.in_language(lang)
    return f"{name}, {contact.phone}" if contact.phone else name
