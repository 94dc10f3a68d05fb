// SPDX-License-Identifier: GPL-2.0

//! The one exchange over HTTP that discovery needs: a SOAP message is posted to the endpoint's path, and one is the answer.
//!
//! A connection carries one exchange and then closes; it has a deadline, and its size has a limit.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use super::message::{self, Question};

/// Bytes of the longest head of a request.
const LONGEST_HEAD: usize = 8 << 10;
/// Fields of the longest head.
const MOST_FIELDS: usize = 64;
/// How long an exchange may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a request is not answered as it wishes: the status line's number and words.
pub type Status = (u16, &'static str);

const BAD_REQUEST: Status = (400, "Bad Request");
const NOT_FOUND: Status = (404, "Not Found");
const NO_METHOD: Status = (405, "Method Not Allowed");
const NO_LENGTH: Status = (411, "Length Required");
const TOO_LARGE: Status = (413, "Content Too Large");
const NO_TYPE: Status = (415, "Unsupported Media Type");
const LONG_HEAD: Status = (431, "Request Header Fields Too Large");

/// What a request's head says.
#[derive(Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of the head itself.
    pub size: usize,
    /// Bytes of the body.
    pub body: usize,
}

/// Reads the head of a request for `path`; `None` as long as it is not whole.
///
/// # Errors
///
/// With which status the request is refused.
pub fn head(bytes: &[u8], path: &str) -> Result<Option<Head>, Status> {
    let mut fields = [httparse::EMPTY_HEADER; MOST_FIELDS];
    let mut request = httparse::Request::new(&mut fields);
    let size = match request.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) if bytes.len() < LONGEST_HEAD => return Ok(None),
        Ok(httparse::Status::Partial) | Err(httparse::Error::TooManyHeaders) => {
            return Err(LONG_HEAD)
        }
        Err(_) => return Err(BAD_REQUEST),
    };
    if request.path != Some(path) {
        return Err(NOT_FOUND);
    }
    if request.method != Some("POST") {
        return Err(NO_METHOD);
    }
    let field = |name: &str| {
        let mut named = request
            .headers
            .iter()
            .filter(|field| field.name.eq_ignore_ascii_case(name));
        let first = named.next().map(|field| field.value.trim_ascii());
        // Two lengths are one too many to trust.
        if named.next().is_some() {
            return Err(BAD_REQUEST);
        }
        Ok(first)
    };
    let kind = field("content-type")?.unwrap_or_default();
    let kind = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    if !kind
        .trim_ascii()
        .eq_ignore_ascii_case(b"application/soap+xml")
    {
        return Err(NO_TYPE);
    }
    if field("transfer-encoding")?.is_some() {
        return Err(NO_LENGTH);
    }
    let length = field("content-length")?.ok_or(NO_LENGTH)?;
    if length.is_empty() || !length.iter().all(u8::is_ascii_digit) {
        return Err(BAD_REQUEST);
    }
    let body = std::str::from_utf8(length)
        .ok()
        .and_then(|digits| digits.parse().ok())
        .filter(|body| *body <= message::LARGEST)
        .ok_or(TOO_LARGE)?;
    Ok(Some(Head { size, body }))
}

/// Serves one exchange of a connection.
///
/// # Errors
///
/// Those of the connection, [`io::ErrorKind::TimedOut`] among them.
pub fn serve(
    stream: &mut TcpStream,
    path: &str,
    answer: impl FnOnce(&Question) -> Option<String>,
) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    stream.set_write_timeout(Some(PATIENCE))?;
    let reply = match request(stream, path, deadline)? {
        Ok(body) => match message::parse(&body).as_ref().and_then(answer) {
            Some(text) => response((200, "OK"), &text),
            None => response(BAD_REQUEST, ""),
        },
        Err(status) => response(status, ""),
    };
    stream.write_all(reply.as_bytes())?;
    stream.shutdown(std::net::Shutdown::Write)
}

