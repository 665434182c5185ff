"""Worlds by hand (docs/simulator.md): what is sent waits until the test hands it over.

A test says between whom messages pass, and until when, not how many there are of what
kind: so it asks for nothing that two right solutions could do differently."""

from collections.abc import Callable, Iterable

from raftlab.lab_world import World

TURNS_MAX = 400


def never() -> bool:
    return False


def pass_on(world: World, nodes: Iterable[int], until: Callable[[], bool] = never) -> None:
    """Hands over all that is in flight among these nodes, and what follows from it, until
    there is nothing left or the condition holds."""
    members = list(nodes)
    for _ in range(TURNS_MAX):
        busy = False
        for source in members:
            for target in members:
                if source == target or not world.tell("flight", source, target)["messages"]:
                    continue
                if until():
                    return
                world.tell("deliver", source, target)
                busy = True
        if not busy or until():
            return
    world.fail("the messages come to an end", f"{TURNS_MAX} turns were not enough")


def lose_all(world: World) -> None:
    """Nothing is in flight any more."""
    for source in world.nodes:
        for target in world.nodes:
            while source != target and world.tell("flight", source, target)["messages"]:
                world.tell("drop", source, target)


def wait_for(world: World, what: str, nodes: Iterable[int], claim: str, leader: int) -> None:
    """The same, until `expect CLAIM` holds, with heartbeats of the leader where nothing moves."""

    def until() -> bool:
        return world.holds(*claim.split())

    for _ in range(20):
        pass_on(world, nodes, until)
        if until():
            return
        world.tell("timeout", leader)
    world.fail(what, world.situation(), line=f"expect {claim}")


def elect(world: World, node: int, voters: Iterable[int]) -> None:
    """The node wins an election by these voters; what it sends as a leader waits."""
    world.tell("pass", "1s")
    wait_for(world, f"node {node} is elected", [node, *voters], f"role {node} leader", node)
