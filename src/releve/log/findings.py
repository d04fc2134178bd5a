"""What a verification found: sentences with codes. None found is the proof."""

from __future__ import annotations

from dataclasses import dataclass, field

#: Beyond this many, more sentences help nobody; that there are more is said.
FINDINGS_MAX = 200


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: the code is for machines, the sentence names what and where."""

    code: str
    sentence: str


@dataclass
class Findings:
    """What was found, and how much was looked at.

    checked  events looked at
    total    how many things were found, those beyond FINDINGS_MAX included
    """

    found: list[Finding] = field(default_factory=list)
    checked: int = 0
    total: int = 0

    @property
    def is_clean(self) -> bool:
        """Say whether nothing was found."""
        return self.total == 0

    def add(self, code: str, sentence: str) -> None:
        """Note one more."""
        self.total += 1
        if len(self.found) < FINDINGS_MAX:
            self.found.append(Finding(code, sentence))

    def sentences(self) -> list[str]:
        """Return what was found in words, and how many more there are."""
        lines = [one.sentence for one in self.found]
        if self.total > len(self.found):
            lines.append(f"… and {self.total - len(self.found)} more.")
        return lines
