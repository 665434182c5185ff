"""How long the reports of one grading may still take, in this process and in all that it
has started: the processor's time, and the clock's on a machine that is busy with other
things. Who writes a single report has no limit."""

from __future__ import annotations

import math
import resource
import time

_processor = _clock = math.inf


def used() -> float:
    own, others = map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime


def limit(processor: float, clock: float) -> None:
    """From now on, so many seconds of each."""
    global _processor, _clock
    _processor, _clock = used() + processor, time.monotonic() + clock


def seconds() -> float:
    return max(0.0, min(_processor - used(), _clock - time.monotonic()))
