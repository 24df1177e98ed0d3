"""An application that leaves it to its server whether an answer has a body. The path is
/how/framing/nonce: excess is for a body that looks like an answer, and none and
unmodified are for 204 and 304."""

STATUS = {"none": "204 No Content", "unmodified": "304 Not Modified"}


def app(environ, start_response):
    _, how, framing, nonce = environ["PATH_INFO"].split("/")
    body = nonce.encode()
    if how == "excess":
        body = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    headers = [("X-Nonce", nonce)]
    if framing == "length":
        headers.append(("Content-Length", str(len(body))))
    start_response(STATUS.get(framing, "200 OK"), headers)
    return [body]
