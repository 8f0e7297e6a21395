"""The control socket of a run: its viewers hear what it says, and what they want is put to its engine.

One thread serves them all and waits for none. Whatever comes over the socket or befalls it, the training goes on.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import threading
import time
from collections import OrderedDict

import msgspec

from fxtui import __version__
from fxtui.machine import processes
from fxtui.protocol.commands import AnyCommand
from fxtui.protocol.encoding import encode
from fxtui.protocol.events import CommandRefused, RunWarning
from fxtui.run.session import address
from fxtui.run.session.link import EngineLink
from fxtui.run.session.subscription import Subscription
from fxtui.run.session.viewer import Viewer
from fxtui.run.session.wire import (
    HEARTBEAT,
    Heartbeat,
    Hello,
    LineTooLongError,
    Order,
    Subscribe,
    from_viewer,
    line_of,
    unknown_command,
)

MOST_VIEWERS = 64
# Commands that wait for the engine, of all viewers.
MOST_WAITING = 1024
# Connections that are taken in a turn.
_ACCEPTED = 32
_LOOK_SECONDS = 1.0
# For whoever connects and wants nothing, and for a reader that takes nothing of what waits for it.
_SILENT_SECONDS, _STALLED_SECONDS = 10.0, 30.0
# Between two looks at what the engine said, and after whatever came over the socket: what the training may lose to it.
_PUMP_SECONDS, _REST_SECONDS = 0.03, 0.002
_FAREWELL_SECONDS = 1.0
_REMEMBERED = 4096


class ControlServer:
    """Serves a run's control socket from :meth:`start` to :meth:`close`; where none can be made, it says so."""

    def __init__(self, link: EngineLink) -> None:
        self._link = link
        self._listening: address.Listening | None = None
        self._viewers: set[Viewer] = set()
        self._said: Subscription | None = None
        self._next_seq = 0
        # A viewer that lost its connection sends again what was not answered.
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._fault: str | None = None
        self._complained = False
        self._closing = False
        self._began = 0.0
        self._thread = threading.Thread(target=self._serve, name="fxtui-control", daemon=True)

    def start(self) -> None:
        """Make the socket and serve it in a thread of its own.

        Raises:
            OSError: no more files can be opened.
            RuntimeError: no more threads can be started.
        """
        self._selector = selectors.DefaultSelector()
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._selector.register(self._woken, selectors.EVENT_READ, None)
        self._began = processes.started(os.getpid()) or 0.0
        self._listen()
        self._beat()
        try:
            self._thread.start()
        except RuntimeError:
            self._end()
            raise

    def close(self) -> None:
        """Let the viewers hear the last event, hang up, and take the socket away. Waits a second at the most."""
        if not self._thread.is_alive():
            return
        self._closing = True
        self._wake()
        self._thread.join(2 * _FAREWELL_SECONDS)

    def _wake(self) -> None:
        # Full or closed: it is awake.
        with contextlib.suppress(OSError):
            self._waker.send(b"\0")

    def _serve(self) -> None:
        try:
            self._serve_until_closed()
            self._bid_farewell()
        # The thread's last resort: the training is not to end with it.
        except Exception as error:  # noqa: BLE001
            self._link.emit(RunWarning(text=f"the control socket is closed: {type(error).__name__}: {error}"))
        finally:
            self._end()

    def _serve_until_closed(self) -> None:
        look = beat = pump = 0.0
        heard = False
        while not self._closing:
            now = time.monotonic()
            if now >= look:
                self._look(now)
                look = now + _LOOK_SECONDS
            if now >= beat:
                self._beat()
                beat = now + HEARTBEAT
            if heard and now >= pump:
                self._pump()
                heard, pump = False, now + _PUMP_SECONDS
            heard |= self._turn(max(0.0, min(look, beat, pump if heard else look) - now))

    def _turn(self, timeout: float) -> bool:
        """Wait for something to come over the socket, or to be sent; whether the engine said something."""
        heard, busy = False, False
        for key, ready in self._selector.select(timeout):
            if key.fileobj is self._woken:
                with contextlib.suppress(OSError):
                    self._woken.recv(4096)
                heard = True
            elif key.data is None:
                busy = True
                self._accept()
            else:
                viewer: Viewer = key.data
                busy |= bool(ready & selectors.EVENT_READ)
                self._attend(viewer, ready)
        if busy:
            time.sleep(_REST_SECONDS)
        return heard

    def _accept(self) -> None:
        assert self._listening is not None
        for _ in range(_ACCEPTED):
            try:
                connection, _ = self._listening.socket.accept()
            except BlockingIOError:
                return
            except OSError:
                # No descriptors are left, most likely. Others need them more; it is tried again with the next look.
                self._forget_socket()
                return
            if len(self._viewers) >= MOST_VIEWERS or not address.is_users(connection):
                connection.close()
            else:
                self._welcome(Viewer(connection, time.monotonic()))

    def _welcome(self, viewer: Viewer) -> None:
        self._viewers.add(viewer)
        self._selector.register(viewer.connection, selectors.EVENT_READ, viewer)
        viewer.outbox.tell(line_of(self._hello()))
        self._flush(viewer)

    def _hello(self) -> Hello:
        run = self._link.run
        return Hello(
            # Told to people; what tells runs apart is the inode.
            run=os.fsencode(run.name).decode("utf-8", "backslashreplace"),
            seq=self._link.next_seq - 1,
            pid=os.getpid(),
            host=socket.gethostname(),
            version=__version__,
            viewers=self._link.viewers,
            inode=_inode(self._link),
        )

    def _attend(self, viewer: Viewer, ready: int) -> None:
        now = time.monotonic()
        if ready & selectors.EVENT_READ:
            try:
                lines = viewer.read(now)
                if lines is None:
                    self._drop(viewer)
                    return
                for line in lines:
                    self._heed(viewer, line)
            except (LineTooLongError, msgspec.DecodeError, UnicodeError, RecursionError):
                self._drop(viewer)
                return
        self._flush(viewer)

    def _heed(self, viewer: Viewer, line: bytes) -> None:
        """Do what a viewer wants.

        Raises:
            msgspec.DecodeError: it is nothing that a viewer wants.
        """
        try:
            wanted = from_viewer(line)
        except msgspec.DecodeError as error:
            if (command := unknown_command(line)) is None:
                raise
            name, number, client = command
            reason = f"{name}: not understood by fxtui {__version__}, which runs here: {error}"
            self._refuse(viewer, CommandRefused(command=name, reason=reason, id=number, client=client))
            return
        if isinstance(wanted, Subscribe):
            self._subscribe(viewer, wanted)
        elif isinstance(wanted, Order) and not self._is_known(wanted.command):
            self._put(viewer, wanted.command)

    def _put(self, viewer: Viewer, command: AnyCommand) -> None:
        full = self._link.waiting_commands >= MOST_WAITING
        if not full and self._link.put_command(command):
            return
        reason = "too many commands wait already" if full else "the run has ended"
        self._refuse(viewer, CommandRefused(command=command.name, reason=reason, id=command.id, client=command.client))

    def _is_known(self, command: AnyCommand) -> bool:
        if not command.id:
            return False
        key = (command.client, command.id)
        known = key in self._known
        self._known[key] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known

    def _refuse(self, viewer: Viewer, refusal: CommandRefused) -> None:
        """Answer one viewer; the run's journal has no room for what never reached it."""
        seq = self._link.next_seq - 1
        viewer.outbox.tell(encode(msgspec.structs.replace(refusal, t=time.time(), seq=seq)) + b"\n")

    def _subscribe(self, viewer: Viewer, wanted: Subscribe) -> None:
        if self._said is None:
            self._said = self._link.subscribe(merges=True, wake=self._wake)
            self._next_seq = self._said.next_seq
        else:
            self._pump()
        if wanted.since is not None and wanted.since < self._next_seq:
            viewer.outbox.miss(wanted.since)
        viewer.subscribed = True
        if wanted.viewer and not viewer.watches:
            viewer.watches = True
            self._link.viewer_came()

    def _pump(self) -> None:
        """Hand on what the engine has said since the last time."""
        if self._said is None:
            return
        taken = self._said.take()
        listeners = [viewer for viewer in self._viewers if viewer.subscribed]
        if taken.missed is not None:
            for viewer in listeners:
                viewer.outbox.miss(taken.missed)
        for event in taken.events:
            line = encode(event) + b"\n"
            for viewer in listeners:
                viewer.outbox.put(type(event), event.seq, line)
        if taken.events:
            self._next_seq = taken.events[-1].seq + 1
        elif taken.missed is not None:
            # Or fewer: who has them already reads the journal for nothing.
            self._next_seq = self._link.next_seq
        for event in taken.told:
            line = encode(event) + b"\n"
            for viewer in listeners:
                viewer.outbox.tell(line)
        for viewer in listeners:
            self._flush(viewer)

    def _flush(self, viewer: Viewer) -> None:
        if viewer not in self._viewers:
            return
        if not viewer.write(time.monotonic()) or viewer.outbox.too_full:
            self._drop(viewer)
            return
        wanted = selectors.EVENT_READ | (selectors.EVENT_WRITE if viewer.outbox else 0)
        if self._selector.get_key(viewer.connection).events != wanted:
            self._selector.modify(viewer.connection, wanted, viewer)

    def _drop(self, viewer: Viewer) -> None:
        if viewer not in self._viewers:
            return
        self._viewers.discard(viewer)
        self._selector.unregister(viewer.connection)
        viewer.close()
        if viewer.watches:
            self._link.viewer_left()
        if self._said is not None and not any(kept.subscribed for kept in self._viewers):
            self._link.unsubscribe(self._said)
            self._said = None

    def _look(self, now: float) -> None:
        """Look after the socket, and after viewers that neither read nor say what they want."""
        if self._listening is not None and not self._listening.is_there:
            self._forget_socket()
        if self._listening is None:
            self._listen()
            self._beat()
        for viewer in list(self._viewers):
            silent = now - viewer.moved
            if silent > _STALLED_SECONDS if viewer.outbox else silent > _SILENT_SECONDS and not viewer.subscribed:
                self._drop(viewer)
        # Not before the run's own first words.
        if self._fault and not self._complained and self._link.next_seq:
            self._complained = True
            self._link.emit(RunWarning(text=f"no control socket, so no commands from elsewhere: {self._fault}"))

    def _beat(self) -> None:
        """Say that the process lives: to the viewers, and in ``RUN/control``."""
        line = line_of(Heartbeat(seq=self._link.next_seq - 1, viewers=self._link.viewers))
        for viewer in list(self._viewers):
            if viewer.subscribed:
                # To one that reads nothing it would be one more line, and no news.
                if not viewer.outbox:
                    viewer.outbox.tell(line)
                self._flush(viewer)
        if self._listening is None:
            return
        try:
            address.write_address(
                self._link.run,
                address.Address(
                    path=str(self._listening.path),
                    host=socket.gethostname(),
                    pid=os.getpid(),
                    started=self._began,
                    beat=time.time(),
                    inode=_inode(self._link),
                    version=__version__,
                ),
            )
        except OSError as error:
            self._fault = f"{address.control_file(self._link.run)}: {error.strerror or error}"

    def _listen(self) -> None:
        try:
            self._listening = address.listen(self._link.run)
        except OSError as error:
            self._fault = str(error)
            return
        self._selector.register(self._listening.socket, selectors.EVENT_READ, None)

    def _forget_socket(self) -> None:
        if self._listening is not None:
            self._selector.unregister(self._listening.socket)
            self._listening.close()
            self._listening = None

    def _bid_farewell(self) -> None:
        self._pump()
        end = time.monotonic() + _FAREWELL_SECONDS
        while any(viewer.outbox for viewer in self._viewers) and (left := end - time.monotonic()) > 0:
            for key, _ in self._selector.select(min(left, 0.1)):
                if isinstance(key.data, Viewer):
                    self._flush(key.data)

    def _end(self) -> None:
        for viewer in list(self._viewers):
            self._drop(viewer)
        address.remove_address(self._link.run)
        if self._listening is not None:
            self._listening.close()
        self._selector.close()
        self._waker.close()
        self._woken.close()


def _inode(link: EngineLink) -> int:
    try:
        return address.inode_of(link.run)
    except OSError:
        return 0
