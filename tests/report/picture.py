# SPDX-License-Identifier: MIT
"""An address space as a picture: the addresses of one side at the left, physical memory at the right, low addresses below.
Heights are no scale, or a page would be nothing beside a guest's memory; what is not mapped between two ranges is hatched."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from markupsafe import Markup, escape

from .blocked import Blocked
from .memory import Owned, Space, Span, owner_of
from .owners import Owners
from .record import size_text

WIDTH, LEFT, BAR, WALL, RIGHT, LABELS = 384, 104, 30, 190, 246, 282
TOP, BOTTOM, TALL, LOW, HIT, GAP = 26, 8, 48, 20, 32, 18
LARGE = 1 << 20
MOST_SPANS, MOST_HITS, LONGEST = 20, 10, 15


@dataclass
class _Row:
    """A piece of a column. `y` is that of its upper edge, once it has its place."""

    height: int
    address: int = 0
    size: int = 0
    owner: str = ""
    span: Span | None = None
    hit: Blocked | None = None
    y: float = 0.0
    targets: list[Blocked] = field(default_factory=list)

    @property
    def gap(self) -> bool:
        return self.size == 0 and self.hit is None


def _height(size: int) -> int:
    return TALL if size >= LARGE else LOW


def _column(rows: list[_Row]) -> list[_Row]:
    """With gaps wherever two neighbours are apart. A blocked access within what is mapped stands above it."""
    out: list[_Row] = []
    end = 0
    for row in rows:
        if row.address > end:
            out.append(_Row(GAP))
        out.append(row)
        end = max(end, row.address + row.size)
    return [*out, _Row(GAP)]


def _left(spans: Sequence[Span], hits: Sequence[Blocked], owner: str) -> list[_Row]:
    rows = [_Row(_height(span.size), span.address, span.size, owner, span) for span in spans]
    rows += [_Row(HIT, hit.address, hit=hit) for hit in hits]
    return _column(sorted(rows, key=lambda row: (row.address, row.hit is not None)))


def _right(spans: Sequence[Span], hits: Sequence[Blocked], memory: Sequence[Owned], owner: str) -> list[_Row]:
    rows = [_Row(_height(span.size), span.physical, span.size, owner_of(list(memory), span.physical) or owner, span)
            for span in spans]
    for hit in hits:
        reached = next((row for row in rows if row.address <= hit.address < row.address + row.size), None)
        whole = next((one for one in memory if one.physical <= hit.address < one.end), None)
        if reached is None and whole is not None:
            reached = _Row(max(_height(whole.size), HIT), whole.physical, whole.size, whole.owner)
            rows.append(reached)
        if reached is not None:
            reached.targets.append(hit)
    for row in rows:
        row.height = max(row.height, 12 * (len(row.targets) + 1))
    rows.sort(key=lambda row: row.address)
    for row, before in zip(rows, [None, *rows]):
        if before is None or before.owner != row.owner:
            row.height = max(row.height, HIT)  # for a name and an address
    return _column(rows)


def _place(rows: list[_Row], bottom: float) -> None:
    for row in rows:
        bottom -= row.height
        row.y = bottom


def _text(x: float, y: float, words: str, style: str, anchor: str = "start") -> Markup:
    return Markup('<text x="{:g}" y="{:g}" text-anchor="{}" class="{}">{}</text>').format(x, y, anchor, style, words)


def _box(x: float, row: _Row, style: str) -> Markup:
    return Markup('<rect x="{:g}" y="{:g}" width="{}" height="{}" class="{}"/>').format(
        x, row.y, BAR, row.height, style)


def _short(words: str) -> str:
    return words if len(words) <= LONGEST else words[:LONGEST - 1] + "…"


def _draw_left(rows: list[_Row], owners: Owners) -> list[Markup]:
    out = []
    for row in rows:
        middle = row.y + row.height / 2
        if row.hit is not None:
            out += [_box(LEFT, row, "nothing"),
                    Markup('<path d="M{} {:g}H{}" class="stopped"/>').format(LEFT, middle, WALL - 8),
                    Markup('<path d="M{0} {1:g}l12 12m0 -12l-12 12" class="cross"/>').format(WALL - 6, middle - 6),
                    _text(LEFT - 6, middle - 2, f"{row.hit.address:#x}", "address hit", "end"),
                    _text(LEFT - 6, middle + 11, row.hit.kinds, "small hit", "end")]
        elif row.gap:
            out.append(_box(LEFT, row, "nothing"))
        else:
            out += [_box(LEFT, row, f"owned {owners.style(row.owner)}"),
                    _text(LEFT - 6, row.y + row.height - 5, f"{row.address:#x}", "address", "end"),
                    _text(LEFT + BAR / 2, middle + 4, size_text(row.size), "inside", "middle")]
            if row.height >= TALL:
                out += [_text(LEFT - 6, row.y + 11, f"{row.address + row.size - 1:#x}", "address dim", "end"),
                        _text(LEFT - 6, middle + 4, row.span.rights.replace("-", ""), "small", "end")]
    return out


def _draw_right(rows: list[_Row], owners: Owners) -> list[Markup]:
    out = []
    for row in rows:
        middle = row.y + row.height / 2
        if row.gap:
            out.append(_text(RIGHT + BAR / 2, middle + 4, "⋮", "small", "middle"))
            continue
        out.append(_box(RIGHT, row, f"owned {owners.style(row.owner)}"))
        named = row.height >= HIT
        if named:
            out.append(_text(LABELS, middle - 2, _short(row.owner), "name"))
        out.append(_text(LABELS, middle + (12 if named else 4), f"{row.address:#x}", "address"))
    return out


def _joins(left: list[_Row], right: list[_Row], owners: Owners) -> list[Markup]:
    """Bands from addresses to memory, and where a blocked access would have led."""
    out = []
    for row in left:
        other = next((one for one in right if row.span is not None and one.span is row.span), None)
        if other is not None:
            out.append(Markup('<path d="M{} {:g}L{} {:g}V{:g}L{} {:g}Z" class="band {}"/>').format(
                LEFT + BAR, row.y, RIGHT, other.y, other.y + other.height, LEFT + BAR, row.y + row.height,
                owners.style(row.owner)))
    from_row = {id(row.hit): row for row in left if row.hit is not None}
    for other in right:
        for place, hit in enumerate(sorted(other.targets, key=lambda one: -one.address), 1):
            start = from_row[id(hit)]
            y = other.y + other.height * place / (len(other.targets) + 1)
            out.append(
                Markup('<path d="M{} {:g}L{} {:g}" class="never"/><circle cx="{}" cy="{:g}" r="3" class="never"/>').
                format(WALL + 8, start.y + start.height / 2, RIGHT - 7, y, RIGHT - 4, y))
    return out


def _sentence(space: Space, hits: Sequence[Blocked], what: str) -> str:
    parts = [f"{what} of {space.owner}:"]
    parts += [
        f"{span.address:#x} to {span.end - 1:#x} lead to {span.physical:#x} ({span.rights})." for span in space.spans
    ]
    parts += [
        f"{hit.address:#x} is blocked ({hit.kinds})" + (f"; there is memory of {hit.target}." if hit.target else ".")
        for hit in hits
    ]
    return " ".join(parts)


def picture(space: Space, hits: Sequence[Blocked], memory: Sequence[Owned], owners: Owners,
            heads: tuple[str, str]) -> Markup:
    """SVG for the page. `heads` stand over the left column and over the wall. What is left out is said below it."""
    spans = sorted(sorted(space.spans, key=lambda span: -span.size)[:MOST_SPANS], key=lambda span: span.address)
    shown = list(hits)[:MOST_HITS]
    left, right = _left(spans, shown, space.owner), _right(spans, shown, memory, space.owner)
    tall = max(sum(row.height for row in rows) for rows in (left, right))
    height = TOP + tall + BOTTOM
    for rows in (left, right):
        rows[-1].height += tall - sum(row.height for row in rows)  # both columns end at the top
        _place(rows, TOP + tall)
    left_out = [f"{count} more {what}" for count, what in ((len(space.spans) - len(spans), "ranges"),
                                                            (len(hits) - len(shown), "blocked addresses")) if count > 0]
    if left_out:
        height += 16
    body = [_text(LEFT + BAR / 2, 14, heads[0], "head", "middle"), _text(WALL, 14, heads[1], "head", "middle"),
            _text(RIGHT + BAR / 2 + 12, 14, "physical memory", "head", "middle"),
            *_joins(left, right, owners),
            Markup('<path d="M{} {}V{}" class="wall"/>').format(WALL, TOP - 4, TOP + tall),
            *_draw_left(left, owners), *_draw_right(right, owners)]
    if left_out:
        body.append(_text(WIDTH / 2, height - 5, f"not drawn: {', '.join(left_out)}", "small", "middle"))
    return Markup('<svg class="space" viewBox="0 0 {} {:g}" role="img" aria-label="{}">{}</svg>').format(
        WIDTH, height, escape(_sentence(space, shown, heads[0])), Markup("").join(body))
