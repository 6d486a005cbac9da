"""The turns of a call as a drawing: a bar per part, on a scale of milliseconds. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final
from xml.sax.saxutils import escape

from voxbus_cli.call.waterfall import bars

_COLOURS: Final = {
    "endpointing": "#7a8ba3",
    "recognition": "#4c78a8",
    "tools": "#b279a2",
    "model": "#f58518",
    "sentence": "#eeca3b",
    "voice": "#54a24b",
    "bus": "#e45756",
    "playout": "#9d755d",
}
_NAMES_PX: Final = 150
_SCALE_PX: Final = 620
_FIGURES_PX: Final = 80
_ROW_PX: Final = 20
_STEPS_MS: Final = (20, 50, 100, 200, 500, 1_000, 2_000, 5_000)


def drawing(turns: Sequence[Mapping[str, Any]]) -> str:
    """SVG; the answer after a tool is drawn under its turn."""
    waits = [wait for turn in turns for wait in _waits(turn)]
    longest_ms = max((total_ms for _, total_ms, _ in waits), default=1.0)
    scale = _SCALE_PX / max(1.0, longest_ms)
    rows: list[str] = []
    y = _ROW_PX
    for title, total_ms, parts in waits:
        rows.append(_text(8, y, f"{title}: {total_ms:.0f} ms", "font-weight='bold'"))
        y += _ROW_PX
        for bar in bars(parts):
            x, width = _NAMES_PX + bar.start_ms * scale, max(1.0, bar.ms * scale)
            colour = _COLOURS.get(bar.part, "#888888")
            rows.append(_text(20, y, bar.part))
            box = f"x='{x:.1f}' y='{y - 13}' width='{width:.1f}' height='16' fill='{colour}'"
            rows.append(f"<rect {box}/>")
            rows.append(_text(x + width + 5, y, f"{bar.ms:.0f}" if bar.ms >= 10 else f"{bar.ms:.1f}"))
            y += _ROW_PX
        y += _ROW_PX // 2
    height = y + _ROW_PX
    return _page(height, [*_grid(longest_ms, scale, height - _ROW_PX), *rows])


def _waits(turn: Mapping[str, Any]) -> list[tuple[str, float, Mapping[str, float]]]:
    """What the caller waited for: title, ms, parts."""
    waits = [(f"Turn {turn['turn']}", float(turn["v2v_ms"]), turn["parts"])]
    if turn.get("answer_ms") is not None:
        title = f"Turn {turn['turn']}, with the tool's result"
        waits.append((title, float(turn["answer_ms"]), turn.get("answer_parts") or {}))
    return waits


def _grid(longest_ms: float, scale: float, height: int) -> list[str]:
    step_ms = next((step for step in _STEPS_MS if longest_ms / step <= 10), _STEPS_MS[-1])
    lines: list[str] = []
    for at_ms in range(0, int(longest_ms) + 1, step_ms):
        x = _NAMES_PX + at_ms * scale
        lines.append(f"<line x1='{x:.1f}' x2='{x:.1f}' y1='6' y2='{height - 12}' stroke='#dddddd'/>")
        lines.append(_text(x, height + 4, f"{at_ms} ms" if at_ms else "0", "text-anchor='middle' fill='#666666'"))
    return lines


def _text(x: float, y: float, text: str, style: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' {style}>{escape(text)}</text>"


def _page(height: int, inside: Sequence[str]) -> str:
    width = _NAMES_PX + _SCALE_PX + _FIGURES_PX
    size = f"width='{width}' height='{height}' viewBox='0 0 {width} {height}'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {size} font-family='sans-serif' font-size='12'>"
    return "\n".join([head, "<rect width='100%' height='100%' fill='white'/>", *inside, "</svg>"]) + "\n"
