"""Stands in for systemd in tests, since a test must not boot one: holds the listening socket over all runs of the service,
receives its notifications, and starts it with both as sd_listen_fds(3) and sd_notify(3) say.

    service-manager.py INGEST_PATH NOTIFY_ADDRESS COMMAND...

Commands on standard input: start, TERM, KILL. Standard output: one JSON object a line, {"message": [lines of one
notification], "from": pid of its sender} or {"exited": code or -signal, "pid": pid}.
"""

import json
import os
import select
import signal
import socket
import struct
import sys

ingest_path, notify_address, *command = sys.argv[1:]

ingest = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
ingest.bind(ingest_path)
ingest.listen(4096)

notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
notify.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
notify.bind("\0" + notify_address[1:] if notify_address.startswith("@") else notify_address)

wake_read, wake_write = os.pipe()
os.set_blocking(wake_write, False)
signal.set_wakeup_fd(wake_write)
signal.signal(signal.SIGCHLD, lambda *_: None)


def say(**fact):
    print(json.dumps(fact), flush=True)


def start():
    pid = os.fork()
    if pid > 0:
        return pid
    os.dup2(ingest.fileno(), 3)
    os.set_inheritable(3, True)
    os.environ.update(
        LISTEN_FDS="1",
        LISTEN_FDNAMES="ingest",
        LISTEN_PID=str(os.getpid()),
        NOTIFY_SOCKET=notify_address,
    )
    os.dup2(2, 1)
    os.execvp(command[0], command)


def take_notifications():
    while select.select([notify], [], [], 0)[0]:
        text, ancillary, _, _ = notify.recvmsg(4096, 100)
        sender = [struct.unpack("3i", data)[0] for _, kind, data in ancillary if kind == socket.SCM_CREDENTIALS]
        say(message=text.decode().split("\n"), **{"from": sender[0]})


child = None
while True:
    ready, _, _ = select.select([0, notify, wake_read], [], [])
    take_notifications()
    if wake_read in ready:
        os.read(wake_read, 100)
        if child is not None:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid != 0:
                take_notifications()
                say(exited=os.waitstatus_to_exitcode(status), pid=pid)
                child = None
    if 0 in ready:
        words = os.read(0, 100).decode().split()
        if not words:
            break
        for word in words:
            if word == "start":
                child = start()
            elif child is not None:
                os.kill(child, getattr(signal, "SIG" + word))
if child is not None:
    os.kill(child, signal.SIGKILL)
