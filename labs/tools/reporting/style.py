"""The page's colours and sizes, for light and for dark screens."""

STYLE = """
:root { color-scheme: light dark; --page: #fcfcfa; --ink: #1d1f21; --faint: #80858a;
  --line: #d9dbdd; --card: #f1f2f0; --follower: #9aa3ad; --candidate: #e0a11b;
  --leader: #2f9e5b; --bad: #cf3535; --arrow: #5b6672; --vote: #7a53c4; --read: #dbe7f6;
  --write: #f5e6cb; --done: #dff2e5; }
@media (prefers-color-scheme: dark) { :root { --page: #16181b; --ink: #e4e6e8;
  --faint: #8b929a; --line: #363b41; --card: #202328; --follower: #6d7782;
  --candidate: #d9a336; --leader: #3fb56e; --bad: #ef6461; --arrow: #a3adb8;
  --vote: #b08cf0; --read: #26364a; --write: #46391f; --done: #1d3a29; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 1500px; padding: 24px; background: var(--page);
  color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 24px; margin: 2px 0 14px; line-height: 1.25; }
h2 { font-size: 18px; margin: 34px 0 8px; }
small, .legend { color: var(--faint); }
code, pre, svg text { font-family: ui-monospace, SFMono-Regular, Menlo, "DejaVu Sans Mono",
  monospace; }
code, pre { font-size: 13px; }
pre { background: var(--card); padding: 12px 14px; border-radius: 8px; overflow-x: auto; }
.wide { overflow-x: auto; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 6px 18px; margin: 0;
  padding: 14px 18px; background: var(--card); border-left: 5px solid var(--bad);
  border-radius: 8px; }
dt { color: var(--faint); } dd { margin: 0; overflow-wrap: anywhere; }
.legend { font-size: 13px; max-width: 900px; }
.key { display: inline-block; width: 22px; height: 6px; border-radius: 3px; margin: 0 5px 2px 8px;
  background: var(--follower); }
.key.candidate { background: var(--candidate); } .key.leader { background: var(--leader); }
.key.down { background: none; border-top: 2px dotted var(--bad); height: 2px; }
.pillkey { border: 1px solid var(--faint); border-radius: 8px; padding: 0 6px; font-size: 12px; }
.end { color: var(--bad); font-weight: 600; margin: 6px 0 0; }
svg text { font-size: 11.5px; fill: var(--ink); }
svg .head { font-size: 15px; font-weight: 700; text-anchor: middle; }
svg .again { font-weight: 700; fill: var(--faint); }
svg .sub { text-anchor: middle; fill: var(--faint); }
svg .time, svg text.gap { text-anchor: end; fill: var(--faint); font-size: 10.5px; }
svg line.gap { stroke: var(--line); stroke-dasharray: 2 5; }
.lane { stroke: var(--follower); stroke-width: 3; }
.lane.pre-candidate { stroke: var(--candidate); stroke-dasharray: 5 3; stroke-width: 4; }
.lane.candidate { stroke: var(--candidate); stroke-width: 5; }
.lane.leader { stroke: var(--leader); stroke-width: 7; }
.lane.down { stroke: var(--bad); stroke-width: 2; stroke-dasharray: 1 6; }
.dot { fill: var(--ink); }
.life { text-anchor: middle; font-size: 17px; font-weight: 700; }
.life.crash { fill: var(--bad); } .life.start { fill: var(--leader); }
.pill rect { fill: var(--page); stroke: var(--follower); stroke-width: 1.5; }
.pill.candidate rect, .pill.pre-candidate rect { stroke: var(--candidate); }
.pill.leader rect { stroke: var(--leader); fill: var(--done); }
.pill text { text-anchor: middle; font-size: 10.5px; font-weight: 700; }
.commit { text-anchor: end; fill: var(--leader); font-size: 10.5px; font-weight: 700; }
.arrow line { stroke: var(--arrow); stroke-width: 1.3; }
.arrow text { font-size: 9.5px; text-anchor: middle; fill: var(--arrow);
  paint-order: stroke; stroke: var(--page); stroke-width: 3px; }
.arrow.vote line { stroke: var(--vote); } .arrow.vote text { fill: var(--vote); }
.arrow.lost line { stroke: var(--bad); stroke-dasharray: 5 4; }
.arrow.lost path { stroke: var(--bad); stroke-width: 2; fill: none; }
.arrow.flight line { stroke: var(--faint); stroke-dasharray: 2 4; }
.arrow.flight circle { fill: var(--page); stroke: var(--faint); }
.arrow:hover line { stroke-width: 3; }
#tip path { fill: var(--arrow); }
.band { fill: var(--card); } .band.fault, .band.end { fill: var(--bad); opacity: .13; }
.words .who { font-weight: 700; } .words .decided { font-weight: 700; }
.words .effects { fill: var(--faint); }
.band.mend { fill: var(--leader); opacity: .13; }
text.fold { fill: var(--faint); font-style: italic; }
text.command { fill: var(--faint); } text.mend { fill: var(--leader); font-weight: 700; }
text.fault, text.end { fill: var(--bad); font-weight: 700; }
table { border-collapse: collapse; font-size: 13px; }
.logs th, .logs td { border: 1px solid var(--line); padding: 3px 9px; text-align: left; }
.logs td { font-family: ui-monospace, monospace; white-space: nowrap; }
.logs .committed { background: var(--done); box-shadow: inset 4px 0 var(--leader); }
.logs .differs { outline: 2px solid var(--bad); outline-offset: -2px; }
.logs .none { background: var(--card); color: var(--faint); }
.bar rect { fill: var(--write); stroke: var(--line); } .bar.read rect { fill: var(--read); }
.bar.open rect { stroke-dasharray: 4 3; } .bar.bad rect { stroke: var(--bad); stroke-width: 3; }
.bar.bad text { font-weight: 700; }
"""
