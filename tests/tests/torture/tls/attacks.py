"""Does what TLS forbids, one thing per connection, and checks how the server answers. Arguments: the port of a server
whose idle timeout is a second.

A case is a name, the expected answer and what to send. The answer is the list of the records that follow the handshake,
in words. RFC 8446, section 6, defines the alerts. A case whose comment begins with "rustls:" documents a deviation of
rustls from it, which no server above rustls can change.

Needs tlslite-ng.
"""
import os
import socket
import struct
import sys

from tlslite.api import HandshakeSettings, TLSConnection
from tlslite.constants import KeyUpdateMessageType
from tlslite.messages import Message

PORT = int(sys.argv[1])
ALERTS = {
    0: "close_notify", 10: "unexpected_message", 20: "bad_record_mac", 22: "record_overflow", 40: "handshake_failure",
    47: "illegal_parameter", 50: "decode_error", 70: "protocol_version", 100: "no_renegotiation",
    109: "missing_extension",
}
ALERT, HANDSHAKE, DATA, HEARTBEAT, CCS, UNKNOWN = 21, 22, 23, 24, 20, 99
TLS12, TLS13 = (3, 3), (3, 4)


# --- bytes before the first key ---


def record(kind, body, version=0x0303):
    return struct.pack(">BHH", kind, version, len(body)) + body


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def short(body):
    return bytes([len(body)]) + body


def long(body):
    return struct.pack(">H", len(body)) + body


def extension(kind, body):
    return struct.pack(">H", kind) + long(body)


X25519, P256 = b"\0\x1d", b"\0\x17"
NO_TLS13 = (43, 51)


def extensions(versions=(0x0304, 0x0303), groups=X25519 + P256, share=None, name=b"localhost", more=b"", without=()):
    share = X25519 + long(os.urandom(32)) if share is None else share
    every = {
        0: long(b"\0" + long(name)),
        43: short(b"".join(struct.pack(">H", version) for version in versions)),
        10: long(groups),
        51: long(share),
        13: long(b"\x04\x03\x08\x04\x04\x01"),
    }
    return b"".join(extension(kind, body) for kind, body in every.items() if kind not in without) + more


def hello(version=0x0303, suites=b"\x13\x01\x13\x02\xc0\x2b\xc0\x2c", compression=b"\0", tail=b"", **options):
    body = struct.pack(">H", version) + os.urandom(32) + short(os.urandom(32)) + long(suites) + short(compression)
    return message(1, body + long(extensions(**options)) + tail)


def pieces(body, size):
    return b"".join(record(HANDSHAKE, body[at : at + size]) for at in range(0, len(body), size))


def word(kind, body):
    if kind == ALERT:
        level = "fatal " if body[0] == 2 else ""
        return level + ALERTS.get(body[1], str(body[1]))
    return {HANDSHAKE: "handshake", DATA: "data", CCS: "ccs"}.get(kind, str(kind))


def plain(sent):
    """Sends bytes, and returns the records that arrive, without those that are encrypted."""
    sock = socket.create_connection(("127.0.0.1", PORT), timeout=30)
    try:
        sock.sendall(sent)
    except OSError:
        pass
    received = b""
    while piece := sock.recv(65536):
        received += piece
    words = []
    while received:
        kind, _, length = struct.unpack(">BHH", received[:5])
        words.append(word(kind, received[5 : 5 + length]))
        received = received[5 + length :]
    return list(dict.fromkeys(words))


# --- bytes after the handshake ---


