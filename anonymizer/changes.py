"""What a site's profile changes of single attributes, and what its general sentences may then no longer say."""

from __future__ import annotations

from dataclasses import dataclass

from anonymizer.engine.profile import Profile
from anonymizer.engine.rules import Rules
from anonymizer.lines import Line, line_of


@dataclass(frozen=True, slots=True)
class Change:
    """One override of a site.

    Attributes
    ----------
    tag : int
        Of the attribute.
    word : str
        What the site says.
    now, before : Line
        What happens, and what would without it.
    weakens : bool
        Whether it lets more stand than the profile.
    """

    tag: int
    word: str
    now: Line
    before: Line
    weakens: bool

    @property
    def name(self) -> str:
        """Return tag and keyword."""
        return f"{self.now.tag} {self.now.name}"

    @property
    def tells(self) -> bool:
        """Tell whether anything happens otherwise than without it."""
        return self.now.action != self.before.action

    @property
    def keeps_uid(self) -> bool:
        """Tell whether a UID stays that would be replaced or go."""
        return self.now.vr == "UI" and self.now.action.startswith("keep") and self.tells

    @property
    def loses(self) -> bool:
        """Tell whether a UID goes, or a sequence with what is in it, that would stay in some form."""
        return self.now.vr in {"UI", "SQ"} and self.now.action in {"remove", "empty"} and self.tells


def changes(rules: Rules) -> list[Change]:
    """Return what a site changes, attribute by attribute."""
    profile = rules.profile
    if not profile.overrides:
        return []
    without = Rules(Profile.of(profile.name, options=profile.options, words=profile.words))
    weakened = frozenset(rules.weakened)
    return [
        Change(tag, word, line_of(tag, rules), line_of(tag, without), tag in weakened)
        for tag, word in profile.overrides
    ]
