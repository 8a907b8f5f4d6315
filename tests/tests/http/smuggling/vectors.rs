//! Requests that two parties could read differently, in the shape of the published collections.

/// The request that must get no response of its own.
pub(crate) const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n";

/// One attack.
#[derive(Debug)]
pub(crate) struct Vector {
    pub(crate) name: &'static str,
    /// Status of the only response.
    pub(crate) status: &'static str,
    pub(crate) bytes: Vec<u8>,
}

/// Returns all vectors.
pub(crate) fn vectors() -> Vec<Vector> {
    [lengths(), codings(), lines(), chunks(), trailers(), request_lines(), hosts(), upgrades()]
        .into_iter()
        .flatten()
        .collect()
}

fn vector(status: &'static str, name: &'static str, bytes: impl Into<Vec<u8>>) -> Vector {
    Vector { name, status, bytes: bytes.into() }
}

/// A request with these header lines and this body.
fn post(headers: &str, body: &str) -> String {
    format!("POST /x HTTP/1.1\r\nHost: a\r\n{headers}\r\n{body}")
}

/// A request whose body is the hidden request, if its length is read.
fn with_length(headers: &str) -> String {
    post(&headers.replace("LEN", &HIDDEN.len().to_string()), HIDDEN)
}

/// A request whose first chunk is the last one if it is read as chunked, before the hidden request.
fn with_coding(headers: &str) -> String {
    post(headers, &format!("0\r\n\r\n{HIDDEN}"))
}

/// A chunked request with this body, before the hidden request.
fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", &format!("{body}{HIDDEN}"))
}

/// A request with this first line, before the hidden request.
fn request_line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n{HIDDEN}")
}

fn lengths() -> Vec<Vector> {
    vec![
        vector("200", "CL.0", with_length("Content-Length: LEN\r\n")),
        vector(
            "200",
            "CL.0 of a GET",
            with_length("Content-Length: LEN\r\n").replacen("POST", "GET", 1),
        ),
        vector(
            "400",
            "CL 0 and another",
            with_length("Content-Length: 0\r\nContent-Length: LEN\r\n"),
        ),
        vector(
            "400",
            "CL and another 0",
            with_length("Content-Length: LEN\r\nContent-Length: 0\r\n"),
        ),
        vector(
            "400",
            "CL twice the same",
            with_length("Content-Length: LEN\r\nContent-Length: LEN\r\n"),
        ),
        vector("400", "CL list", with_length("Content-Length: 0, LEN\r\n")),
        vector("400", "CL list of the same", with_length("Content-Length: LEN, LEN\r\n")),
        vector("400", "CL with plus", with_length("Content-Length: +LEN\r\n")),
        vector("400", "CL negative", with_length("Content-Length: -1\r\n")),
        vector("400", "CL hexadecimal", with_length("Content-Length: 0x0\r\n")),
        vector("400", "CL with space inside", with_length("Content-Length: 0 LEN\r\n")),
        vector("400", "CL empty", with_length("Content-Length:\r\n")),
        vector("400", "CL quoted", with_length("Content-Length: \"LEN\"\r\n")),
        vector("400", "CL fraction", with_length("Content-Length: 0.0\r\n")),
        vector("400", "CL over 64 bits", with_length("Content-Length: 18446744073709551616\r\n")),
        vector("400", "CL with space before colon", with_length("Content-Length : LEN\r\n")),
        vector("400", "CL with tab before colon", with_length("Content-Length\t: LEN\r\n")),
        vector("400", "CL with VT", with_length("Content-Length: \x0bLEN\r\n")),
        vector(
            "200",
            "CL and a name with underscore",
            with_length("Content-Length: LEN\r\nContent_Length: 0\r\n"),
        ),
    ]
}

