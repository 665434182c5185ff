"""Lab 2, step 10: networks and servers that fail in every way at once.

The checkers of the simulator look on after every event: the properties of Figure 3, that
what a leader believes to match is there, and that indices never go down. At the end all
is healed, and the cluster has to come to rest with equal states."""

from raftlab.labs import FEW_CLIENTS, World, campaign, lab


@lab(2, step=10, points=2, rules="AE-2 AE-3 AE-4 AE-5 LEAD-3a LEAD-3b")
def test_messages_may_be_lost_doubled_late_and_in_any_order(world: World) -> None:
    campaign(2, f"--faults loss,duplicate,delay,reorder {FEW_CLIENTS}", 80)


@lab(2, step=10, points=2, rules="AE-3 LEAD-3b LEAD-4")
def test_networks_may_fall_apart_in_every_way(world: World) -> None:
    faults = f"--faults partition,oneway,partial,flap,swizzle,loss {FEW_CLIENTS}"
    campaign(2, faults, 80)
    campaign(2, f"--nodes 4 {faults}", 20)  # of which a half may be cut off with its leader


@lab(2, step=10, points=1, rules="AE-3 LEAD-3b LEAD-4")
def test_servers_may_stop_and_come_back(world: World) -> None:
    campaign(2, f"--nodes 7 --faults crash,pause,delay,duplicate {FEW_CLIENTS}", 40)


@lab(2, step=10, points=1, rules="LEAD-3 LEAD-4", seeds=10)
def test_agreement_goes_on_where_links_work_one_way_only(world: World) -> None:
    world.cluster(5)
    leader = world.check_one_leader()
    world.agree("a")
    deaf, mute = [node for node in world.nodes if node != leader][:2]
    world.tell("cut", leader, ">", deaf)
    world.tell("cut", mute, ">", leader)
    for number in range(10):
        world.agree(number, 3)
    world.tell("heal")
    world.agree("z", 5)
    world.run("500ms")
    world.expect("same")
