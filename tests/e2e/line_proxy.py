# SPDX-License-Identifier: GPL-3.0-or-later
"""Stands between an emulator's UART and one client, keeps everything the machine says.

The emulator connects to `uart_port`, a client (GDB, for one) to `client_port`, when it likes and as
often as it likes. Without a client the bytes are only kept, in `log_path`, as a serial logger would.
`vices` (wire_link.Hostile, one a direction) make a bad line of it. `pace` gives it the speed of a real
one, in bytes a second and direction: QEMU's UART takes no time of its own.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

Vices = Callable[[bytes], bytes]
PACED_KEPT = 4096  # bytes that wait in a paced direction; then its sender waits


class Paced:
    """One direction of a paced line: bytes that wait, and when the next may go."""

    def __init__(self) -> None:
        self.waiting = bytearray()
        self.free_at = 0.0  # when the line has sent what was handed out

    def take(self, pace: float, now: float) -> bytes:
        """What the line has carried by now. It works on from where it stopped, or from now when idle."""
        count = min(int((now - self.free_at) * pace), len(self.waiting))
        if count <= 0:
            return b""
        self.free_at += count / pace
        data = bytes(self.waiting[:count])
        del self.waiting[:count]
        return data

    def add(self, data: bytes, now: float) -> None:
        if not self.waiting:
            self.free_at = max(self.free_at, now)
        self.waiting += data


class LineProxy:
    def __init__(
        self,
        log_path: Path,
        down: Vices | None = None,
        up: Vices | None = None,
        pace: int = 0,
    ) -> None:
        self.log_path = log_path
        self.down = down  # to the machine
        self.up = up  # to the client
        self.pace = pace
        self._paced = {True: Paced(), False: Paced()}  # by "from the machine"
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

    def _listen(self) -> socket.socket:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if self.pace:  # a sender must notice soon that the line is busy
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, PACED_KEPT)
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
                for key, _ in ready.select(self._carry()):
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
                    room = 65536
                    if self.pace:
                        room = PACED_KEPT - len(self._paced[sock is self._uart].waiting)
                        if room <= 0:
                            continue  # _carry() has said when to come back
                    try:
                        data = sock.recv(room)
                    except OSError:
                        data = b""
                    if sock is self._uart:
                        log.write(data)
                        # Bochs sends byte by byte and waits (Nagle) for what delayed ACKs hold back 40 ms.
                        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
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
        if self.pace:
            self._paced[sock is self._uart].add(data, time.monotonic())
        else:
            self._send(target, data)

    def _carry(self) -> float | None:
        """Paced: hands out what the line has carried. Returns the seconds until it has carried more."""
        busy = False
        for up, line in self._paced.items():
            if line.waiting:
                data = line.take(self.pace, time.monotonic())
                if data:
                    self._send(self._client if up else self._uart, data)
                busy = busy or bool(line.waiting)
        if busy:
            time.sleep(0.0005)  # select() would return at once for a sender that must wait
        return 0 if busy else None

    @staticmethod
    def _send(target: socket.socket | None, data: bytes) -> None:
        try:
            if target:
                target.sendall(data)
        except OSError:
            pass  # the reader of that side notices at its next recv
