"""Lab 6: servers come and go while the cluster works.

A spare server runs from when it is first named, with an empty configuration. What a
leader is told to do is what an operator would tell it: `add` (a learner that becomes a
voter by itself), `remove`, and `change`, which moves several at once."""

from raftlab.labs import World, lab


def start(world: World, nodes: int, spare: int, **settings: object) -> int:
    """A cluster whose leader has committed something; its number."""
    world.cluster(nodes, spare=spare, **settings)
    world.check_one_leader()
    world.agree("first", nodes)
    return world.leader()


def tell_leader(world: World, *words: object) -> dict:
    """A change that the leader takes; a change under way is waited for."""

    def taken() -> dict:
        answer = world.ask(*words)
        if not answer["ok"]:
            del world.lines[-1]
        return answer if answer["ok"] else {}

    return world.wait(taken, " ".join(map(str, words)), within="5s")


def await_configuration(world: World, *members: object, at: tuple[int, ...]) -> None:
    """Those nodes use it, and have committed it."""

    def used() -> bool:
        return all(
            world.holds("configuration", *members, "at", node)
            and world.status(node)["commit_index"] >= world.status(node)["configuration_index"]
            for node in at
        )

    words = " ".join(map(str, members))
    nodes = " ".join(map(str, at))
    who = f"nodes {nodes} have" if len(at) > 1 else f"node {nodes} has"
    world.wait(used, f"{who} the configuration {words} in use, and committed,",
               line=lambda: f"expect configuration {words} at {at[0]}",
               seen=world.configurations)  # fmt: skip


def others(world: World, leader: int) -> list[int]:
    return [node for node in world.nodes if node != leader]


def learners(first: int, last: int) -> list[str]:
    return [f"{node}:learner" for node in range(first, last + 1)]


# ---- step 3: one change, and when ------------------------------------------------


@lab(6, step=3, points=1, rules="changes-of-members LEAD-4", seeds=10)
def test_the_bug_of_2015_two_leaders_cannot_both_change_the_cluster(world: World) -> None:
    world.cluster(4, delay="1ms..1ms", sync="100us..100us")
    world.run("1ms")
    world.tell("timeout", 1)
    world.until("leader 1")
    world.until("applied 1")
    # Node 1 logs a configuration without node 2, and nobody gets it: of 1, 3 and 4, nodes
    # 1 and 4 would do.
    world.tell("isolate", 1)
    world.tell("remove", 2, "at", 1)
    world.run("5ms")
    world.expect("configuration 1 3 4 at 1")
    world.crash(1, lose="nothing")
    # Node 2 leads the others. To remove node 1 would leave 2, 3 and 4, of which 2 and 3 would
    # do: no node of 1 and 4.
    world.tell("star", 2, 3, 4)
    world.until("leader 2")
    world.refused("remove", 1, "at", 2)
    world.tell("isolate", 4)
    world.run("20ms")
    world.refused("remove", 1, "at", 2)
    world.crash(2)
    world.restart(1)
    world.tell("heal")
    world.tell("partition", 1, 4, "|", 3)
    world.until("leader 1")
    await_configuration(world, 1, 3, 4, at=(1, 4))
    world.restart(2)
    world.tell("heal")
    await_configuration(world, 1, 3, 4, at=(1, 3, 4))
    world.until("quiet")
    world.expect("same")


# ---- step 4: servers that join ---------------------------------------------------


@lab(6, step=4, points=1, rules="learners changes-of-members", seeds=10)
def test_a_server_that_hears_nothing_yet_is_not_waited_for(world: World) -> None:
    leader = start(world, 3, spare=1)
    world.tell("isolate", 4)
    tell_leader(world, "add", 4)
    world.run("1s")
    world.expect("member", 4, "joining", why="who has none of the log has no vote", rule="learners")
    # It blocks nothing: the entry that lets it join is committed, so that the next change may
    # be made, be it to give it up.
    world.tell("remove", 4)
    world.until("quiet")
    world.expect("configuration 1 2 3")
    tell_leader(world, "add", 4)
    dead = others(world, leader)[0]
    world.crash(dead)
    world.agree("two of three will do", 2)
    world.restart(dead)
    world.tell("heal")
    await_configuration(world, 1, 2, 3, 4, at=(1, 2, 3, 4))
    world.crash(dead)
    world.agree("three of four will do", 3)


