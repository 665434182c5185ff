"""The core of libraftlab for Python, through ctypes: raft/raft.h, mirrored.

Structs here have the names, the fields and the order of raft.h. Whether they also have
its offsets can be seen with a compiler, for the headers that are installed:

    python3 raftlab.py | cc -xc -std=c11 $(pkg-config --cflags raftlab) -fsyntax-only -
"""

import ctypes
import os
from collections.abc import Iterator
from ctypes import POINTER, Structure, Union, c_bool, c_char, c_char_p, c_int
from ctypes import c_size_t, c_uint32, c_uint64, c_void_p

VERSION = "0.1"  # whose structs these are

# Those of raft.h's constants that are used, without their RAFT_.
CONSTANTS = {
    **{"MEMBERS_MAX": 15, "NOTES_MAX": 16, "REACHED_WORDS": 2, "ADDRESS_BYTES": 128},
    **{"OK": 0, "NOT_LEADER": 1},
    **{"ENTRY_NOOP": 0, "ENTRY_COMMAND": 1, "ENTRY_CONFIGURATION": 2},
    **{"VOTER": 1, "LEARNER": 4},
    **{"APPEND_ENTRIES": 3, "INSTALL_SNAPSHOT": 5},
    **{"EVENT_TICK": 1, "EVENT_MESSAGE": 2, "EVENT_PROPOSE": 3, "EVENT_READ": 4},
    **{"EVENT_PERSISTED": 5, "EVENT_APPLIED": 6},
    **{"FOLLOWER": 0, "PRE_CANDIDATE": 1, "CANDIDATE": 2, "LEADER": 3},
}
MEMBERS_MAX, NOTES_MAX = CONSTANTS["MEMBERS_MAX"], CONSTANTS["NOTES_MAX"]
REACHED_WORDS = CONSTANTS["REACHED_WORDS"]
ADDRESS_BYTES = CONSTANTS["ADDRESS_BYTES"]


class Entry(Structure):
    _c_name_ = "raft_entry"
    _fields_ = [
        ("index", c_uint64),
        ("term", c_uint64),
        ("type", c_int),
        ("size", c_uint32),
        ("data", c_void_p),
    ]


class Command(Structure):
    _c_name_ = "raft_command"
    _fields_ = [("data", c_void_p), ("size", c_uint32)]


class Member(Structure):
    _c_name_ = "raft_member"
    _fields_ = [
        ("id", c_uint32),
        ("role", c_int),
        ("priority", c_uint32),
        ("address", c_char * ADDRESS_BYTES),
    ]


class Configuration(Structure):
    _c_name_ = "raft_configuration"
    _fields_ = [("count", c_uint32), ("members", Member * MEMBERS_MAX)]


class HardState(Structure):
    _c_name_ = "raft_hard_state"
    _fields_ = [("current_term", c_uint64), ("voted_for", c_uint32)]


class SnapshotMeta(Structure):
    _c_name_ = "raft_snapshot_meta"
    _fields_ = [
        ("last_included_index", c_uint64),
        ("last_included_term", c_uint64),
        ("configuration_index", c_uint64),
        ("configuration", Configuration),
    ]


# ---- messages -----------------------------------------------------------------------


class RequestVote(Structure):
    _c_name_ = "raft_request_vote"
    _fields_ = [
        ("last_log_index", c_uint64),
        ("last_log_term", c_uint64),
        ("pre_vote", c_bool),
        ("transfer", c_bool),
    ]


class RequestVoteReply(Structure):
    _c_name_ = "raft_request_vote_reply"
    _fields_ = [("vote_granted", c_bool), ("pre_vote", c_bool)]


class AppendEntries(Structure):
    _c_name_ = "raft_append_entries"
    _fields_ = [
        ("prev_log_index", c_uint64),
        ("prev_log_term", c_uint64),
        ("leader_commit", c_uint64),
        ("round", c_uint64),
        ("count", c_uint32),
        ("entries", POINTER(Entry)),
    ]


class AppendEntriesReply(Structure):
    _c_name_ = "raft_append_entries_reply"
    _fields_ = [
        ("success", c_bool),
        ("match_index", c_uint64),
        ("prev_log_index", c_uint64),
        ("conflict_index", c_uint64),
        ("conflict_term", c_uint64),
        ("round", c_uint64),
    ]


class InstallSnapshot(Structure):
    _c_name_ = "raft_install_snapshot"
    _fields_ = [
        ("last_included_index", c_uint64),
        ("last_included_term", c_uint64),
        ("offset", c_uint64),
        ("total", c_uint64),
        ("checksum", c_uint64),
        ("size", c_uint32),
        ("data", c_void_p),
    ]


class InstallSnapshotReply(Structure):
    _c_name_ = "raft_install_snapshot_reply"
    _fields_ = [
        ("last_included_index", c_uint64),
        ("next_offset", c_uint64),
        ("installed", c_bool),
    ]


