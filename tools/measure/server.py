"""A server process, pinned, for the length of a run."""
import os
import signal
import socket
import subprocess
import tempfile
import time

from measure import ROOT, MeasureError

START_SECONDS, STOP_SECONDS = 15, 5
LOG_BYTES = 500  # of what a server that fails has said


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """Started, pinned to `cores` and accepting when the with block begins; gone when it ends.

    `command` makes the words of the command line from a port.
    """

    def __init__(self, command, cores):
        self.command, self.cores = command, cores

    def __enter__(self):
        self.port = free_port()
        self.words = self.command(self.port)
        self.log = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(
                self.words, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, cwd=ROOT,
                start_new_session=True,
                preexec_fn=lambda: os.sched_setaffinity(0, set(self.cores)))
        except OSError as error:
            raise MeasureError(f"{self.words[0]} does not start: {error.strerror}") from error
        try:
            self._await_listener()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _await_listener(self):
        deadline = time.monotonic() + START_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            except OSError:
                ended = self.process.poll()
            if ended is not None:
                raise MeasureError(f"{' '.join(self.words)} ended with {ended}: {self.said()}")
            if time.monotonic() > deadline:
                raise MeasureError(f"{' '.join(self.words)} accepts nothing after "
                                   f"{START_SECONDS} s: {self.said()}")
            time.sleep(0.01)  # between attempts to connect

    def said(self):
        self.log.seek(0)
        return self.log.read().decode(errors="replace")[-LOG_BYTES:].strip()

    @property
    def pid(self):
        return self.process.pid

    def __exit__(self, *_):
        """The whole group: some servers are a master and its workers."""
        self._signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        self._signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()

    def _signal(self, number):
        try:
            os.killpg(self.process.pid, number)
        except ProcessLookupError:
            pass