class Client:
    def __init__(self, version):
        self.sock = socket.create_connection(("127.0.0.1", PORT), timeout=30)
        self.tls = TLSConnection(self.sock)
        self.tls.ignoreAbruptClose = True
        settings = HandshakeSettings()
        settings.minVersion = settings.maxVersion = version
        self.tls.handshakeClientCert(settings=settings, serverName="localhost")
        self.layer = self.tls._recordLayer

    def send(self, kind, body):
        for _ in self.layer.sendRecord(Message(kind, bytearray(body))):
            pass

    def captured(self, send):
        """Returns the bytes that this function would send."""
        inner, sent = self.layer._recordSocket, []
        real = inner.sock

        class Capture:
            def send(self, data):
                sent.append(bytes(data))
                return len(data)

        inner.sock = Capture()
        send()
        inner.sock = real
        return b"".join(sent)

    def answer(self):
        words = []
        while True:
            try:
                for result in self.layer.recvRecord():
                    if result not in (0, 1):
                        break
                header, parser = result
            except Exception as error:
                if type(error).__name__ == "TLSAbruptCloseError":
                    return [one for one in dict.fromkeys(words) if one != "handshake"]
                raise
            words.append(word(header.type, bytes(parser.bytes)))


def records(version, *sent):
    """Sends records after a handshake."""
    client = Client(version)
    try:
        for kind, body in sent:
            client.send(kind, body)
    except OSError:
        pass
    return client.answer()


def wire(version, change):
    """Changes the bytes of a record with the line `hello`."""
    client = Client(version)
    client.sock.sendall(change(client.captured(lambda: client.send(DATA, b"hello\n"))))
    return client.answer()


def inner(plaintext):
    """Sends a record of TLS 1.3 whose plaintext, with its type and padding, is this."""
    client = Client(TLS13)
    state = client.layer._writeState
    sequence = bytes(4) + bytes(state.getSeqNumBytes())
    nonce = bytearray(one ^ other for one, other in zip(sequence, state.fixedNonce))
    header = struct.pack(">BHH", DATA, 0x0303, len(plaintext) + 16)
    sealed = state.encContext.seal(nonce, bytearray(plaintext), bytearray(header))
    client.sock.sendall(header + bytes(sealed))
    return client.answer()


def key_updates(count, kind):
    client = Client(TLS13)

    def update():
        for _ in range(count):
            for _ in client.tls.send_keyupdate_request(kind):
                pass

    client.sock.sendall(client.captured(update))
    return client.answer()


SCSV = b"\x56\0\xc0\x2b"
TICKET = extension(41, long(long(b"ticket") + bytes(4)) + long(short(bytes(32))))
MODES = extension(45, b"\1\1")
BEGUN = hello()[:20]
UNEXPECTED, DECODE, ILLEGAL = ["fatal unexpected_message"], ["fatal decode_error"], ["fatal illegal_parameter"]
MAC, FAILURE, VERSION = ["fatal bad_record_mac"], ["fatal handshake_failure"], ["fatal protocol_version"]
ACCEPTED = ["handshake", "ccs", "data"]
ECHO, SILENCE = ["data", "close_notify"], []

