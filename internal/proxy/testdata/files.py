"""Serves the files of a directory on the listener that it gets as descriptor 3, as
many small programs do: a HEAD is treated as a GET, and so gets a body."""

import functools
import http.server
import socket
import sys


class Files(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.do_GET()

    def log_message(self, *args):
        pass


handler = functools.partial(Files, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler, bind_and_activate=False)
server.socket = socket.socket(fileno=3)
server.serve_forever()
