#!/usr/bin/env python3
"""shot: the picture of a terminal screen as SVG, from its text with colours.

    tmux capture-pane -N -e -p -t PANE | assets/shot.py COLUMNSxROWS > OUT.svg

Lines, blocks and braille are drawn and words are stretched to their cells, so that no reader's font can leave gaps or push
a column aside. Needs nothing but Python. Wide characters are not known here: the screen has none."""
import re
import sys
from collections import Counter
from xml.sax.saxutils import escape

W, H, SIZE, BASE = 10, 21, 16.6, 15.5  # a cell, the font's size, where its letters stand
ANSI = ['000000', 'cd3131', '0dbc79', 'e5e510', '2472c8', 'bc3fbc', '11a8cd', 'cccccc',
        '666666', 'f14c4c', '23d18b', 'f5f543', '3b8eea', 'd670d6', '29b8db', 'f2f2f2']
# The arms left, right, up and down: 1 thin, 2 thick.
LINES = {'─': (1, 1, 0, 0), '│': (0, 0, 1, 1), '┌': (0, 1, 0, 1), '┐': (1, 0, 0, 1), '└': (0, 1, 1, 0), '┘': (1, 0, 1, 0),
         '├': (0, 1, 1, 1), '┤': (1, 0, 1, 1), '┬': (1, 1, 0, 1), '┴': (1, 1, 1, 0), '┼': (1, 1, 1, 1), '━': (2, 2, 0, 0),
         '┃': (0, 0, 2, 2), '╸': (2, 0, 0, 0), '╺': (0, 2, 0, 0), '╾': (2, 1, 0, 0), '╼': (1, 2, 0, 0)}
DASHES = {'╌': 2, '┄': 3, '┊': 4}  # how many in a cell; the last stands upright
DOTS = ((0, 0, 1), (0, 1, 2), (0, 2, 4), (1, 0, 8), (1, 1, 16), (1, 2, 32), (0, 3, 64), (1, 3, 128))


