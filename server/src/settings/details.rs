//! The long help of settings.

/// How a listener is written.
pub(super) const LISTEN: &str = "\
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

A listener injects faults on purpose, to test clients and proxies, and records them: \
delay=50ms, jitter=20ms:normal (or uniform, exponential, pareto), throttle=64kB/s, drip=1B/10ms, stall-after=1MB:5s, \
reset-after=1MB, close-after=1MB, half-close-after=1MB, truncate=1MB, refuse=10%, accept-delay=1s, corrupt=1/MB, \
drop=1%, duplicate=1% and reorder=1% of the messages, split=1..7, coalesce=20ms; with TLS no-close-notify=on and \
handshake-stall=5s; with WebSocket bad-mask=on and close-code=1002; with a login login-wrong-proof=on. Sizes have units of \
powers of 1,024. @5% is the share of the connections that have a fault, and @10s..20s the time in which it applies, from \
the moment at which the listener got it. fault-seed=N makes another run have the same faults at the same bytes. fault-profile=NAME stands for \
the faults that 'echo-server faults profiles' lists. Example: tcp://127.0.0.1:7?delay=50ms&reset-after=1MB@5%

UDP is always raw and has no connections, so it accepts only v6only, rate and the faults of datagrams: delay, jitter, \
throttle, truncate, corrupt, drop, duplicate and reorder. rate=N limits the datagrams that \
are answered per second to one IPv4 address or one IPv6 network of 64 bits. The default is 10000; off removes \
the limit.";

/// What the admin listener shows.
pub(super) const ADMIN: &str = "\
It has /livez, /readyz, /metrics, /connections, /status, /config, /version and /faults. Every client that can connect can read \
them, so choose a loopback address, as in http://127.0.0.1:9465, or a Unix socket, whose permissions mode=660 sets. It has a \
thread of its own, and its clients do not count as clients. hosts=NAME,NAME are names of the server in requests, besides \
addresses and localhost. At a loopback address or a Unix socket, clients can also set the faults of other listeners \
('echo-server faults'); control=off forbids it, and control=on allows it at other addresses.";

/// When the PROXY header is awaited.
pub(super) const PROXY_TIMEOUT: &str = "\
It applies to listeners with proxy=required. Set it to off for a load balancer that sends the header \
with the first bytes of its client, such as the network load balancer of AWS; then idle-timeout limits \
the wait. A header has at most 4096 bytes.";

/// What the drain delay is for.
pub(super) const DRAIN_DELAY: &str = "\
Meanwhile /readyz of the admin listener reports that the server is not ready, so that a load balancer sends \
new clients elsewhere. A second signal ends the server immediately.";

/// How rooms are shared.
pub(super) const ROOMS: &str = "\
All servers with the same URL have the same rooms. redis://USER:PASSWORD@HOST:PORT/DATABASE logs in; a \
password belongs into the environment or the file, since everyone can read a command line. rediss:// is TLS. \
?prefix=NAME separates servers that share a Redis and not their rooms. The server starts without Redis as well, \
and tries again until it answers.";

/// Who can use the key log.
pub(super) const TLS_KEY_LOG: &str = "\
Everyone who can read the file can decrypt the connections, so it is for tests. The format is that of \
SSLKEYLOGFILE; that variable alone has no effect. A new file is readable by its owner only.";

/// The purpose of the fault log.
pub(super) const FAULT_LOG: &str = "\
'echo-client load --expect-faults FILE' compares it with the observations of the clients. Faults are parameters of a \
listener's URL (--listen), or 'echo-server faults set' sets them. SIGHUP reopens the file.";

/// What a client over the limit receives.
pub(super) const MAX_CONNECTIONS: &str = "\
A client over the limit receives one line with the reason, and its connection is \
closed. At the start, the server raises its limit on descriptors as far as the system \
allows.";
