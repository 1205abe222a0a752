# SPDX-License-Identifier: MIT
"""A colour for each owner, the same on the whole page. tests/report/test_page.py looks at them as colour-blind people do."""

from collections.abc import Iterable

# (light background, dark background). What is blocked has a colour of its own, and a cross.
GUESTS = (("#0072b2", "#56a8e0"), ("#e69f00", "#f0b429"), ("#009e73", "#2fc79c"), ("#8a3ffc", "#b78cff"),
          ("#cc79a7", "#bb3f9c"), ("#56b4e9", "#a6dcff"), ("#9a8f00", "#e8df5a"), ("#123c69", "#5e5ef9"))
BLOCKED = ("#c8102e", "#ff6b6b")
OTHERS = {"hypervisor": ("#4a5560", "#aab4be"), "firmware": ("#8d99a6", "#6f7b87"), "free": ("#c3cbd3", "#454f59")}
# Owners that are not guests, and by what they are shown.
_KIN = {"hypervisor": "hypervisor", "(PF driver)": "hypervisor", "loader": "firmware", "firmware": "firmware",
        "mmio": "firmware", "free": "free", "nobody": "free", "none": "free", "-": "free", "": "free"}


class Owners:
    """Which class of the style sheet an owner has: o1, o2, ... for guests in the order of the log, else a word."""

    def __init__(self, guests: Iterable[str]) -> None:
        self.guests = list(dict.fromkeys(guests))

    def style(self, owner: str) -> str:
        if owner in self.guests:
            return f"o{self.guests.index(owner) % len(GUESTS) + 1}"
        return "o-" + _KIN.get(owner, "free")

    def is_guest(self, owner: str) -> bool:
        return owner in self.guests


def variables(dark: bool) -> str:
    """The colours as the style sheet's variables."""
    column = int(dark)
    pairs = [(f"o{number}", pair[column]) for number, pair in enumerate(GUESTS, 1)]
    pairs += [(f"o-{name}", pair[column]) for name, pair in OTHERS.items()]
    return " ".join(f"--{name}: {colour};" for name, colour in [*pairs, ("blocked", BLOCKED[column])])


def rules() -> str:
    """Each owner's class sets --owner to its colour."""
    names = [f"o{number}" for number in range(1, len(GUESTS) + 1)] + [f"o-{name}" for name in OTHERS]
    return "\n".join(f".{name} {{ --owner: var(--{name}); }}" for name in names)
