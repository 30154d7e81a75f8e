# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands between an emulator's UART and one client, keeps everything the machine says.

The emulator connects to `uart_port`, a client (GDB, for one) to `client_port`, when it likes and as
often as it likes. Without a client the bytes are only kept, in `log_path`, as a serial logger would.
`vices` (wire_link.Hostile, one a direction) make a bad line of it.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

Vices = Callable[[bytes], bytes]


class LineProxy:
    def __init__(self, log_path: Path, down: Vices | None = None, up: Vices | None = None) -> None:
        self.log_path = log_path
        self.down = down  # to the machine
        self.up = up  # to the client
        self.to_machine = 0
        self.to_client = 0
        self._uart_listener = self._listen()
        self._client_listener = self._listen()
        self.uart_port: int = self._uart_listener.getsockname()[1]
        self.client_port: int = self._client_listener.getsockname()[1]
        self._uart: socket.socket | None = None
        self._client: socket.socket | None = None
        self._wake_read, self._wake_write = socket.socketpair()
        self._thread = threading.Thread(target=self._pump, daemon=True)

    @staticmethod
    def _listen() -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        return listener

    def __enter__(self) -> "LineProxy":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._wake_write.send(b"x")
        self._thread.join(5)
        for sock in (self._uart_listener, self._client_listener, self._uart, self._client):
            if sock:
                sock.close()

    def _pump(self) -> None:
        with selectors.DefaultSelector() as ready, open(self.log_path, "wb", buffering=0) as log:
            for source in (self._uart_listener, self._client_listener, self._wake_read):
                ready.register(source, selectors.EVENT_READ)
            while True:
                for key, _ in ready.select():
                    sock = key.fileobj
                    assert isinstance(sock, socket.socket)
                    if sock is self._wake_read:
                        return
                    if sock is self._uart_listener or sock is self._client_listener:
                        self._accept(ready, sock)
                        continue
                    if self.down or self.up:
                        # A UART hands its bytes out one by one: a process switch for each is dear.
                        time.sleep(0.0005)
                    try:
                        data = sock.recv(65536)
                    except OSError:
                        data = b""
                    if sock is self._uart:
                        log.write(data)
                    if not data:
                        self._forget(ready, sock)
                    else:
                        self._forward(sock, data)

    def _accept(self, ready: selectors.DefaultSelector, listener: socket.socket) -> None:
        sock, _ = listener.accept()
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        old = self._uart if listener is self._uart_listener else self._client
        if old:
            self._forget(ready, old)
        ready.register(sock, selectors.EVENT_READ)
        if listener is self._uart_listener:
            self._uart = sock
        else:
            self._client = sock

    def _forget(self, ready: selectors.DefaultSelector, sock: socket.socket) -> None:
        ready.unregister(sock)
        sock.close()
        if sock is self._uart:
            self._uart = None
        else:
            self._client = None

    def _forward(self, sock: socket.socket, data: bytes) -> None:
        target = self._client if sock is self._uart else self._uart
        if sock is self._uart:
            self.to_client += len(data)
            data = self.up(data) if self.up else data
        else:
            self.to_machine += len(data)
            data = self.down(data) if self.down else data
        try:
            if target:
                target.sendall(data)
        except OSError:
            pass  # the reader of that side notices at its next recv