fn codings() -> Vec<Vector> {
    let te_cl = format!("{:x}\r\n{HIDDEN}\r\n0\r\n\r\n", HIDDEN.len());
    let both = |coding: &str| {
        post(
            &format!("Content-Length: {}\r\n{coding}\r\n", HIDDEN.len() + 5),
            &format!("0\r\n\r\n{HIDDEN}"),
        )
    };
    vec![
        vector("400", "CL.TE", both("Transfer-Encoding: chunked")),
        vector("400", "TE.CL", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &te_cl)),
        vector("400", "CL and an unknown TE", both("Transfer-Encoding: xchunked")),
        vector("400", "CL and an empty TE", both("Transfer-Encoding:")),
        vector("400", "TE xchunked", with_coding("Transfer-Encoding: xchunked\r\n")),
        vector("400", "TE identity", with_coding("Transfer-Encoding: identity\r\n")),
        vector("400", "TE chunked first", with_coding("Transfer-Encoding: chunked, identity\r\n")),
        vector("501", "TE chunked last", with_coding("Transfer-Encoding: identity, chunked\r\n")),
        vector("501", "TE chunked twice", with_coding("Transfer-Encoding: chunked, chunked\r\n")),
        vector(
            "400",
            "TE twice",
            with_coding("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n"),
        ),
        vector("400", "TE quoted", with_coding("Transfer-Encoding: \"chunked\"\r\n")),
        vector("400", "TE with parameter", with_coding("Transfer-Encoding: chunked;q=1\r\n")),
        vector("400", "TE with VT", with_coding("Transfer-Encoding: \x0bchunked\r\n")),
        vector("400", "TE with FF behind", with_coding("Transfer-Encoding: chunked\x0c\r\n")),
        vector("400", "TE with NBSP", with_coding("Transfer-Encoding: \u{a0}chunked\r\n")),
        vector("400", "TE with NUL", with_coding("Transfer-Encoding: chunked\0\r\n")),
        vector("400", "TE with space before colon", with_coding("Transfer-Encoding : chunked\r\n")),
        vector(
            "400",
            "TE with underscore and CL",
            with_coding("Transfer_Encoding: chunked\r\nContent-Length: x\r\n"),
        ),
        vector(
            "400",
            "TE of HTTP/1.0",
            with_coding("Transfer-Encoding: chunked\r\n").replacen("1.1", "1.0", 1),
        ),
        vector("200", "TE in mixed case", post("tRANSFER-eNCODING:\tchUNKed \r\n", &te_cl)),
    ]
}

fn lines() -> Vec<Vector> {
    vec![
        vector("400", "header after leading space", with_length(" Content-Length: LEN\r\n")),
        vector("400", "continued header", with_coding("X: y\r\n Transfer-Encoding: chunked\r\n")),
        vector("400", "continued value", with_coding("Transfer-Encoding:\r\n chunked\r\n")),
        vector("400", "continued by tab", with_coding("Transfer-Encoding:\r\n\tchunked\r\n")),
        vector("400", "LF before TE", with_coding("X: y\nTransfer-Encoding: chunked\r\n")),
        vector("400", "LF inside a name", with_coding("Transfer-Encoding\n: chunked\r\n")),
        vector("400", "CR before TE", with_coding("X: y\rTransfer-Encoding: chunked\r\n")),
        vector("400", "CR CR LF", with_coding("Transfer-Encoding: chunked\r\r\n")),
        vector("400", "NUL inside a name", with_coding("Transfer-Encoding\0: chunked\r\n")),
        vector("400", "empty name", with_coding(": x\r\nTransfer-Encoding: chunked\r\n")),
        vector("400", "line without colon", with_coding("x\r\nTransfer-Encoding: chunked\r\n")),
        vector("400", "name with a bracket", with_coding("(Transfer-Encoding: chunked\r\n")),
        vector("400", "name with 8 bits", with_coding("Transfer-Enc\u{f6}ding: chunked\r\n")),
        vector("400", "head that ends with LF LF", format!("GET /x HTTP/1.1\nHost: a\n\n{HIDDEN}")),
        vector(
            "400",
            "head that ends with LF CR LF",
            format!("GET /x HTTP/1.1\r\nHost: a\n\r\n{HIDDEN}"),
        ),
    ]
}

