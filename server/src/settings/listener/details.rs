//! The help of the settings that are URLs of listeners.

/// How a listener is written.
pub(in crate::settings) const LISTEN_DETAILS: &str = "\
A host name is every address of it. A link-local address has the name of its interface: tcp://[fe80::1%eth0]:7. \
A Unix socket without a file, in the abstract namespace, is unix:@NAME; every process can connect to it.

Parameters after a ?, joined by &, apply to this listener only. protocol, max-connections, idle-timeout, \
write-timeout, proxy-timeout and handshake-timeout override the settings of these names. v6only=yes excludes IPv4 from [::]. mode=660 sets the \
permissions of a Unix socket. proxy=required expects a PROXY header at the start of each connection; use it \
only if nothing but the proxy can connect. Example: tcp://[::]:7?protocol=raw&v6only=yes

TLS is tls://HOST:PORT, or unix:///PATH?tls=on. cert=FILE and key=FILE are its certificate and key; repeated, the \
name that the client asks for (SNI) decides between them. client-ca=FILE verifies certificates of clients, which \
client-cert=optional does not require; crl=FILE lists revoked certificates. tls-min=1.3 refuses TLS 1.2. \
alpn=NAME,NAME are application protocols. Example: tls://[::]:7?cert=echo.pem&key=echo.key

HTTP and WebSocket are http://HOST:PORT and https://HOST:PORT, or unix:///PATH?http=on. origins=URL,URL are \
origins of pages that may open a WebSocket, hosts=NAME,NAME names of the server, subprotocols=NAME,NAME those it \
selects from. max-message=SIZE limits a message, deflate=on allows compression, head-timeout and ping-interval are \
durations. Example: http://127.0.0.1:8080?origins=https://example.com

login=required echoes nothing before a user of the file of users has logged in, in text or length by SASL, in HTTP by \
a password, a token or a cookie. mechanisms=NAME,NAME are those that it offers. Example: tls://[::]:7?login=required

receipt=on ends each connection of text, length or WebSocket that closes gracefully with a client receipt: the bytes \
that the server has received and sent, with a SHA-256 of each direction. Example: tcp://127.0.0.1:65432?receipt=on

Faults on purpose test clients and proxies; they do nothing else than stated, and each of them is in the log: \
delay=50ms, jitter=20ms:normal (or uniform, exponential, pareto), throttle=64kB/s, drip=1B/10ms, stall-after=1MB:5s, \
reset-after=1MB, close-after=1MB, half-close-after=1MB, truncate=1MB, refuse=10%, accept-delay=1s, corrupt=1/MB, \
drop=1%, duplicate=1% and reorder=1% of the messages, split=1..7, coalesce=20ms; with TLS no-close-notify=on and \
handshake-stall=5s; with WebSocket bad-mask=on and close-code=1002; with a login login-wrong-proof=on. Sizes have units of \
powers of 1,024. @5% is the share of the connections that have a fault, and @10s..20s the time in which it applies, since \
the listener got it. fault-seed=N makes another run have the same faults at the same bytes. fault-profile=NAME stands for \
the faults that 'echo-server faults profiles' lists. Example: tcp://127.0.0.1:7?delay=50ms&reset-after=1MB@5%

UDP is always raw and has no connections, so it accepts only v6only, rate and the faults of datagrams: delay, jitter, \
throttle, truncate, corrupt, drop, duplicate and reorder. rate=N limits the datagrams that \
are answered per second to one IPv4 address or one IPv6 network of 64 bits. The default is 10000; off removes \
the limit.";

/// What the admin listener shows.
pub(in crate::settings) const ADMIN_DETAILS: &str = "\
It has /livez, /readyz, /metrics, /connections, /status, /config, /version and /faults. Every client that can connect can read \
them, so choose a loopback address, as in http://127.0.0.1:9465, or a Unix socket, whose permissions mode=660 sets. It has a \
thread of its own, and its clients do not count as clients. hosts=NAME,NAME are names of the server in requests, besides \
addresses and localhost. At a loopback address or a Unix socket, clients can also set the faults of other listeners \
('echo-server faults'); control=off forbids it, and control=on allows it at other addresses.";