def indexed(n):
    if n < 16:
        return ANSI[n]
    if n >= 232:
        return '%02x' % (8 + (n - 232) * 10) * 3
    n -= 16
    return ''.join('%02x' % (v and 55 + v * 40) for v in (n // 36, n // 6 % 6, n % 6))


def sgr(state, codes):
    """Applies one SGR sequence to (foreground, background, attributes)."""
    fg, bg, at = state
    codes = iter([int(c or 0) for c in codes.replace(':', ';').split(';')])
    for c in codes:
        if c == 0: fg, bg, at = None, None, frozenset()
        elif c in (1, 2, 4, 7): at |= {c}
        elif c == 22: at -= {1, 2}
        elif c in (24, 27): at -= {c - 20}
        elif 30 <= c <= 37: fg = ANSI[c - 30]
        elif 90 <= c <= 97: fg = ANSI[c - 82]
        elif 40 <= c <= 47: bg = ANSI[c - 40]
        elif 100 <= c <= 107: bg = ANSI[c - 92]
        elif c == 39: fg = None
        elif c == 49: bg = None
        elif c in (38, 48):
            colour = indexed(next(codes)) if next(codes) == 5 else '%02x%02x%02x' % (next(codes), next(codes), next(codes))
            fg, bg = (colour, bg) if c == 38 else (fg, colour)
    return fg, bg, at


def cells(text):
    """Rows of (character, foreground, background, attributes)."""
    rows, state = [], (None, None, frozenset())
    for line in text.split('\n'):
        row = []
        for escaped, codes, char in re.findall(r'(\x1b\[([0-9;:]*)m|\x1b\[[0-9;?]*[A-Za-z])|([^\x1b])', line):
            if char:
                row.append((char, *state))
            elif escaped.endswith('m'):
                state = sgr(state, codes)
        rows.append(row)
    return rows


def box(x, y, w, h):
    return f'M{x:g} {y:g}h{w:g}v{h:g}h{-w:g}z'


def shape(char, x, y):
    """What is drawn in a cell, as a path; nothing for what is written."""
    code, cx, cy, thick = ord(char), x + W / 2, y + H / 2, (0, 1.2, 2.6)
    if char in LINES:
        left, right, up, down = (thick[arm] for arm in LINES[char])
        parts = [(left, x, cy - left / 2, W / 2, left), (right, cx, cy - right / 2, W / 2, right),
                 (up, cx - up / 2, y, up, H / 2), (down, cx - down / 2, cy, down, H / 2)]
        return ''.join(box(*part) for on, *part in parts if on)
    if char == '┊':
        return ''.join(box(cx - .5, y + (i + .2) * H / 4, 1, H / 8) for i in range(4))
    if char in DASHES:
        n = DASHES[char]
        return ''.join(box(x + (i + .15) * W / n, cy - .6, W / n * .6, 1.2) for i in range(n))
    if 0x2581 <= code <= 0x2588:
        high = H * (code - 0x2580) / 8
        return box(x, y + H - high, W, high)
    if 0x2589 <= code <= 0x258f:
        return box(x, y, W * (0x2590 - code) / 8, H)
    if code == 0x2580:
        return box(x, y, W, H / 2)
    if 0x2800 <= code <= 0x28ff:
        at = [(x + (dx + .5) * W / 2 - 1.2, y + (dy + .5) * H / 4 - 1.2) for dx, dy, bit in DOTS if code - 0x2800 & bit]
        return ''.join(box(left, top, 2.4, 2.4) for left, top in at)
    return ''


def svg(rows, columns, height):
    rows = [(row + [(' ', None, None, frozenset())] * columns)[:columns] for row in (rows + [[]] * height)[:height]]
    ground = Counter(bg for row in rows for _, _, bg, _ in row if bg).most_common(1)[0][0]
    grounds, shapes, words = {}, {}, []
    for y, row in enumerate(rows):
        run = None  # where it begins, its text, colour and weight
        for x, (char, fg, bg, at) in enumerate([*row, (' ', None, None, frozenset())]):
            fg, bg = fg or 'c8d0da', bg or ground
            if 7 in at: fg, bg = bg, fg
            if bg != ground and x < columns:
                grounds.setdefault((bg, y), []).append(x)
            drawn = shape(char, x * W, y * H)
            if drawn:
                shapes.setdefault(fg, []).append(drawn)
            style = (fg, 1 in at, 2 in at, 4 in at)
            plain = char.isascii()
            ends = drawn or char == ' ' or not run or run[2:] != (style, True) or not plain
            if run and ends and not (char == ' ' and run[2:] == (style, True) and row[x + 1:x + 2] and row[x + 1][0] != ' '):
                words.append((run[0], y, run[1].rstrip(), run[2]))
                run = None
            if run:
                run = (run[0], run[1] + char, style, True)
            elif not drawn and char != ' ':
                run = (x, char, style, plain)
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {columns * W} {height * H}" font-size="{SIZE}" '
           'font-family="ui-monospace,\'JetBrains Mono\',\'DejaVu Sans Mono\',Menlo,Consolas,monospace">',
           f'<rect width="100%" height="100%" fill="#{ground}"/>']
    for (bg, y), xs in grounds.items():
        spans = [x for x in xs if x - 1 not in xs], [x + 1 for x in xs if x + 1 not in xs]
        out.append(f'<path fill="#{bg}" d="{"".join(box(a * W, y * H, (b - a) * W, H) for a, b in zip(*spans))}"/>')
    out += [f'<path fill="#{fg}" d="{"".join(parts)}"/>' for fg, parts in shapes.items()]
    for x, y, text, (fg, bold, dim, under) in words:
        more = ' font-weight="700"' * bold + ' opacity=".6"' * dim + ' text-decoration="underline"' * under
        out.append(f'<text x="{x * W}" y="{y * H + BASE:g}" fill="#{fg}"{more} textLength="{len(text) * W}" '
                   f'lengthAdjust="spacingAndGlyphs">{escape(text)}</text>')
    return '\n'.join([*out, '</svg>\n'])


columns, height = map(int, sys.argv[1].split('x'))
sys.stdout.write(svg(cells(sys.stdin.read()), columns, height))
