"""A small JSON-RPC 2.0 client: one JSON object a line, over one TCP connection."""

import json
import socket
from typing import Any


class RpcError(Exception):
    """An error object of a reply."""

    def __init__(self, error: dict[str, Any]) -> None:
        super().__init__(f"{error.get('code')} {error.get('message')}")
        self.code: int = error["code"]
        self.message: str = error["message"]
        self.data: Any = error.get("data")


class JsonRpcClient:
    def __init__(self, port: int, host: str = "127.0.0.1", seconds: float = 10) -> None:
        self.socket = socket.create_connection((host, port), timeout=seconds)
        self.stream = self.socket.makefile("rb")
        self.last_id = 0

    def __enter__(self) -> "JsonRpcClient":
        return self

    def __exit__(self, *unused: object) -> None:
        self.close()

    def close(self) -> None:
        self.stream.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def read(self) -> dict[str, Any]:
        line = self.stream.readline()
        if not line.endswith(b"\n"):
            raise ConnectionError("the server closed the connection")
        return json.loads(line)

    def call(self, method: str, **params: Any) -> Any:
        """The result, or RpcError raised."""
        self.last_id += 1
        request: dict[str, Any] = {"jsonrpc": "2.0", "id": self.last_id, "method": method}
        if params:
            request["params"] = params
        self.send(json.dumps(request).encode() + b"\n")
        reply = self.read()
        if reply.get("jsonrpc") != "2.0" or reply.get("id") != self.last_id:
            raise ConnectionError(f"not the reply to request {self.last_id}: {reply}")
        if "error" in reply:
            raise RpcError(reply["error"])
        return reply["result"]
