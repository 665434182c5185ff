"""Lab 6, step 8: members come and go while everything fails.

Voters, learners and spare servers are added, removed, replaced and moved in joint changes,
as an operator may; the checkers look on after every event, and at the end all is healed
and has to come to rest."""

from raftlab.labs import FEW_CLIENTS, World, campaign, lab


@lab(6, step=8, points=1, rules="changes-of-members learners")
def test_members_may_come_and_go_over_networks_that_fall_apart(world: World) -> None:
    campaign(6, f"--faults members,partition,oneway,loss,delay {FEW_CLIENTS}", 60)


@lab(6, step=8, points=1, rules="changes-of-members learners")
def test_members_may_come_and_go_while_servers_crash(world: World) -> None:
    campaign(6, f"--faults members,crash,pause,transfer,duplicate {FEW_CLIENTS}", 60)
    campaign(6, "--faults members,crash,loss,delay --clients 20 --keys 8 --duration 5s", 10)


@lab(6, step=8, points=1, rules="changes-of-members snapshots")
def test_members_may_come_and_go_with_logs_that_are_cut_short(world: World) -> None:
    campaign(6, f"--nodes 3 --faults members,snapshot,partition,crash,reorder {FEW_CLIENTS}", 40)
