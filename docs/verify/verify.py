"""How a receiver tells that a delivery is ours, with nothing but Python's standard library. It may be copied."""

import base64
import binascii
import hashlib
import hmac
import time

TOLERANCE = 5 * 60  # seconds that a delivery's timestamp may lie from our clock; bounds how long a copy can be played back


def verify(secret, headers, body, now=None):
    """True if a request with these headers (names in lower case) and this body (bytes, exactly as it came) was signed with the secret."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    msg_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        age = abs((time.time() if now is None else now) - int(timestamp))
    except ValueError:
        return False
    if age > TOLERANCE:
        return False
    want = hmac.new(key, f"{msg_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    # There are several signatures while a secret is being replaced; one that fits is enough.
    for signature in headers.get("webhook-signature", "").split():
        version, _, text = signature.partition(",")
        try:
            got = base64.b64decode(text, validate=True)
        except binascii.Error:
            continue
        if version == "v1" and hmac.compare_digest(got, want):
            return True
    return False


if __name__ == "__main__":
    # A receiver to try it with: python3 verify.py whsec_… [port]
    import sys
    from http.server import BaseHTTPRequestHandler, HTTPServer

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            ours = verify(sys.argv[1], {name.lower(): value for name, value in self.headers.items()}, body)
            self.send_response(200 if ours else 401)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", int(sys.argv[2]) if len(sys.argv) > 2 else 9000), Receiver)
    print(f"http://127.0.0.1:{server.server_port}/", flush=True)
    server.serve_forever()
