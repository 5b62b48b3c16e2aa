"""The style sheet of the page, for screens of any width, in light and dark, and for paper."""

from __future__ import annotations

from typing import Final

STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --text: #16191f; --quiet: #545b64; --line: #c6ccd3;
  --panel: #f4f6f8; --accent: #0b62a8; --action: #e7f1fb; --rule: #fdf1dc; --target: #e6f4ea;
  --warning: #8a4b00; }
@media (prefers-color-scheme: dark) { :root { --page: #14181d; --text: #e6e9ed; --quiet: #a3adb8;
  --line: #3d4650; --panel: #1d232a; --accent: #7cb9f2; --action: #17324b; --rule: #423114;
  --target: #173823; --warning: #f0b46a; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; background: var(--page); color: var(--text);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
  overflow-wrap: anywhere; }
h1, h2, h3, h4, p, li, dd, summary, code, text { unicode-bidi: isolate; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: .5rem 0; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .5rem; }
h3 { font-size: 1.05rem; margin: 1.5rem 0 .25rem; }
h4 { font-size: .95rem; margin: 1rem 0 .25rem; }
a { color: var(--accent); }
article { border-top: 1px solid var(--line); margin-top: 2rem; padding-top: 1.5rem; }
.quiet { color: var(--quiet); }
.note { color: var(--warning); }
dl { display: grid; grid-template-columns: minmax(6rem, max-content) 1fr; gap: .25rem 1rem; margin: .5rem 0; }
dt { color: var(--quiet); } dd { margin: 0; }
ul { margin: .25rem 0; padding-left: 1.25rem; }
nav ul { columns: 18rem; column-gap: 2rem; }
code, pre { font: .85rem/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
pre { background: var(--panel); border: 1px solid var(--line); border-radius: 6px; margin: .5rem 0;
  padding: .75rem; white-space: pre-wrap; }
summary { cursor: pointer; padding: .35rem 0; }
.diagram { display: block; width: 100%; height: auto; margin: 1rem 0; }
.narrow { display: none; }
.diagram rect { stroke: var(--line); }
.diagram text { fill: var(--text); font-size: 13px; }
.diagram .kind { fill: var(--quiet); font-size: 12px; }
.diagram .line { fill: none; stroke: var(--quiet); stroke-width: 1.5; }
.diagram .head { fill: var(--quiet); }
.action rect { fill: var(--action); } .rule rect { fill: var(--rule); } .target rect { fill: var(--target); }
.off rect { fill: var(--panel); stroke-dasharray: 5 4; }
@media screen and (max-width: 44rem) { .wide { display: none; } .narrow { display: block; }
  dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: .4rem; } }
@media print { :root { color-scheme: light; --page: #fff; --text: #000; --quiet: #444; --line: #999;
  --panel: #fff; --accent: #000; --action: #fff; --rule: #fff; --target: #fff; --warning: #000; }
  body { max-width: none; padding: 0; font-size: 10pt; } nav { display: none; }
  h2, h3, h4, summary, .diagram { break-inside: avoid; break-after: avoid; }
  ::details-content { content-visibility: visible; display: block; block-size: auto; }
  a { text-decoration: none; } }
"""