PLAIN = [
    ("HTTP", UNEXPECTED, b"GET / HTTP/1.1\r\n\r\n"),
    ("a hello of SSL 2.0", UNEXPECTED, b"\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10" + os.urandom(60)),
    # rustls: it misses an extension first, where protocol_version is due.
    ("SSL 3.0", FAILURE, record(HANDSHAKE, hello(0x0300, without=(0, 43, 10, 51, 13)), 0x0300)),
    ("TLS 1.0", VERSION, record(HANDSHAKE, hello(0x0301, without=NO_TLS13), 0x0301)),
    ("TLS 1.1", VERSION, record(HANDSHAKE, hello(0x0302, without=NO_TLS13), 0x0301)),
    ("TLS 1.1 as supported version", VERSION, record(HANDSHAKE, hello(versions=(0x0302,)))),
    ("version 3.0 of a record", ACCEPTED, record(HANDSHAKE, hello(), 0x0300) + record(ALERT, b"\2\x28")),
    # rustls: record_overflow is due.
    ("a record of 2^14 + 1 bytes", DECODE, record(HANDSHAKE, message(1, bytes(16381)))),
    ("a record of 2^14 + 256 + 1 bytes", DECODE, record(HANDSHAKE, message(1, bytes(16637)))),
    # rustls: unexpected_message is due.
    ("an empty record of a handshake", DECODE, record(HANDSHAKE, b"")),
    ("a handshake in records of one byte", ACCEPTED, pieces(hello(), 1) + record(ALERT, b"\2\x28")),
    ("data inside a hello", UNEXPECTED, record(HANDSHAKE, BEGUN) + record(DATA, b"x")),
    ("alerts inside a hello", UNEXPECTED, record(HANDSHAKE, BEGUN) + record(ALERT, b"\1\x5a") * 10),
    ("a server's hello", UNEXPECTED, record(HANDSHAKE, message(2, b"\3\3" + bytes(32) + b"\0\x13\1\0"))),
    ("a Finished first", UNEXPECTED, record(HANDSHAKE, message(20, bytes(12)))),
    ("a HelloRequest", UNEXPECTED, record(HANDSHAKE, message(0, b""))),
    ("two hellos in a record", UNEXPECTED, record(HANDSHAKE, hello() + hello())),
    ("an alert first", UNEXPECTED, record(ALERT, b"\2\x28")),
    ("a ChangeCipherSpec first", UNEXPECTED, record(CCS, b"\1")),
    ("a heartbeat first", UNEXPECTED, record(HEARTBEAT, b"\1\x40\0")),
    ("compression in TLS 1.3", ILLEGAL, record(HANDSHAKE, hello(compression=b"\1\0"))),
    ("compression in TLS 1.2", ILLEGAL, record(HANDSHAKE, hello(compression=b"\1", without=NO_TLS13))),
    ("no compression method", DECODE, record(HANDSHAKE, hello(compression=b""))),
    ("no common suite", FAILURE, record(HANDSHAKE, hello(suites=b"\0\x2f"))),
    ("half a suite", DECODE, record(HANDSHAKE, hello(suites=b"\x13\1\0"))),
    ("bytes after the hello", DECODE, record(HANDSHAKE, hello(tail=b"abc"))),
    ("a hello cut short", DECODE, record(HANDSHAKE, message(1, hello()[4:60]))),
    ("an extension twice", ILLEGAL, record(HANDSHAKE, hello(more=extension(10, long(X25519))))),
    ("no common group", FAILURE, record(HANDSHAKE, hello(groups=b"\0\x1e", share=b"\0\x1e" + long(bytes(56))))),
    ("a key share of 16 bytes", ILLEGAL, record(HANDSHAKE, hello(share=X25519 + long(bytes(16))))),
    ("a key share of zeros", ILLEGAL, record(HANDSHAKE, hello(share=X25519 + long(bytes(32))))),
    ("a ticket before another extension", ILLEGAL, record(HANDSHAKE, hello(more=TICKET + MODES))),
    ("a ticket without its modes", ["fatal missing_extension"], record(HANDSHAKE, hello(more=TICKET))),
    ("an unknown ticket", ACCEPTED, record(HANDSHAKE, hello(more=MODES + TICKET)) + record(ALERT, b"\2\x28")),
    ("control characters in a name", ILLEGAL, record(HANDSHAKE, hello(name=b"a\r\n\x1b[31mb"))),
    ("a name that is not UTF-8", ILLEGAL, record(HANDSHAKE, hello(name=b"\xff\xfe"))),
    ("a name of 300 bytes", ILLEGAL, record(HANDSHAKE, hello(name=b"a." * 150))),
    ("a hello of 60 KB", ACCEPTED, pieces(hello(more=extension(0xFAFA, bytes(60000))), 16000) + record(ALERT, b"\2\x28")),
    ("a hello of 64 KB", DECODE, record(HANDSHAKE, message(1, bytes(65536))[:16000])),
    ("a hello of 16 MB", DECODE, record(HANDSHAKE, b"\1\xff\xff\xff" + bytes(100))),
]

