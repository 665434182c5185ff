"""The arrows of the design, read from the #include lines: what a layer never knows."""

import pathlib

import pytest

from raftlab import tree

CORE, HOST, SERVICE, RPC, PROCESS, SIM, TOOL = (
    "core host service rpc process sim tool".split()
)

# What each layer may include, besides itself.
MAY_INCLUDE: dict[str, set[str]] = {
    CORE: set(),
    HOST: {CORE},
    SERVICE: set(),
    RPC: {CORE, HOST},
    PROCESS: {CORE, HOST, SERVICE, RPC},
    SIM: {CORE, HOST, SERVICE},
    # The command line of the simulator: native, so it may pass messages as JSON.
    TOOL: {CORE, HOST, SERVICE, RPC, SIM},
}

# What a pure layer may ask of the C library: nothing with a clock, a thread or a file.
PURE_HEADERS = {
    *("assert.h", "errno.h", "inttypes.h", "limits.h", "stdarg.h", "stdbool.h"),
    *("stddef.h", "stdint.h", "stdio.h", "string.h"),
}
SYSTEM_HEADERS: dict[str, set[str]] = {
    CORE: PURE_HEADERS - {"errno.h"},
    HOST: PURE_HEADERS | {"stdlib.h"},
    SERVICE: PURE_HEADERS | {"stdlib.h", "strings.h", "ctype.h", "math.h"},
    SIM: PURE_HEADERS | {"stdlib.h", "strings.h", "ctype.h", "math.h", "sys/types.h"},
}
# Where the outside world enters, and why.
DOORS = {
    "raft/host/disk_posix.c": "it is the POSIX disk",
    "raft/host/disk_posix.h": "it is the POSIX disk",
}


def layer_of(name: str) -> str:
    if name.startswith("raft/host/"):
        return HOST
    if name.startswith(("kvserver/service/", "kvserver/engine/")):
        return SERVICE
    if name.startswith("sim/tool/"):
        return TOOL
    first = name.split("/")[0]
    return {"raft": CORE, "rpc": RPC, "kvserver": PROCESS, "sim": SIM}.get(first, first)


@pytest.mark.parametrize("source", tree.sources(), ids=str)
def test_a_layer_includes_only_what_its_arrows_allow(source: pathlib.Path) -> None:
    layer = layer_of(str(source))
    allowed = MAY_INCLUDE[layer] | {layer}
    for ours, target in tree.includes(source):
        if ours:
            assert "/" in target, f'{source}: "{target}" is not named from the root'
            found = layer_of(target)
            assert found in allowed, f"{source}: {layer} must not know {target}"
            posix = target == "raft/host/disk_posix.h"
            assert not (layer == SIM and posix), f"{source}: the simulator has no disk"


@pytest.mark.parametrize("source", tree.sources(), ids=str)
def test_a_pure_layer_asks_the_system_for_nothing_impure(source: pathlib.Path) -> None:
    allowed = SYSTEM_HEADERS.get(layer_of(str(source)))
    if allowed is None or str(source) in DOORS:
        assert layer_of(str(source)) in (RPC, PROCESS, TOOL) or str(source) in DOORS
        return
    asked = {target for ours, target in tree.includes(source) if not ours}
    assert asked <= allowed, f"{source}: {sorted(asked - allowed)} in a pure layer"


def test_each_file_includes_its_own_header_first() -> None:
    for source in tree.sources():
        header = source.with_suffix(".h")
        if source.suffix == ".c" and header in tree.files():
            first = next(tree.includes(source))
            assert first == (True, str(header)), f"{source} begins with {first[1]}"


def test_every_door_is_there() -> None:
    for door in DOORS:
        assert pathlib.Path(door) in tree.files(), f"{door} is gone: shut its door"
