"""Lab 2, steps 5 and 6: servers agree, whoever is cut off and comes back."""

from raftlab.labs import World, lab


def give(world: World, node: int, count: int, key: str) -> None:
    """A node that leads takes so many commands, and nobody waits for them."""
    for number in range(count):
        world.take(node, "set", key, number)


# ---- step 5 ----------------------------------------------------------------------


@lab(2, step=5, points=1, rules="LEAD-2 LEAD-3 LEAD-4 AE-5 ALL-1", seeds=5)
def test_three_servers_agree_on_one_command_after_the_other(world: World) -> None:
    world.cluster(3)
    world.check_one_leader()
    world.run("500ms")
    world.expect("entries_committed", "<=", 1, why="only the leader's no-op is committed")
    first = world.agree("a")
    for number in range(1, 10):
        index = world.agree(number)
        if index != first + number:
            world.fail(f"this command stands at {first + number}", f"it stands at {index}",
                       line=f"expect last_index {world.leader()} == {first + number}")  # fmt: skip
    world.run("500ms")
    world.expect("same")


def lacking(world: World) -> list[int]:
    holders = world.holders("x", "abcdefgh")
    return [node for node in world.nodes if node not in holders]


@lab(2, step=5, points=1, rules="LEAD-2 LEAD-3", seeds=5)
def test_commands_given_at_once_are_committed_in_one_order(world: World) -> None:
    world.cluster(5, delay="2ms..2ms")
    leader = world.check_one_leader()
    tickets = [world.propose("append", "x", letter, at=leader) for letter in "abcdefgh"]
    world.wait(lambda: not lacking(world), "5 nodes have applied all of them", "1s",
               line=lambda: f"expect committed x abcdefgh at {lacking(world)[0]}")  # fmt: skip
    indices = [ticket["index"] for ticket in tickets if ticket]
    if indices != list(range(indices[0], indices[0] + 8)):
        world.fail("eight commands stand behind each other", f"their places are {indices}",
                   line=f"expect last_index {leader} == {indices[0] + 7}")  # fmt: skip


# ---- step 6 ----------------------------------------------------------------------


@lab(2, step=6, points=1, rules="LEAD-3b LEAD-1", seeds=5)
def test_a_follower_that_was_away_gets_what_it_missed(world: World) -> None:
    world.cluster(3)
    leader = world.check_one_leader()
    world.agree("before")
    away, other = (node for node in world.nodes if node != leader)
    world.disconnect(away)
    for number in range(10):
        world.agree(number, 2)
    world.reconnect(away)
    world.agree("together", 3)
    world.run("500ms")
    world.expect("same")
    leader = world.check_one_leader()
    for node in world.nodes:
        if node != leader:
            world.disconnect(node)
    give(world, leader, 1, "alone")
    world.nobody_commits("2s")


@lab(2, step=6, points=1, rules="LEAD-4 LEAD-3b", seeds=5)
def test_nothing_is_agreed_on_without_a_majority(world: World) -> None:
    nodes = 4 + world.seed % 2  # half of four is no majority
    world.cluster(nodes)
    leader = world.check_one_leader()
    before = world.agree("before")
    for node in [node for node in world.nodes if node != leader][: (nodes + 1) // 2]:
        world.disconnect(node)
    give(world, leader, 10, "lost")
    world.nobody_commits("2s")
    world.reset_counters()
    for node in list(world.cut_off):
        world.reconnect(node)
    world.run("2s")  # of two that campaigned at once, the later term deposes the other
    index = world.agree("after", nodes, retry=False)
    # Behind the ten, or in the place of one; each leader since has added a no-op.
    last = before + 11 + world.counters()["elections_won"]
    if not before < index <= last:
        claim = f"<= {last}" if index > last else f"> {before}"
        world.fail(f"it stands behind {before} and not behind {last}", f"it stands at {index}",
                   line=f"expect last_index {world.leader()} {claim}")  # fmt: skip
    world.run("500ms")
    world.expect("same")


@lab(2, step=6, points=1, rules="AE-3 LEAD-3b LEAD-4", seeds=5)
def test_agreement_goes_on_when_one_leader_after_the_other_is_cut_off(world: World) -> None:
    world.cluster(3)
    first = world.check_one_leader()
    world.agree("a")
    world.disconnect(first)
    second = world.check_one_leader()
    world.agree("b", 2)
    world.disconnect(second)
    for node in world.nodes:
        world.propose("set", "alone", node, at=node)
    world.nobody_commits("2s")
    world.reconnect(first)
    world.agree("c", 2)
    world.reconnect(second)
    world.agree("d", 3)


@lab(2, step=6, points=1, rules="AE-2 AE-3 LEAD-3b", seeds=5)
def test_what_a_leader_took_while_cut_off_gives_way(world: World) -> None:
    world.cluster(3)
    old = world.check_one_leader()
    world.agree("a")
    world.disconnect(old)
    give(world, old, 3, "lost")
    new = world.check_one_leader()
    world.agree("b", 2)
    world.disconnect(new)
    world.reconnect(old)
    world.agree("c", 2)
    world.reconnect(new)
    world.agree("d", 3)
    world.run("500ms")
    world.expect("absent", "lost")
    world.expect("same")


@lab(2, step=6, points=1, rules="AE-2 AE-3 LEAD-3b", seeds=3)
def test_leaders_of_many_terms_leave_one_log_behind(world: World) -> None:
    world.cluster(5)
    first = world.check_one_leader()
    world.agree("a")
    # Fifty commands that the first leader and one follower have, and nobody else.
    others = [node for node in world.nodes if node != first]
    for node in others[1:]:
        world.disconnect(node)
    give(world, first, 50, "lost1")
    world.run("20ms")
    world.disconnect(first)
    world.disconnect(others[0])
    for node in others[1:]:
        world.reconnect(node)
    second = world.check_one_leader()
    for number in range(50):
        world.agree(number, 3)
    # Fifty that the second leader and one follower have.
    away = next(node for node in others[1:] if node != second)
    world.disconnect(away)
    last = next(node for node in others[1:] if node not in (second, away))
    world.disconnect(last)
    give(world, second, 50, "lost2")
    world.run("20ms")
    for node in world.nodes:
        world.disconnect(node)
    # The first ones again, with one who knows what was agreed on meanwhile.
    for node in (first, others[0], away):
        world.reconnect(node)
    world.check_one_leader()
    for number in range(50):
        world.agree(number, 3)
    for node in world.nodes:
        if node in world.cut_off:
            world.reconnect(node)
    world.agree("together", 5)
    world.run("500ms")
    world.expect("absent", "lost1")
    world.expect("absent", "lost2")
    world.expect("same")
