"""The program from a process that has imported it already. ``served.py SOCKET`` serves until its stdin ends;
``served.py SOCKET -- ARGUMENTS`` is the program, which hands over its arguments, folder, environment and streams, and
exits as it is told."""

import os
import socket
import sys


def serve(address):
    """Answer each caller from a copy of this process."""
    import ast
    import select
    import signal

    import dnnlab.cli
    import dnnlab.completion.offers  # noqa: F401
    from dnnlab.__main__ import main

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    print("ready", flush=True)
    while listening in select.select([listening, sys.stdin], [], [])[0]:
        caller, _ = listening.accept()
        if os.fork():
            caller.close()
            continue
        code = 1
        try:
            _, streams, *_ = socket.recv_fds(caller, 1, 3)
            arguments, folder, environment = ast.literal_eval(caller.makefile("rb").read().decode())
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
            sys.stdin, sys.stdout, sys.stderr = (open(number, mode) for number, mode in enumerate("rww"))  # noqa: SIM115
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.chdir(folder)
            os.environ.clear()
            os.environ.update(environment)
            sys.path[0], sys.argv = folder, ["dnnlab", *arguments]
            main()
        except SystemExit as end:
            code = end.code
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            caller.sendall(bytes([code]))
            os._exit(0)


def call(address, arguments):
    """The exit code of the program with these ``arguments``."""
    with socket.socket(socket.AF_UNIX) as server:
        server.connect(address)
        socket.send_fds(server, [b"."], [0, 1, 2])
        server.sendall(repr((arguments, os.getcwd(), dict(os.environ))).encode())
        server.shutdown(socket.SHUT_WR)
        return server.recv(1)[0]


if __name__ == "__main__":
    if len(sys.argv) == 2:
        serve(sys.argv[1])
    else:
        sys.exit(call(sys.argv[1], sys.argv[3:]))
