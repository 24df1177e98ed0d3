"""Answers with what a WSGI application reads of a request's headers: by names of CGI's
form, in which - and _ are one, and all values of a name are one."""

import json
import socket
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer


def app(environ, start_response):
    body = json.dumps({k: v for k, v in environ.items() if k.startswith("HTTP_")}).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


server = WSGIServer(("127.0.0.1", 0), WSGIRequestHandler, bind_and_activate=False)
server.socket.close()
server.socket = socket.socket(fileno=3)  # which listens already
server.server_name, server.server_port = "localhost", server.socket.getsockname()[1]
server.setup_environ()
server.set_app(app)
server.serve_forever()