class ReadIndex(Structure):
    _c_name_ = "raft_read_index"
    _fields_ = [("id", c_uint64), ("index", c_uint64), ("ok", c_bool)]


class MessageBody(Union):
    _fields_ = [
        ("request_vote", RequestVote),
        ("request_vote_reply", RequestVoteReply),
        ("append_entries", AppendEntries),
        ("append_entries_reply", AppendEntriesReply),
        ("install_snapshot", InstallSnapshot),
        ("install_snapshot_reply", InstallSnapshotReply),
        ("read_index", ReadIndex),
    ]


class Message(Structure):
    _c_name_ = "raft_message"
    _anonymous_ = ("body",)
    _fields_ = [
        ("type", c_int),
        ("sender", c_uint32),  # `from` in C
        ("to", c_uint32),
        ("term", c_uint64),
        ("body", MessageBody),
    ]


# ---- events and outputs -------------------------------------------------------------


class Propose(Structure):
    _fields_ = [("commands", POINTER(Command)), ("count", c_uint32)]


class ReadAsked(Structure):
    _fields_ = [("id", c_uint64)]


class Persisted(Structure):
    _fields_ = [("write", c_uint64)]


class Applied(Structure):
    _fields_ = [("index", c_uint64)]


class SnapshotTaken(Structure):
    _fields_ = [("index", c_uint64), ("keep_from", c_uint64)]


class SnapshotReceived(Structure):
    _fields_ = [("meta", POINTER(SnapshotMeta)), ("failed", c_bool)]


class Change(Structure):
    _fields_ = [("members", POINTER(Member)), ("count", c_uint32)]


class Transfer(Structure):
    _fields_ = [("to", c_uint32)]


class EventBody(Union):
    _fields_ = [
        ("message", POINTER(Message)),
        ("propose", Propose),
        ("read", ReadAsked),
        ("persisted", Persisted),
        ("applied", Applied),
        ("snapshot_taken", SnapshotTaken),
        ("snapshot_received", SnapshotReceived),
        ("change", Change),
        ("transfer", Transfer),
    ]


class Event(Structure):
    _c_name_ = "raft_event"
    _anonymous_ = ("body",)
    _fields_ = [("type", c_int), ("now_ms", c_uint64), ("body", EventBody)]


class Read(Structure):
    _c_name_ = "raft_read"
    _fields_ = [("id", c_uint64), ("index", c_uint64), ("status", c_int)]


class SnapshotSend(Structure):
    _c_name_ = "raft_snapshot_send"
    _fields_ = [("to", c_uint32), ("last_included_index", c_uint64), ("offset", c_uint64)]


class Output(Structure):
    _c_name_ = "raft_output"
    _fields_ = [
        ("write", c_uint64),
        ("hard_state_changed", c_bool),
        ("hard_state", HardState),
        ("entries", POINTER(Entry)),
        ("entry_count", c_uint32),
        ("messages", POINTER(Message)),
        ("message_count", c_uint32),
        ("apply", POINTER(Entry)),
        ("apply_count", c_uint32),
        ("reads", POINTER(Read)),
        ("read_count", c_uint32),
        ("proposed_index", c_uint64),
        ("proposed_term", c_uint64),
        ("leader_hint", c_uint32),
        ("snapshot_sends", POINTER(SnapshotSend)),
        ("snapshot_send_count", c_uint32),
        ("snapshot_store", POINTER(InstallSnapshot)),
        ("snapshot_restore", POINTER(SnapshotMeta)),
        ("deadline_ms", c_uint64),
        ("note_count", c_uint32),
        ("notes", c_char_p * NOTES_MAX),
        ("reached", c_uint64 * REACHED_WORDS),
    ]


# ---- configuration and observation --------------------------------------------------


class Config(Structure):
    _c_name_ = "raft_config"
    _fields_ = [
        ("id", c_uint32),
        ("seed", c_uint64),
        ("start_ms", c_uint64),
        ("election_timeout_ms", c_uint32),
        ("election_spread_ms", c_uint32),
        ("heartbeat_ms", c_uint32),
        ("log_entries_max", c_uint32),
        ("log_bytes_max", c_uint64),
        ("command_bytes_max", c_uint32),
        ("message_entries_max", c_uint32),
        ("message_bytes_max", c_uint32),
        ("inflight_max", c_uint32),
        ("inflight_bytes_max", c_uint64),
        ("uncommitted_bytes_max", c_uint64),
        ("pre_vote", c_bool),
        ("check_quorum", c_bool),
        ("lease_drift_percent", c_uint32),
        ("configuration", Configuration),
    ]


