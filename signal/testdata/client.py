#!/usr/bin/env python3
"""A signal client with nothing but sockets: registers, answers, shuts down.

Usage: client.py            (the signal server sets the environment)
Exit code: 0 after a shutdown, 3 when the server is not the one that started this
program, 4 when it refused, 5 when the connection was lost.
"""
import hmac
import json
import os
import socket
import struct

MAX_FRAME = 1 << 20


def complain(text):
    os.write(2, (text + "\n").encode())


def send(sock, message):
    data = json.dumps(message).encode()
    sock.sendall(struct.pack(">I", len(data)) + data)


def read_exactly(sock, n):
    data = b""
    while len(data) < n:
        piece = sock.recv(n - len(data))
        if not piece:
            raise SystemExit(5)
        data += piece
    return data


def receive(sock):
    (n,) = struct.unpack(">I", read_exactly(sock, 4))
    if not 0 < n <= MAX_FRAME:
        raise SystemExit(5)
    return json.loads(read_exactly(sock, n))


early = []  # requests of the server that came before the answer to ours


def call(sock, number, method, params):
    send(sock, {"jsonrpc": "2.0", "id": number, "method": method, "params": params})
    answer = receive(sock)
    while "method" in answer:
        early.append(answer)
        answer = receive(sock)
    if "error" in answer:
        complain("refused: " + answer["error"]["message"])
        raise SystemExit(4)
    return answer["result"]


def proof(token, role, client_nonce, server_nonce):
    return hmac.new(token, role + b"\0" + client_nonce + server_nonce, "sha256")


def connect():
    path = os.environ.get("SIGNAL_SOCKET")
    if path:
        sock = socket.socket(socket.AF_UNIX)
        sock.connect(path)
        return sock
    host, port = os.environ["SIGNAL_SERVER_ADDRESS"].rsplit(":", 1)
    return socket.create_connection((host.strip("[]"), int(port)))


def register(sock):
    with open(os.environ["SIGNAL_TOKEN_FILE"]) as f:
        token = bytes.fromhex(f.read().strip())
    nonce = os.urandom(32)
    hello = {"protocol": 1, "id": int(os.environ["SIGNAL_CLIENT_ID"]), "nonce": nonce.hex()}
    theirs = call(sock, 1, "hello", hello)
    server_nonce = bytes.fromhex(theirs["nonce"])
    want = proof(token, b"server", nonce, server_nonce).hexdigest()
    if not hmac.compare_digest(want, theirs["proof"]):
        complain("not the server that started this program")
        raise SystemExit(3)
    call(sock, 2, "register", {
        "proof": proof(token, b"client", nonce, server_nonce).hexdigest(),
        "name": "client.py",
        "pid": os.getpid(),
        "ready": True,
        "library": "python-example",
        "commands": [{"name": "echo", "args": "[WORD...]", "help": "answers the words"}],
    })


def serve(sock):
    send(sock, {"jsonrpc": "2.0", "method": "status", "params": {"text": "serving"}})
    while True:
        request = early.pop(0) if early else receive(sock)
        if "method" not in request or request.get("id") is None:
            continue  # an answer nobody waits for, or a notification
        answer = {"jsonrpc": "2.0", "id": request["id"]}
        method, params = request["method"], request.get("params") or {}
        if method in ("ping", "top", "shutdown"):
            answer["result"] = {}
        elif method == "commands":
            answer["result"] = {"commands": [{"name": "echo", "help": "answers the words"}]}
        elif method == "command" and params.get("name") == "echo":
            answer["result"] = {"result": params.get("args")}
        elif method == "command":
            answer["error"] = {"code": 10, "message": "no such command"}
        else:
            answer["error"] = {"code": -32601, "message": "no such method"}
        send(sock, answer)
        if method == "shutdown":
            return


def main():
    sock = connect()
    register(sock)
    serve(sock)
    sock.close()


main()
