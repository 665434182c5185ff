"""Lab 0: what a newcomer predicts of a cluster, and how they break it on purpose.

Where the lab is judged, its files are the student's; elsewhere, the solution's."""

import os
import re

from raftlab import build, lab_text
from raftlab.lab_world import microseconds
from raftlab.labs import World, lab

FOLDER = build.ROOT / "labs" / "0-tour"
DURATION = re.compile(r"\d{1,15}(us|ms|s|m|h)")
OFFERED = {"kept", "lost", "no-op", "command", "nothing"}
CUTS = {"partition", "isolate", "star", "cut"}
RUN_MINUTES_MAX = 10  # of virtual time, in one command
LOOKS = {"run", "timeout", "status", "expect", "log", "get", "flight"}


def text_of(name: str, world: World) -> str:
    judged = os.environ.get("RAFTLAB_LAB") == "0"
    path = FOLDER / name if judged else FOLDER / "solution" / name
    if not path.is_file():
        world.fail(f"{path.relative_to(build.ROOT)} is there", "`make lab0` writes it")
    try:
        return lab_text.read(path)
    except lab_text.Unreadable as problem:
        world.fail(f"{name} is a text", str(problem))


def commands(text: str) -> list[list[str]]:
    return [command.words for command in lab_text.commands(text, "")]


def answers(world: World) -> dict[str, str]:
    """Each question of answers.txt with what stands behind its colon, or nothing."""
    asked = re.findall(r"^([^#:\n]+):", (FOLDER / "start" / "answers.txt").read_text(), re.M)
    text = text_of("answers.txt", world)
    found = {key: re.findall(rf"^{re.escape(key)}:([^#\n]*)", text, re.M) for key in asked}
    if twice := [key for key, all_of in found.items() if len(all_of) > 1]:
        world.fail(f"one line `{twice[0]}:` in answers.txt", f"{len(found[twice[0]])} of them")
    return {key: all_of[0].strip().lower() if all_of else "" for key, all_of in found.items()}


def predicted(world: World, question: str) -> str:
    """Before the tour is taken: the report of an open question shows nothing of it."""
    given = answers(world)[question]
    if not given:
        world.fail(f"an answer to `{question}:` in answers.txt", "there is none")
    return given


def judge(world: World, question: str, truth: object, look: str) -> None:
    """The right answer is not told, but where to look for it, once one was given; and the
    tour is not shown as long as another question is open that it answers."""
    given = predicted(world, question)
    if given == str(truth):
        return
    form = "no number" if str(truth).isdigit() else "none of the words that are offered"
    formed = given.isdigit() if str(truth).isdigit() else given in OFFERED
    if not all(answers(world).values()):
        world.lines.clear()
    world.fail(
        f"what `{question}:` is when labs/0-tour/tour.scenario runs; look at {look}",
        f"your answer is {given}" + ("" if formed else f", which is {form}"),
    )


def tour(world: World, until: str = "") -> dict[str, dict]:
    """Takes the tour up to that mark, or to its end; what was answered to each command."""
    text = (FOLDER / "tour.scenario").read_text(encoding="utf-8")
    if until:
        text = text[: text.index(f"# ({until})")]
    answers = {}
    for words in commands(text):
        answers[" ".join(words)] = world.tell(*words)
    world.nodes = tuple(range(1, 6))
    return answers


@lab(0, step=1, points=1, rules="LEAD-4")
def test_the_quorum_of_five_is_known(world: World) -> None:
    predicted(world, "quorum")
    world.cluster(5, seed=7)
    world.until("leader")
    world.run("1s")
    leader = world.leader()
    connected = len(world.nodes)
    for node in [0, *(node for node in world.nodes if node != leader)]:
        if node != 0:
            world.disconnect(node)
        before = world.status(leader)["commit_index"]
        world.propose("set", "q", str(connected), at=leader)
        world.run("1s")
        if world.status(leader)["commit_index"] == before:
            break
        connected -= 1
    look = "the leader's `status` behind each `propose`, while one node after the other is isolated"
    judge(world, "quorum", connected + 1, look)


@lab(0, step=1, points=1, rules="LEAD-2")
def test_the_place_of_a_write_is_predicted(world: World) -> None:
    predicted(world, "index of set x 1")
    tour(world)
    places = [entry["index"] for entry in world.log(1) if entry["text"] == "set x 1"]
    judge(world, "index of set x 1", places[0], "`log 1` behind `set x 1`")


@lab(0, step=1, points=1, rules="check-quorum")
def test_who_says_that_it_leads_is_predicted(world: World) -> None:
    predicted(world, "leaders after the cut")
    tour(world, until="b")
    roles = [world.status(node)["role"] for node in world.nodes]
    look = "the roles in `status` right before (b), and 500 ms after the cut"
    judge(world, "leaders after the cut", roles.count("leader"), look)


@lab(0, step=1, points=1, rules="CAND-1a")
def test_the_term_of_the_second_leader_is_predicted(world: World) -> None:
    predicted(world, "term of the second leader")
    tour(world, until="b")
    truth = max(world.status(n)["term"] for n in (3, 4, 5))
    look = "the terms in `status` before (a) and before (b)"
    judge(world, "term of the second leader", truth, look)


@lab(0, step=1, points=1, rules="AE-3")
def test_what_becomes_of_a_write_behind_the_cut_is_predicted(world: World) -> None:
    predicted(world, "set x 2 is")
    ticket = tour(world)["propose at 1 set x 2"]["ticket"]
    state = world.tell("ticket", ticket)["state"]
    truth = {"done": "kept", "lost": "lost"}[state]
    judge(world, "set x 2 is", truth, "`log 1` before and behind (c)")