class PeerView(Structure):
    _c_name_ = "raft_peer_view"
    _fields_ = [
        ("id", c_uint32),
        ("next_index", c_uint64),
        ("match_index", c_uint64),
        ("state", c_int),
        ("inflight", c_uint32),
        ("inflight_bytes", c_uint64),
        ("snapshot_index", c_uint64),
        ("snapshot_offset", c_uint64),
        ("contact_ms", c_uint64),
        ("caught_up", c_bool),
    ]


class View(Structure):
    _c_name_ = "raft_view"
    _fields_ = [
        ("id", c_uint32),
        ("role", c_int),
        ("leader_id", c_uint32),
        ("current_term", c_uint64),
        ("voted_for", c_uint32),
        ("commit_index", c_uint64),
        ("last_applied", c_uint64),
        ("first_index", c_uint64),
        ("last_index", c_uint64),
        ("last_term", c_uint64),
        ("durable_index", c_uint64),
        ("durable_term", c_uint64),
        ("elections", c_uint64),
        ("log_bytes", c_uint64),
        ("uncommitted_bytes", c_uint64),
        ("reads_pending", c_uint32),
        ("snapshot_index", c_uint64),
        ("transfer_to", c_uint32),
        ("lease", c_bool),
        ("configuration_index", c_uint64),
        ("configuration", POINTER(Configuration)),
        ("peer_count", c_uint32),
        ("peers", PeerView * MEMBERS_MAX),
    ]


# ---- the library --------------------------------------------------------------------

FUNCTIONS = {
    "raft_version_text": (c_char_p, []),
    "raft_status_text": (c_char_p, [c_int]),
    "raft_role_text": (c_char_p, [c_int]),
    "raft_config_default": (None, [POINTER(Config)]),
    "raft_config_problem": (c_char_p, [POINTER(Config)]),
    "raft_size": (c_size_t, [POINTER(Config)]),
    "raft_init": (
        c_void_p,
        [c_void_p, POINTER(Config), POINTER(HardState), POINTER(SnapshotMeta)],
    ),
    "raft_step": (c_int, [c_void_p, POINTER(Event), POINTER(Output)]),
    "raft_observe": (None, [c_void_p, POINTER(View)]),
    "raft_check": (c_char_p, [c_void_p]),
    "raft_trace_step": (
        c_size_t,
        [c_char_p, c_size_t, c_void_p, POINTER(Event), POINTER(Output)],
    ),
}


class WrongLibrary(Exception):
    """The library that was found has other structs than those above."""


def load(name: str = os.environ.get("RAFTLAB_SO", "libraftlab.so.0.1")) -> ctypes.CDLL:
    library = ctypes.CDLL(name)
    for function, (result, arguments) in FUNCTIONS.items():
        getattr(library, function).restype = result
        getattr(library, function).argtypes = arguments
    version = library.raft_version_text().decode()
    if not version.startswith(VERSION + "."):
        raise WrongLibrary(f"version {version}; this file is for {VERSION}")
    check_extent(library)
    return library


def check_extent(library: ctypes.CDLL) -> None:
    """raft_config_default() writes its whole struct: as many bytes as ours has?"""
    size, beyond = ctypes.sizeof(Config), 256
    memory = (ctypes.c_ubyte * (size + beyond))(*[0xA5] * (size + beyond))
    library.raft_config_default(ctypes.cast(memory, POINTER(Config)))
    written = max(i for i, byte in enumerate(memory) if byte != 0xA5) + 1
    if not size - 8 < written <= size:  # the last bytes may be padding
        raise WrongLibrary(f"its struct raft_config has {written} bytes, not {size}")


# ---- what a compiler can check ------------------------------------------------------


def paths(struct: type, prefix: str = "", base: int = 0) -> Iterator[tuple[str, int, int]]:
    """(path in C, offset, size) of each field, also within what has no name in C."""
    for name, kind in struct._fields_:
        field = getattr(struct, name)
        offset = base + field.offset
        if name in getattr(struct, "_anonymous_", ()):
            yield from paths(kind, prefix, offset)
            continue
        path = prefix + {"sender": "from"}.get(name, name)
        yield path, offset, field.size
        if issubclass(kind, Structure):
            yield from paths(kind, path + ".", offset)


def assertions() -> str:
    """A C program that compiles where the headers have the structs of this file."""
    lines = ["#include <stddef.h>", "#include <raftlab/raft.h>"]
    for name, value in CONSTANTS.items():
        lines.append(f'static_assert(RAFT_{name} == {value}, "RAFT_{name}");')
    for struct in Structure.__subclasses__():
        if hasattr(struct, "_c_name_"):
            c_name = f"struct {struct._c_name_}"
            size = ctypes.sizeof(struct)
            lines.append(f'static_assert(sizeof({c_name}) == {size}, "{c_name}");')
            for path, offset, size in paths(struct):
                lines.append(
                    f"static_assert(offsetof({c_name}, {path}) == {offset} && "
                    f'sizeof((({c_name} *)0)->{path}) == {size}, "{c_name}.{path}");'
                )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(assertions(), end="")
