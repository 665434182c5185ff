"""`make cluster`, on other ports than a reader's own cluster has."""

import pathlib
import socket
from collections.abc import Iterator

import pytest

from raftlab import build, local
from raftlab.real import LOOPBACK, free_ports


def free(port: int) -> bool:
    with socket.socket() as trial:
        try:
            trial.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def base_port() -> int:
    """The ports behind it are free, one for each node."""
    while True:
        (base,) = free_ports(1)
        if all(free(base + node) for node in local.NODES):
            return base


@pytest.fixture(name="directory")
def cluster_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: pathlib.Path
) -> Iterator[pathlib.Path]:
    build.program("raftkv")
    clients = base_port()
    peers = base_port()
    while abs(clients - peers) <= len(local.NODES):
        peers = base_port()
    monkeypatch.setattr(local, "CLIENT_PORT", clients)
    monkeypatch.setattr(local, "PEER_PORT", peers)
    directory = tmp_path / "data" / "cluster"
    yield directory
    local.stop(directory)


def test_a_cluster_starts_is_already_up_and_ends(
    directory: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
    assert local.start(build.OUT, directory) == 0
    told = capsys.readouterr().out
    assert "servers are up" in told and f"rm -r {directory}" in told
    numbers = [local.running(directory, node) for node in local.NODES]
    assert local.start(build.OUT, directory) == 0
    assert "are already up" in capsys.readouterr().out
    assert [local.running(directory, node) for node in local.NODES] == numbers
    assert local.stop(directory) == 0
    assert not any(local.running(directory, node) for node in local.NODES)


def test_a_server_that_does_not_start_is_named_with_its_last_line(
    directory: pathlib.Path, capsys: pytest.CaptureFixture
) -> None:
    with socket.socket() as stranger:
        stranger.bind((LOOPBACK, local.CLIENT_PORT + 2))
        stranger.listen()
        assert local.start(build.OUT, directory) == 1
    told = capsys.readouterr().err
    assert "node 2 did not start" in told and "cannot listen for clients" in told
    assert "Traceback" not in told
    assert not (directory / "2").exists()