@lab(6, step=4, points=1, rules="learners changes-of-members", seeds=5)
def test_a_cluster_grows_from_one_to_seven_while_it_works(world: World) -> None:
    start(world, 1, spare=6)
    for node in range(2, 8):
        tell_leader(world, "add", node)
        world.agree(node, 1)
        await_configuration(world, *range(1, node + 1), at=tuple(range(1, node + 1)))
    for dead in (1, 2, 3):
        world.crash(dead)
    world.nodes = (4, 5, 6, 7)
    world.check_one_leader()
    world.agree("four of seven", 4)
    world.crash(4)
    world.nobody_commits("1s")


# ---- step 5: servers that go -----------------------------------------------------


@lab(6, step=5, points=1, rules="changes-of-members FOL-2", seeds=10)
def test_of_two_servers_the_one_that_goes_finishes_it_after_a_crash(world: World) -> None:
    goes = start(world, 2, spare=0)
    stays = 3 - goes
    world.until("quiet")
    world.tell("isolate", goes)
    world.tell("remove", goes, "at", goes)
    world.run("5ms")
    world.crash(goes, lose="nothing")
    world.restart(goes)
    world.tell("heal")
    # Only it has the newest log, so only it can be elected; and its own vote counts no more.
    await_configuration(world, stays, at=(stays,))
    world.wait(lambda: world.leader() == stays, f"node {stays} leads",
               line=lambda: f"expect leader {stays}")  # fmt: skip
    world.run("1s")
    world.agree("alone", 1)
    world.expect("role", goes, "follower")


def remove_the_leader(world: World, nodes: int) -> None:
    leader = start(world, nodes, spare=0)
    rest = tuple(others(world, leader))
    world.tell("loss", 30)
    tell_leader(world, "remove", leader)
    world.run("1s")
    world.tell("loss", 0)
    world.run("1s")
    if not world.holds("member", leader, "none"):  # lost with its leader's term
        tell_leader(world, "remove", leader)
    await_configuration(world, *rest, at=rest)
    world.wait(lambda: world.leader() in rest, "one of the others leads",
               line=lambda: f"expect role {rest[0]} leader")  # fmt: skip
    world.nodes = rest
    world.agree("on", len(rest))


@lab(6, step=5, points=1, rules="changes-of-members", seeds=10)
def test_a_leader_can_be_removed_from_two_to_five_servers_over_bad_links(world: World) -> None:
    for nodes in range(2, 6):
        remove_the_leader(world, nodes)


@lab(6, step=5, points=1, rules="changes-of-members stickiness", seeds=10)
def test_who_was_removed_and_never_told_disturbs_nobody(world: World) -> None:
    leader = start(world, 4, spare=0)
    gone = others(world, leader)[-1]
    rest = [node for node in world.nodes if node != gone]
    world.disconnect(gone)
    tell_leader(world, "remove", gone)
    await_configuration(world, *rest, at=tuple(rest))
    term = world.term(leader)
    world.tell("heal")
    world.run("5s")
    for node in rest:
        world.expect("term", node, "==", term, why="nobody votes for who is removed")
    world.expect("leader", leader)
    world.agree("on", 3)


# ---- step 6: several at once -----------------------------------------------------


@lab(6, step=6, points=1, rules="changes-of-members", seeds=10)
def test_three_servers_are_replaced_by_three_others_in_one_change(world: World) -> None:
    start(world, 3, spare=3)
    for node in (4, 5, 6):
        tell_leader(world, "add", node, "learner")
        await_configuration(world, 1, 2, 3, *learners(4, node), at=(node,))
    for number in range(5):
        world.propose("set", "k", number)
    tell_leader(world, "change", "voter", 4, 5, 6, "remove", 1, 2, 3)
    await_configuration(world, 4, 5, 6, at=(4, 5, 6))
    for dead in (1, 2, 3):
        world.crash(dead)
    world.nodes = (4, 5, 6)
    world.check_one_leader()
    world.agree("moved", 3)
    world.expect("committed", "k", 4)


@lab(6, step=6, points=1, rules="changes-of-members", seeds=10)
def test_a_leader_may_die_between_the_two_entries_of_a_joint_change(world: World) -> None:
    leader = start(world, 3, spare=2, delay="5ms..5ms")
    for node in (4, 5):
        tell_leader(world, "add", node, "learner")
        await_configuration(world, 1, 2, 3, *learners(4, node), at=(node,))
    gone = others(world, leader)[0]
    stay = others(world, leader)[1]
    tell_leader(world, "change", "voter", 4, 5, "remove", gone, leader)
    world.run("8ms")
    world.crash(leader)
    new = tuple(sorted((stay, 4, 5)))
    await_configuration(world, *new, at=new)
    world.restart(leader)
    world.run("1s")
    world.nodes = new
    world.agree("on", 3)