SECURE = [
    ("a line and an exit", ECHO, lambda version: records(version, (DATA, b"hello\nexit\n"))),
    ("a wrong MAC", MAC, lambda version: wire(version, lambda sent: sent[:-1] + bytes([sent[-1] ^ 1]))),
    ("a record without a MAC", MAC, lambda version: wire(version, lambda sent: record(DATA, b"abc"))),
    ("a replay", MAC, lambda version: wire(version, lambda sent: sent + sent)),
    ("a plain alert", MAC, lambda version: wire(version, lambda sent: record(ALERT, b"\2\x28"))),
    ("a ChangeCipherSpec", UNEXPECTED, lambda version: wire(version, lambda sent: record(CCS, b"\1"))),
    # rustls: unexpected_message is due.
    ("a heartbeat", DECODE, lambda version: records(version, (HEARTBEAT, b"\1\x40\0"))),
    ("an unknown type", DECODE, lambda version: records(version, (UNKNOWN, b"abc"))),
    ("a Finished", UNEXPECTED, lambda version: records(version, (HANDSHAKE, message(20, bytes(12))))),
    ("an alert of three bytes", DECODE, lambda version: records(version, (ALERT, b"\1\0\0"))),
    ("an alert of level 7", ILLEGAL, lambda version: records(version, (ALERT, b"\7\x5a"))),
    ("a fatal alert", SILENCE, lambda version: records(version, (ALERT, b"\2\x50"))),
    ("three warnings", ECHO, lambda version: records(version, *[(ALERT, b"\1\x5a")] * 3, (DATA, b"exit\n"))),
    # No alert of rustls, and no close_notify, since nothing ended well.
    ("a flood of warnings", SILENCE, lambda version: records(version, *[(ALERT, b"\1\x5a")] * 50)),
    ("a flood of empty records", SILENCE, lambda version: records(version, *[(DATA, b"")] * 1000)),
    ("data after a close_notify", ECHO, lambda version: records(version, (DATA, b"a\n"), (ALERT, b"\1\0"), (DATA, b"b\n"))),
]

TLS12_ONLY = [
    ("a renegotiation", ["no_renegotiation", "close_notify"], lambda: records(TLS12, (HANDSHAKE, hello()))),
    ("a flood of renegotiations", ["no_renegotiation"], lambda: records(TLS12, *[(HANDSHAKE, hello())] * 50)),
    ("a key update", UNEXPECTED, lambda: records(TLS12, (HANDSHAKE, message(24, b"\0")))),
]

TLS13_ONLY = [
    ("a hello", UNEXPECTED, lambda: records(TLS13, (HANDSHAKE, hello()))),
    ("a key update of value 2", ILLEGAL, lambda: records(TLS13, (HANDSHAKE, message(24, b"\2")))),
    ("two key updates in a record", UNEXPECTED, lambda: records(TLS13, (HANDSHAKE, message(24, b"\0") * 2))),
    ("a flood of key updates", SILENCE, lambda: key_updates(40, KeyUpdateMessageType.update_not_requested)),
    ("a flood of requests for key updates", SILENCE, lambda: key_updates(40, KeyUpdateMessageType.update_requested)),
    ("padding", ECHO, lambda: inner(b"hello\nexit\n\x17" + bytes(1000))),
    ("a plaintext of 2^14 bytes", ECHO, lambda: inner(b"exit\n" + b"x" * 16379 + b"\x17")),
    ("a plaintext of 2^14 + 1 bytes", ["fatal record_overflow"], lambda: inner(b"x" * 16385 + b"\x17")),
    # rustls: unexpected_message is due.
    ("padding only", SILENCE, lambda: inner(bytes(100))),
    ("a protected ChangeCipherSpec", UNEXPECTED, lambda: inner(b"\1\x14")),
]


def main():
    cases = [(name, expected, lambda sent=sent: plain(sent)) for name, expected, sent in PLAIN]
    for label, version in [("TLS 1.2", TLS12), ("TLS 1.3", TLS13)]:
        for name, expected, attack in SECURE:
            cases.append((f"{label}: {name}", expected, lambda attack=attack, version=version: attack(version)))
    cases += [(f"TLS 1.2: {name}", expected, attack) for name, expected, attack in TLS12_ONLY]
    cases += [(f"TLS 1.3: {name}", expected, attack) for name, expected, attack in TLS13_ONLY]
    wrong = 0
    for name, expected, attack in cases:
        answer = attack()
        if answer != expected:
            wrong += 1
            print(f"{name}: expected {expected}, received {answer}")
    print(f"{len(cases)} cases, {wrong} with another answer")
    sys.exit(wrong > 0)


main()