@lab(0, step=1, points=1, rules="LEAD-4")
def test_the_value_at_the_end_is_predicted(world: World) -> None:
    predicted(world, "x at the end")
    judge(world, "x at the end", tour(world)["get x"]["reply"], "the answer to `get x`")


@lab(0, step=1, points=1, rules="AE-3")
def test_what_stands_in_its_place_is_predicted(world: World) -> None:
    predicted(world, "in its place stands a")
    index = tour(world)["propose at 1 set x 2"]["index"]
    there = [entry["type"] for entry in world.log(1) if entry["index"] == index]
    names = {"noop": "no-op", "command": "command"}
    truth = names[there[0]] if there else "nothing"
    judge(world, "in its place stands a", truth, "`log 1` before and behind (c), and at the terms")


@lab(0, step=1, points=1, rules="CAND-2")
def test_the_number_of_leaders_is_predicted(world: World) -> None:
    predicted(world, "elections won")
    tour(world)
    truth = world.counters()["elections_won"]
    judge(world, "elections won", truth, "`counters` behind each mark of the tour")


# ---- breaking it -----------------------------------------------------------------


def commands_of(name: str, world: World) -> list[list[str]]:
    return [command.words for command in lab_text.commands(text_of(name, world), name)]


def number(word: str) -> int:
    """As raftsim reads it: 03 and n3 are 3."""
    digits = word.removeprefix("n")
    return int(digits) if digits.isdigit() else 0


def play(world: World, name: str, allowed: set[str]) -> list[list[str]]:
    """Plays the student's scenario in the world that its template begins with."""
    template = commands((FOLDER / "start" / name).read_text(encoding="utf-8"))
    try:
        played = commands_of(name, world)
    except lab_text.Unreadable as problem:
        world.fail(f"{name} has words that raftsim reads", str(problem))
    if played[:1] != template[:1]:
        world.fail(f"{name} begins with `{' '.join(template[0])}`", f"{played[:1]}")
    for words in played[1:]:
        if words[0] not in allowed:
            world.fail(f"{name} uses only {', '.join(sorted(allowed))}", f"`{' '.join(words)}`")
        spans = [word for word in words if DURATION.fullmatch(word)] if words[0] == "run" else []
        if any(microseconds(span) > RUN_MINUTES_MAX * 60000000 for span in spans):
            world.fail(f"in {name} a `run` takes at most {RUN_MINUTES_MAX} minutes",
                       f"`{' '.join(words)}`")  # fmt: skip
    for words in played:
        world.tell(*words)
    world.nodes = tuple(range(1, int(template[0][1]) + 1))
    return played


def nothing_is_committed_although_all_run(world: World) -> None:
    """And all is well once the cuts are gone."""
    assert all(world.status(node)["state"] == "up" for node in world.nodes)
    world.run("5s")
    before = max(world.status(node)["commit_index"] for node in world.nodes)
    for node in world.nodes:
        if world.status(node)["role"] == "leader":
            world.propose("set", "z", "1", at=node)
    world.run("10s")
    after = max(world.status(node)["commit_index"] for node in world.nodes)
    if after > before:
        world.fail("no write can be committed", world.situation())
    world.tell("heal")
    world.until("leader", within="5s")
    world.tell("set", "z", "2")


@lab(0, step=2, points=4, rules="LEAD-4 CAND-2")
def test_cuts_alone_take_liveness_away(world: World) -> None:
    play(world, "liveness.scenario", CUTS | LOOKS)
    nothing_is_committed_although_all_run(world)


@lab(0, step=3, points=4, rules="LEAD-4 CAND-2")
def test_cuts_in_one_direction_take_liveness_away(world: World) -> None:
    played = play(world, "one-way.scenario", {"cut"} | LOOKS)
    cuts = [words[1:] for words in played if words[0] == "cut"]
    whole = [" ".join(words) for words in cuts if len(words) != 3 or words[1] != ">"]
    if whole or len(cuts) > 10:
        world.fail("at most 10 lines, each `cut A > B`", f"{len(cuts)} lines; {whole}")
    gone = {(number(a), number(b)) for a, _, b in cuts}
    if both := sorted((a, b) for a, b in gone if (b, a) in gone and a < b):
        world.fail("every link carries something in one direction", f"cut both ways: {both}")
    nothing_is_committed_although_all_run(world)


@lab(0, step=4, points=4, rules="STATE-0 STATE-2 STATE-3")
def test_one_lying_disk_loses_a_write_that_was_acknowledged(world: World) -> None:
    allowed = CUTS | LOOKS | {"heal", "set", "disk", "crash", "restart", "check"}
    played = play(world, "safety.scenario", allowed)
    named = ("disk", "crash", "restart")
    touched = {number(words[1]) for words in played if words[0] in named and words[1:]}
    lies = [words for words in played if words[0] == "disk"]
    if len(lies) != 1 or lies[0][2:] != ["lying"]:
        found = " and ".join(f"`{' '.join(words)}`" for words in lies) or "no disk does"
        world.fail("one disk lies, by one `disk N lying`", found)
    if len(touched) > 1:
        found = " and ".join(map(str, sorted(touched)))
        world.fail("one disk lies, and that node alone is crashed", f"nodes {found}")
    if ["set", "x", "1"] not in played:
        world.fail("`set x 1` is acknowledged on the way", "the scenario has no `set x 1`")
    if sum(words[:2] == ["set", "x"] for words in played) > 1:
        world.fail("x is set once", "it is set again")
    world.tell("heal")
    for node in world.nodes:
        if world.status(node)["state"] == "down":
            world.tell("restart", node)
    world.run("3s")
    reply = world.tell("get", "x")["reply"]
    if reply != "(nil)":
        world.fail("the acknowledged `set x 1` is forgotten", f"`get x` answers {reply}")
