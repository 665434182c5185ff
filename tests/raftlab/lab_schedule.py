"""What a failed claim leaves behind: a schedule that right code passes.

A test looks, and does what suits what it saw: it gives a write to the leader it found,
and waits until that entry is applied. Code without the mistake may do otherwise by then.
So the schedule says what was done, and asks for nothing but what failed: that is its last
line. A wait becomes a time that ends early (`run 1s until applied 5 by 3`), what a node may
refuse is tried (`try propose at 1 set x 1`), and claims that held are left out."""

import re
from collections.abc import Iterable

UNTIL = re.compile(r"run until (.+?)(?: within (\S+))?")
WITHIN = "10s"  # of `run until`, where it says nothing else
REFUSABLE = re.compile(
    r"(propose|add|remove|promote|change|transfer|snapshot|deliver|again|stray|drop|sync"
    r"|client|do|get|set|append|incr|del) "
)
# When a node is down is its own affair then.
HARD = re.compile(r"crash .*\b(inside|at write)\b|disk \d+ ")
SERVERS = re.compile(r"(restart|crash|pause|resume|timeout|disk) ")


def told(lines: Iterable[str]) -> list[str]:
    """These lines as what was done, whatever came of it."""
    lines = list(lines)
    hard = any(map(HARD.match, lines))
    done = []
    for line in lines:
        bare = line.removeprefix("refused ")
        if bare.startswith("expect "):
            continue
        if found := UNTIL.fullmatch(bare):
            within = found[2] or WITHIN
            done.append(f"run {within}" + ("" if bare != line else f" until {found[1]}"))
        elif bare != line or REFUSABLE.match(bare) or (hard and SERVERS.match(bare)):
            done.append(f"try {bare}")
        else:
            done.append(bare)
    return done