fn chunks() -> Vec<Vector> {
    let hex = format!("{:x}", HIDDEN.len());
    let sized = |line: &str| chunked(&line.replace("LEN", &hex));
    vec![
        vector("400", "chunk 0x", sized("0xLEN\r\n")),
        vector("400", "chunk with plus", sized("+LEN\r\n")),
        vector("400", "chunk negative", sized("-1\r\n")),
        vector("400", "chunk without size", sized("\r\n")),
        vector("400", "chunk with space before", sized(" 0\r\n\r\n")),
        vector("400", "chunk with space behind", sized("0 \r\n\r\n")),
        vector("400", "chunk with underscore", sized("0_0\r\n\r\n")),
        vector("400", "chunk over 64 bits", sized("10000000000000000\r\n")),
        vector("400", "chunk of 64 bits", sized("ffffffffffffffff\r\n")),
        vector("400", "chunk with LF", sized("0\n\n")),
        vector("400", "chunk with CR", sized("0\r\r\n\r\n")),
        vector("400", "extension with LF", sized("0;a\nb\r\n\r\n")),
        vector("400", "extension with CR", sized("0;a\rb\r\n\r\n")),
        vector("400", "extension with NUL", sized("0;\0\r\n\r\n")),
        vector("400", "extension too long", sized(&format!("0;{}\r\n\r\n", "x".repeat(300)))),
        // The response has begun, so an invalid chunk ends it.
        vector("200", "later chunk negative", sized("1\r\na\r\n-1\r\n")),
        vector("200", "later chunk with LF", sized("1\r\na\r\n0\n\n")),
        vector("200", "data longer than its size", sized("1\r\nab\r\n0\r\n\r\n")),
        vector("200", "data without its end", sized("1\r\na0\r\n\r\n")),
        vector("200", "data that ends with LF", sized("1\r\na\n0\r\n\r\n")),
        vector("200", "data that ends with two bytes", sized("1\r\naXX0\r\n\r\n")),
        vector(
            "200",
            "extension that is valid",
            post("Transfer-Encoding: chunked\r\n", &format!("{hex};a=b\r\n{HIDDEN}\r\n0\r\n\r\n")),
        ),
    ]
}

fn trailers() -> Vec<Vector> {
    vec![
        vector("400", "trailer CL", chunked("0\r\nContent-Length: 5\r\n\r\n")),
        vector("400", "trailer TE", chunked("0\r\nTransfer-Encoding: chunked\r\n\r\n")),
        vector("400", "trailer Host", chunked("0\r\nHost: b\r\n\r\n")),
        vector("400", "trailer with LF", chunked("0\r\nX: y\n\r\n")),
        vector("400", "trailer that is continued", chunked("0\r\nX: y\r\n z\r\n\r\n")),
        vector("400", "trailer without colon", chunked("0\r\nx\r\n\r\n")),
        vector("400", "trailer with space before colon", chunked("0\r\nX : y\r\n\r\n")),
        vector("400", "trailers that end with LF", chunked("0\r\n\n")),
        vector("400", "trailers that end with LF LF", chunked("0\r\nX: y\n\n")),
        vector(
            "200",
            "trailer behind a chunk",
            chunked("1\r\na\r\n0\r\nContent-Length: 5\r\n\r\n"),
        ),
    ]
}

