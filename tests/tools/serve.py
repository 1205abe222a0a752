#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Serves a folder over HTTP to this computer, until Ctrl-C: serve.py FOLDER PORT"""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def main(folder: str, port: str) -> int:
    if not port.isdecimal() or not 0 < int(port) < 65536:
        print(f"site: SITE_PORT={port} is not a port: a number from 1 to 65535", file=sys.stderr)
        return 2
    if not Path(folder, "index.html").exists():
        print(f"site: {folder} has no index.html: make site", file=sys.stderr)
        return 2
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), partial(Quiet, directory=folder))
    except OSError as error:
        print(f"site: port {port} cannot be used ({error.strerror}): choose another with SITE_PORT=", file=sys.stderr)
        return 1
    print(f"site: http://127.0.0.1:{port}/ until Ctrl-C", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