/// The body of a request, or with which status it is refused.
fn request(
    stream: &mut TcpStream,
    path: &str,
    deadline: Instant,
) -> io::Result<Result<Vec<u8>, Status>> {
    let mut bytes = Vec::new();
    let found = loop {
        match head(&bytes, path) {
            Ok(Some(head)) => break head,
            Ok(None) => more(stream, &mut bytes, deadline)?,
            Err(status) => return Ok(Err(status)),
        }
    };
    let whole = found.size + found.body;
    while bytes.len() < whole {
        more(stream, &mut bytes, deadline)?;
    }
    bytes.truncate(whole);
    Ok(Ok(bytes.split_off(found.size)))
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>, deadline: Instant) -> io::Result<()> {
    let left = deadline.saturating_duration_since(Instant::now());
    if left.is_zero() {
        return Err(io::ErrorKind::TimedOut.into());
    }
    stream.set_read_timeout(Some(left))?;
    let mut part = [0; 4096];
    match stream.read(&mut part) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(size) => {
            bytes.extend(part.iter().take(size));
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(()),
        Err(error) => Err(error),
    }
}

fn response((number, words): Status, body: &str) -> String {
    let kind = if body.is_empty() {
        ""
    } else {
        "Content-Type: application/soap+xml\r\n"
    };
    format!(
        "HTTP/1.1 {number} {words}\r\n{kind}Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use super::super::message::tests::{author, question};
    use super::*;

    const PATH: &str = "/00000000-0000-0000-0000-000000000007";
    const GET: &str = "http://schemas.xmlsoap.org/ws/2004/09/transfer/Get";

    /// What the server sends to a client that sends `parts`, one after the other.
    fn exchange(parts: &[&[u8]]) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let author = author();
            let _ = serve(&mut stream, PATH, |question| {
                Some(author.metadata(question))
            });
        });
        for part in parts {
            // The server may have answered before it was told everything.
            let _ = client.write_all(part);
            thread::sleep(Duration::from_millis(2));
        }
        let _ = client.shutdown(std::net::Shutdown::Write);
        let mut said = Vec::new();
        let _ = client.read_to_end(&mut said);
        server.join().unwrap();
        String::from_utf8(said).unwrap()
    }

    fn post(path: &str, fields: &str, body: &str) -> String {
        format!("POST {path} HTTP/1.1\r\nHost: x\r\n{fields}\r\n{body}")
    }

    fn soap(body: &str) -> String {
        let fields = format!(
            "content-type: application/soap+xml; charset=utf-8\r\nContent-Length: {}\r\n",
            body.len()
        );
        post(PATH, &fields, body)
    }

    #[test]
    fn a_get_is_answered_however_it_is_cut() {
        let request = soap(&question(GET, "urn:uuid:7"));
        let bytes = request.as_bytes();
        for size in [1000, 100, 7] {
            let parts: Vec<&[u8]> = bytes.chunks(size).collect();
            let said = exchange(&parts);
            assert!(said.starts_with("HTTP/1.1 200 OK\r\n"), "{said}");
            let (head, body) = said.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())));
            assert!(body.contains("HOUSE &amp; &lt;CO&gt;/Workgroup:HOME"));
        }
    }

    #[test]
    fn what_is_no_get_is_refused() {
        let body = question(GET, "x");
        let length = format!("Content-Length: {}\r\n", body.len());
        let kind = "Content-Type: application/soap+xml\r\n";
        let endless = format!("POST {PATH} HTTP/1.1\r\nX: {}", "y".repeat(LONGEST_HEAD));
        for (request, status) in [
            ("nonsense\r\n\r\n".to_owned(), 400),
            (soap("<broken"), 400),
            (post("/other", kind, ""), 404),
            (soap(&body).replacen("POST", "GET", 1), 405),
            (post(PATH, kind, &body), 411),
            (
                post(
                    PATH,
                    &format!("{kind}Transfer-Encoding: chunked\r\n"),
                    &body,
                ),
                411,
            ),
            (post(PATH, &format!("{kind}{length}{length}"), &body), 400),
            (
                post(PATH, &format!("{kind}Content-Length: -1\r\n"), &body),
                400,
            ),
            (
                post(
                    PATH,
                    &format!("{kind}Content-Length: 99999999999999999999999\r\n"),
                    "",
                ),
                413,
            ),
            (
                post(PATH, &format!("{kind}Content-Length: 1000000\r\n"), ""),
                413,
            ),
            (
                post(PATH, &format!("Content-Type: text/xml\r\n{length}"), &body),
                415,
            ),
            (post(PATH, &"X: y\r\n".repeat(MOST_FIELDS + 1), ""), 431),
            (endless, 431),
        ] {
            let said = exchange(&[request.as_bytes()]);
            assert!(
                said.starts_with(&format!("HTTP/1.1 {status} ")),
                "{said} for {request:.200}"
            );
        }
        assert_eq!(
            exchange(&[b"POST / HT"]),
            "",
            "a client that leaves is not answered"
        );
    }
}
