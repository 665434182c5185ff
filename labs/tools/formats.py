"""A verdict as the platforms of courses want it: JUnit XML, Gradescope's results.json,
and the JSON that GitHub Classroom's reporter adds up. None holds a time of the clock."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as xml
from typing import Any

from raftlab.grading import Claim
from verdict import UNCHECKED, Verdict

# A step of a workflow gets it as a variable, and Linux takes none of 128 KiB and more.
PACKED_BYTES_MAX = 120_000
TEXT_LENGTHS = (1_000_000, 4000, 1000, 250, 0)


def whole(verdict: Verdict, claim: Claim) -> str:
    """Why a claim failed, all of it, and how to see it again."""
    if claim.held and not verdict.problem:
        return ""
    if verdict.problem and claim is not verdict.claims[0]:
        return f"{verdict.problem.splitlines()[0].rstrip(':')}: the first claim says why."
    if verdict.problem:
        return verdict.problem
    facts = {"whose": verdict.blame(claim), "again": verdict.again(claim)}
    return "\n".join([claim.text, *(f"{name}: {told}" for name, told in facts.items() if told)])


def held(verdict: Verdict, claim: Claim) -> bool:
    return claim.held and not verdict.problem


def clean(text: str) -> str:
    """Without what XML 1.0 cannot say."""
    return re.sub("[^\\n\\t -\ud7ff\ue000-\ufffd]", "?", text)


def junit(verdict: Verdict) -> str:
    failed = [claim for claim in verdict.claims if not held(verdict, claim)]
    counts = {
        "tests": str(len(verdict.claims)), "failures": str(len(failed)),
        "errors": "0", "skipped": "0",
    }  # fmt: skip
    top = xml.Element("testsuites", counts)
    suite = xml.SubElement(top, "testsuite", {"name": f"lab {verdict.lab.number}", **counts})
    for claim in verdict.claims:
        name = f"step {claim.step}: {claim.words}"
        case = xml.SubElement(suite, "testcase", {
            "classname": f"lab{verdict.lab.number}", "name": name,
            "file": claim.file, "line": str(claim.line), "time": "0",
        })  # fmt: skip
        earned = claim.earned if held(verdict, claim) else 0
        facts = {"points": f"{earned}/{claim.points}", "rules": claim.rules}
        if not held(verdict, claim) and not verdict.problem:
            facts["replay"] = verdict.again(claim)
            if claim.seed is not None:
                facts["seed"] = str(claim.seed)
        properties = xml.SubElement(case, "properties")
        for key, value in facts.items():
            xml.SubElement(properties, "property", {"name": key, "value": clean(value)})
        if not held(verdict, claim):
            message = clean(whole(verdict, claim).split("\n")[0])
            failure = xml.SubElement(case, "failure", {"message": message, "type": "claim"})
            failure.text = clean(whole(verdict, claim))
    xml.indent(top)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + xml.tostring(top, "unicode") + "\n"


def gradescope(verdict: Verdict) -> dict[str, Any]:
    numbers: dict[int, int] = {}
    tests = []
    for claim in verdict.claims:
        numbers[claim.step] = numbers.get(claim.step, 0) + 1
        good = held(verdict, claim)
        tests.append({
            "name": f"{claim.words} ({claim.rules})",
            "number": f"{claim.step}.{numbers[claim.step]}",
            "score": claim.points if good else 0,
            "max_score": claim.points,
            "status": "passed" if good else "failed",
            "output": whole(verdict, claim),
            "output_format": "text",
            "visibility": "visible",
        })  # fmt: skip
    return {
        "score": verdict.earned,
        "output": told(verdict),
        "output_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "tests": tests,
    }


def told(verdict: Verdict) -> str:
    """What stands above the tests: they have their own texts."""
    lines = [verdict.problem, verdict.hint(), verdict.last_line()]
    if verdict.restored:
        lines.insert(0, "judged as handed out: " + ", ".join(verdict.restored))
    if verdict.unchecked:
        lines.insert(0, UNCHECKED)
    return "\n\n".join(line for line in lines if line)


def classroom(verdict: Verdict) -> dict[str, Any]:
    """Texts are cut where they are too long to be handed on."""
    for most in TEXT_LENGTHS:
        result = classroom_with(verdict, most)
        if len(packed(result)) <= PACKED_BYTES_MAX:
            break
    return result


def classroom_with(verdict: Verdict, most: int) -> dict[str, Any]:
    tests = []
    for claim in verdict.claims:
        good = held(verdict, claim)
        tests.append({
            "name": f"step {claim.step}: {claim.words}",
            "status": "pass" if good else "fail",
            "score": claim.points if good else 0,
            "message": cut(whole(verdict, claim), most),
            "test_code": verdict.again(claim),
            "filename": claim.file,
            "line_no": claim.line,
            "duration": 0,
        })  # fmt: skip
    status = "pass" if verdict.full else "error" if verdict.problem else "fail"
    return {"version": 1, "status": status, "max_score": verdict.points, "tests": tests}


def cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[:most] + "\n... (the report has it all)"


def packed(result: dict[str, Any]) -> str:
    """As a step of a workflow hands it on: one line."""
    return base64.b64encode(json.dumps(result).encode()).decode()