fn request_lines() -> Vec<Vector> {
    vec![
        vector("400", "HTTP/0.9", format!("GET /x\r\n\r\n{HIDDEN}")),
        vector("505", "HTTP/2 preface", format!("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n{HIDDEN}")),
        vector("505", "HTTP/1.2", request_line("GET /x HTTP/1.2")),
        vector("505", "HTTP/9.9", request_line("GET /x HTTP/9.9")),
        vector("400", "version in lower case", request_line("GET /x http/1.1")),
        vector("400", "version with three digits", request_line("GET /x HTTP/1.10")),
        vector("400", "space behind the version", request_line("GET /x HTTP/1.1 ")),
        vector("400", "space before the method", request_line(" GET /x HTTP/1.1")),
        vector("400", "two spaces", request_line("GET  /x HTTP/1.1")),
        vector("400", "tab between", request_line("GET\t/x HTTP/1.1")),
        vector("400", "space in the target", request_line("GET /x y HTTP/1.1")),
        vector("400", "NUL in the target", request_line("GET /x\0 HTTP/1.1")),
        vector("400", "CR in the target", request_line("GET /x\ry HTTP/1.1")),
        vector("400", "LF before the request", format!("\n{}", request_line("GET /x HTTP/1.1"))),
        vector("400", "empty lines before", format!("\r\n\r\n{}", request_line("GET /x HTTP/1.1"))),
        vector("400", "fragment in the target", request_line("GET /x#y HTTP/1.1")),
        vector("400", "8 bits in the target", request_line("GET /\u{f6} HTTP/1.1")),
        vector("400", "absolute form of another host", request_line("GET http://b/x HTTP/1.1")),
        vector("400", "absolute form of another port", request_line("GET http://a:81/x HTTP/1.1")),
        vector("400", "absolute form without a host", request_line("GET http:///x HTTP/1.1")),
        vector("400", "absolute form with a user", request_line("GET http://u@a/x HTTP/1.1")),
        vector("400", "target without slash", request_line("GET x HTTP/1.1")),
        vector("501", "CONNECT", request_line("CONNECT a:80 HTTP/1.1")),
        vector("400", "method with a bracket", request_line("G(T /x HTTP/1.1")),
    ]
}

fn hosts() -> Vec<Vector> {
    let get = |headers: &str| format!("GET /x HTTP/1.1\r\n{headers}\r\n{HIDDEN}");
    vec![
        vector("400", "no Host", get("")),
        vector("400", "two Hosts", get("Host: a\r\nHost: b\r\n")),
        vector("400", "the same Host twice", get("Host: a\r\nhost: a\r\n")),
        vector("400", "Host with space before colon", get("Host : a\r\n")),
        vector("400", "Host list", get("Host: a, b\r\n")),
        vector("400", "Host with space", get("Host: a b\r\n")),
        vector("400", "Host with path", get("Host: a/hidden\r\n")),
        vector("400", "Host with user", get("Host: a@b\r\n")),
        vector("400", "Host with two ports", get("Host: a:1:2\r\n")),
        vector("400", "Host with a name as port", get("Host: a:b\r\n")),
        vector("400", "Host with a port over 65535", get("Host: a:99999999\r\n")),
        vector("400", "Host with a tag", get("Host: <x>\r\n")),
        vector("400", "Host with 8 bits", get("Host: \u{f6}\r\n")),
        vector("400", "Host continued", get("Host: a\r\n\tb\r\n")),
    ]
}

fn upgrades() -> Vec<Vector> {
    let upgrade = |version: &str, headers: &str| {
        format!(
            "GET /x HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: {version}\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\
             {headers}\r\n{HIDDEN}"
        )
    };
    let length = format!("Content-Length: {}\r\n", HIDDEN.len());
    vec![
        vector("426", "WebSocket of another version", upgrade("999", "")),
        vector("426", "WebSocket of two versions", upgrade("13\r\nSec-WebSocket-Version: 8", "")),
        vector("400", "WebSocket with a body", upgrade("13", &length)),
        vector("400", "WebSocket with a coding", upgrade("13", "Transfer-Encoding: chunked\r\n")),
        vector("101", "WebSocket with a request behind", upgrade("13", "")),
        vector(
            "200",
            "h2c upgrade with a body",
            with_length(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: LEN\r\n",
            ),
        ),
    ]
}
