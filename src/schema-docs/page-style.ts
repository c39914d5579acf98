/** The page's style sheet; the numbers of the tones are those of the services. */
export const PAGE_STYLE = `
:root {
  color-scheme: light dark;
  --page: #f6f7f9; --card: #ffffff; --ink: #1b2330; --soft: #566072; --line: #d7dce4; --faint: #eef0f4;
  --link: #1d56b8; --focus: #1d56b8; --phi: #9c1c40; --phi-page: #fde8ee; --mark: #fff1b8;
  --tone-0: #5b6677; --tone-1: #1d62c4; --tone-2: #0b7a5c; --tone-3: #9a4c00; --tone-4: #7a3fb5;
  --tone-5: #a8275f; --tone-6: #0d7490;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #11151b; --card: #191f28; --ink: #e5e9f0; --soft: #a3adbd; --line: #323b49; --faint: #222a35;
    --link: #8ab6ff; --focus: #8ab6ff; --phi: #ffa3bb; --phi-page: #47182a; --mark: #4d4310;
    --tone-0: #94a0b3; --tone-1: #7fb0ff; --tone-2: #52c9a3; --tone-3: #f0a45d; --tone-4: #c79bf5;
    --tone-5: #f58bb4; --tone-6: #62c6de;
  }
}
* { box-sizing: border-box; }
html { scroll-padding-top: 5rem; }
body { margin: 0; background: var(--page); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
a { color: var(--link); }
code, svg text { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: 0.875em; }
h1, h2, h3 { line-height: 1.25; margin: 0; }
h1 { font-size: 1.6rem; }
h2 { font-size: 1.2rem; }
h3 { font-size: 0.95rem; }
:focus-visible { outline: 3px solid var(--focus); outline-offset: 2px; border-radius: 4px; }
.skip { position: absolute; left: -999px; }
.skip:focus { left: 1rem; top: 0.5rem; z-index: 2; background: var(--card); padding: 0.5rem 1rem; }
header, .layout { max-width: 1760px; margin: 0 auto; padding: 0 1rem; }
header { padding-top: 1.5rem; padding-bottom: 1rem; }
header p { margin: 0.25rem 0 0; color: var(--soft); }
search { position: sticky; top: 0; z-index: 1; display: block; background: var(--page); border-bottom: 1px solid var(--line); }
form { max-width: 1760px; margin: 0 auto; padding: 0.6rem 1rem; display: flex; flex-wrap: wrap; gap: 0.5rem 1rem; align-items: center; }
.field { flex: 1 1 12rem; min-width: 0; max-width: 34rem; display: flex; align-items: center; gap: 0.6rem; }
input[type=search] { flex: 1; min-width: 0; font: inherit; color: inherit; background: var(--card); border: 1px solid var(--soft); border-radius: 6px; padding: 0.35rem 0.7rem; }
form label { font-weight: 600; }
form .only { font-weight: 400; display: flex; gap: 0.4rem; align-items: center; }
form .only input { width: 1.1rem; height: 1.1rem; accent-color: var(--link); }
output { color: var(--soft); font-size: 0.9rem; }
kbd { border: 1px solid var(--line); border-bottom-width: 2px; border-radius: 4px; padding: 0 0.4em; background: var(--card); font-size: 0.85em; color: var(--soft); }
nav { padding-top: 1rem; }
nav ul { list-style: none; margin: 0.5rem 0 0; padding: 0; display: flex; flex-wrap: wrap; gap: 0.1rem 1.2rem; }
nav li { min-width: 0; }
nav a { display: inline-flex; align-items: baseline; min-width: 0; padding: 0.2rem 0; text-decoration: none; }
nav a:hover { text-decoration: underline; }
nav .dot { flex: none; width: 0.65em; height: 0.65em; border-radius: 50%; margin-right: 0.5em; background: var(--tone); }
nav a { overflow-wrap: anywhere; }
nav .count { color: var(--soft); font-size: 0.85em; margin-left: 0.4em; }
nav h2, .figure h2 { font-size: 1rem; }
main { min-width: 0; }
section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 1rem; margin: 1rem 0; }
section.table { border-top: 4px solid var(--tone); }
section.table > h2 { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; }
section.table > h2 a { color: inherit; text-decoration: none; }
section.table > h2 a:hover { text-decoration: underline; }
section > p { margin: 0.3rem 0 0; max-width: 75ch; }
.origin { color: var(--soft); font-size: 0.9rem; }
.service { color: var(--tone); font-weight: 600; }
.badge { display: inline-block; font-size: 0.72rem; font-weight: 700; letter-spacing: 0.04em; line-height: 1.5; padding: 0 0.45em; border-radius: 4px; background: var(--faint); color: var(--soft); margin-left: 0.35em; white-space: nowrap; }
.badge.phi { background: var(--phi-page); color: var(--phi); }
table { border-collapse: collapse; width: 100%; margin-top: 0.9rem; font-size: 0.92rem; }
th { text-align: left; font-weight: 600; color: var(--soft); font-size: 0.82rem; }
th, td { padding: 0.4rem 0.9rem 0.4rem 0; vertical-align: top; border-bottom: 1px solid var(--line); }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
tbody th { color: inherit; font-size: inherit; font-weight: 400; }
tbody th a { color: inherit; text-decoration: none; font-weight: 600; }
tbody th a:hover { text-decoration: underline; }
tr:target > *, section.table:target > h2 { background: var(--mark); }
thead th, .typed { white-space: nowrap; }
.default { min-width: 10.5rem; overflow-wrap: anywhere; }
.holds { min-width: 11rem; }
.null, .none { color: var(--soft); }
.rules { margin: 0.9rem 0 0; font-size: 0.92rem; display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: 0.35rem 1.2rem; }
.rules dt { color: var(--soft); }
.rules dd { margin: 0; overflow-wrap: anywhere; }
.rules .name { color: var(--soft); }
.tone-0 { --tone: var(--tone-0); } .tone-1 { --tone: var(--tone-1); } .tone-2 { --tone: var(--tone-2); }
.tone-3 { --tone: var(--tone-3); } .tone-4 { --tone: var(--tone-4); } .tone-5 { --tone: var(--tone-5); }
.tone-6 { --tone: var(--tone-6); }
.diagram { display: block; width: 100%; height: auto; margin: 0.5rem auto 0; }
.diagram.wide { display: none; }
.diagram .card { fill: var(--card); stroke: var(--line); stroke-width: 1.25; }
.diagram .bar { fill: var(--tone); }
.diagram text { font-size: 12px; fill: var(--ink); }
.diagram .name { font-size: 13px; font-weight: 600; }
.diagram.narrow text { font-size: 11px; }
.diagram.narrow .name { font-size: 11.5px; }
.diagram .mark { fill: var(--soft); font-size: 10px; }
.diagram .more { fill: var(--soft); font-family: system-ui, sans-serif; }
.diagram text.phi { fill: var(--phi); }
.diagram .link path { fill: none; stroke: var(--tone); stroke-width: 1.5; }
.diagram .link.optional path:not(.end) { stroke-dasharray: 5 4; }
.diagram .box:hover .card, .diagram .box:focus-visible .card { stroke: var(--tone); stroke-width: 2.5; }
.diagram .box:focus-visible { outline: none; }
.diagram.picked .link:not(.picked) { opacity: 0.15; }
.diagram .link.picked path { stroke-width: 2.5; }
.legend { display: flex; flex-wrap: wrap; gap: 0.1rem 1.1rem; margin: 0.6rem 0 0; padding: 0; list-style: none; font-size: 0.85rem; color: var(--soft); }
.legend .dot { display: inline-block; width: 0.75em; height: 0.75em; border-radius: 3px; background: var(--tone); margin-right: 0.45em; }
[hidden] { display: none !important; }
@media screen and (max-width: 899px) {
  table, tbody, tr, th, td { display: block; }
  thead { display: none; }
  tbody tr { padding: 0.5rem 0; border-bottom: 1px solid var(--line); }
  tbody tr:last-child { border-bottom: 0; }
  th, td, th:last-child { border: 0; padding: 0.1rem 0; }
  .default, .holds { min-width: 0; }
  .typed { white-space: normal; }
  code, th, td { overflow-wrap: anywhere; }
  td[data-label]::before { content: attr(data-label) " "; color: var(--soft); font-size: 0.82rem; }
  td.empty { display: none; }
  .rules { display: block; }
  .rules dt { margin-top: 0.5rem; }
}
@media screen and (min-width: 560px) and (max-width: 899px) {
  tbody tr { display: grid; grid-template-columns: 13rem minmax(0, 1fr) max-content; column-gap: 1rem; }
  .default { text-align: right; }
  .holds { grid-column: 1 / 3; }
  .from { grid-column: 3; text-align: right; }
}
@media screen and (max-width: 559px) { kbd { display: none; } }
@media print, (min-width: 720px) {
  .diagram.wide { display: block; width: auto; max-width: 100%; }
  .diagram.narrow { display: none; }
  section { padding: 1.25rem; }
}
@media (min-width: 1100px) {
  .layout { display: grid; grid-template-columns: 17rem minmax(0, 1fr); gap: 1.75rem; }
  nav { position: sticky; top: 3.6rem; align-self: start; max-height: calc(100vh - 4rem); overflow-y: auto; padding: 1rem 4px; }
  nav ul { display: block; }
  nav li { display: flex; align-items: baseline; }
  nav .count { margin-left: auto; padding-left: 0.5rem; }
}
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth; } }
@media print {
  :root {
    color-scheme: light; --page: #fff; --card: #fff; --ink: #000; --soft: #444; --line: #bbb; --faint: #eee; --link: #000;
    --phi: #8a1238; --phi-page: #fbe3ea; --tone-0: #5b6677; --tone-1: #1d62c4; --tone-2: #0b7a5c; --tone-3: #9a4c00;
    --tone-4: #7a3fb5; --tone-5: #a8275f; --tone-6: #0d7490;
  }
  body { font-size: 10pt; }
  .origin, .legend { font-size: 9pt; }
  table, .rules { font-size: 8.5pt; }
  .badge { font-size: 7pt; }
  th, td { padding: 0.25rem 0.7rem 0.25rem 0; }
  .default { min-width: 7.5rem; }
  search, nav, .skip { display: none; }
  .layout { display: block; }
  header, .layout { max-width: none; padding: 0; }
  section { border-width: 1px 0 0; border-radius: 0; padding: 0.8rem 0; }
  .figure, tr, .rules dd { break-inside: avoid; }
  h2, .origin, thead { break-after: avoid; }
}
`
