//! Request targets with any byte in them, as OpenSearch's HTTP layer takes them.
//!
//! hyper answers `GET /hats/_search?q=price:>3` with an empty 400, as RFC 3986 has it: `"`, `<`, `>` and a few more must
//! be escaped. OpenSearch takes them as they are. [`EscapedTargets`] stands between the socket and hyper and writes
//! those bytes of a target as `%XX`; everything else passes unchanged. It follows the framing of HTTP/1 so that it knows
//! a target from a body. What it does not understand, HTTP/2 above all, passes untouched from there on: hyper decides.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// So much of a header line is looked at: the two names that matter and their values are shorter.
const LINE_BYTES_MAX: usize = 128;

/// A connection whose request targets come out escaped.
#[derive(Debug)]
pub struct EscapedTargets<S> {
    stream: S,
    framing: Framing,
    /// Bytes that were read and not given on yet, from `given` on.
    pending: Vec<u8>,
    given: usize,
}

impl<S> EscapedTargets<S> {
    /// A connection of which nothing was read yet.
    pub fn new(stream: S) -> EscapedTargets<S> {
        EscapedTargets {
            stream,
            framing: Framing::default(),
            pending: Vec::new(),
            given: 0,
        }
    }

    /// Gives on what waits; false if nothing does.
    fn give(&mut self, buf: &mut ReadBuf<'_>) -> bool {
        let waiting = &self.pending[self.given..];
        if waiting.is_empty() {
            return false;
        }
        let fits = waiting.len().min(buf.remaining());
        buf.put_slice(&waiting[..fits]);
        self.given += fits;
        if self.given == self.pending.len() {
            self.pending = Vec::new();
            self.given = 0;
        }
        true
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for EscapedTargets<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        if me.give(buf) {
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut me.stream).poll_read(cx, buf))?;
        let read = &buf.filled()[before..];
        if let Some(at) = me.framing.next_to_escape(read) {
            // there is no room to write three bytes for one: from here on by way of `pending`
            me.pending.reserve(read.len() - at + 64);
            me.framing.escape_from(&read[at..], &mut me.pending);
            buf.set_filled(before + at);
            if at == 0 {
                // nothing at all would mean the end of the connection
                me.give(buf);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for EscapedTargets<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// Where in the stream of requests the next byte stands.
#[derive(Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before or in the method.
    #[default]
    Method,
    /// Between the method's blank and the next one.
    Target,
    /// Behind the target, up to the end of the line.
    Version,
    /// In a header line, or in the empty line that ends them.
    Header,
    /// In a body with so many bytes to go.
    Body(u64),
    /// In the line that says how long a chunk is.
    ChunkSize,
    /// In a chunk, its line end included, with so many bytes to go.
    Chunk(u64),
    /// In a line behind the last chunk.
    Trailer,
    /// Somewhere that is not understood.
    Unknown,
}

/// Follows the framing of HTTP/1 requests.
#[derive(Debug, Default)]
struct Framing {
    place: Place,
    /// The start of the current line, or the method.
    line: Vec<u8>,
    /// What the headers say about the body.
    length: Option<u64>,
    is_chunked: bool,
}

impl Framing {
    /// Steps over bytes up to the first that has to be escaped; the next call goes on behind it. `None`: there is none.
    fn next_to_escape(&mut self, bytes: &[u8]) -> Option<usize> {
        let mut at = 0;
        while at < bytes.len() {
            let content = self.skip_content(bytes.len() - at);
            if content > 0 {
                at += content;
                continue;
            }
            if self.place == Place::Target && must_escape(bytes[at]) {
                return Some(at);
            }
            self.step(bytes[at]);
            at += 1;
        }
        None
    }

    /// Writes bytes, the first of which has to be escaped, as they are given on.
    fn escape_from(&mut self, bytes: &[u8], out: &mut Vec<u8>) {
        const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
        let (mut rest, mut found) = (bytes, Some(0));
        while let Some(at) = found {
            let byte = rest[at];
            out.extend_from_slice(&rest[..at]);
            out.extend([
                b'%',
                DIGITS[usize::from(byte >> 4)],
                DIGITS[usize::from(byte & 15)],
            ]);
            rest = &rest[at + 1..];
            found = self.next_to_escape(rest);
        }
        out.extend_from_slice(rest);
    }

    /// How many of the next bytes are content that nobody looks at.
    fn skip_content(&mut self, have: usize) -> usize {
        let skip = |left: u64| left.min(have as u64);
        match self.place {
            Place::Unknown => have,
            Place::Body(left) => {
                let skipped = skip(left);
                self.place = match left - skipped {
                    0 => Place::Method,
                    left => Place::Body(left),
                };
                skipped as usize
            }
            Place::Chunk(left) => {
                let skipped = skip(left);
                self.place = match left - skipped {
                    0 => Place::ChunkSize,
                    left => Place::Chunk(left),
                };
                skipped as usize
            }
            _ => 0,
        }
    }

    fn step(&mut self, byte: u8) {
        match self.place {
            Place::Method => match byte {
                b' ' => {
                    self.place = match self.line.as_slice() {
                        b"PRI" | b"CONNECT" => Place::Unknown,
                        _ => Place::Target,
                    };
                    self.line.clear();
                }
                // empty lines may stand before a request
                b'\r' | b'\n' if self.line.is_empty() => {}
                _ if self.line.len() >= LINE_BYTES_MAX || byte.is_ascii_control() => {
                    self.place = Place::Unknown;
                }
                byte => self.line.push(byte),
            },
            Place::Target => match byte {
                b' ' => self.place = Place::Version,
                byte if byte.is_ascii_control() => self.place = Place::Unknown,
                _ => {}
            },
            Place::Version => {
                if byte == b'\n' {
                    (self.length, self.is_chunked) = (None, false);
                    self.place = Place::Header;
                }
            }
            Place::Header | Place::ChunkSize | Place::Trailer => {
                if byte != b'\n' {
                    if self.line.len() < LINE_BYTES_MAX {
                        self.line.push(byte);
                    }
                    return;
                }
                let mut line = std::mem::take(&mut self.line);
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                self.place = match self.place {
                    Place::Header => self.after_header(&line),
                    Place::ChunkSize => after_chunk_size(&line),
                    _ if line.is_empty() => Place::Method,
                    _ => Place::Trailer,
                };
                line.clear();
                self.line = line;
            }
            // `skip_content` was asked before
            Place::Body(_) | Place::Chunk(_) | Place::Unknown => {}
        }
    }

    /// What follows a header line, or the empty line behind the last.
    fn after_header(&mut self, line: &[u8]) -> Place {
        if line.is_empty() {
            return match (self.is_chunked, self.length) {
                (true, None) => Place::ChunkSize,
                (false, None | Some(0)) => Place::Method,
                (false, Some(length)) => Place::Body(length),
                // who sends both means one of them, and it is not for us to guess which
                (true, Some(_)) => Place::Unknown,
            };
        }
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            return Place::Header;
        };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            let length = std::str::from_utf8(value)
                .ok()
                .filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))
                .and_then(|text| text.parse().ok());
            if length.is_none() || self.length.is_some() {
                return Place::Unknown;
            }
            self.length = length;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Place::Unknown;
            }
            self.is_chunked = true;
        }
        Place::Header
    }
}

/// What follows `1a; extension`: so many bytes and a line end, or the trailers.
fn after_chunk_size(line: &[u8]) -> Place {
    let size = line.split(|byte| *byte == b';').next().unwrap_or(line);
    let size = std::str::from_utf8(size.trim_ascii())
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| u64::from_str_radix(text, 16).ok());
    match size {
        Some(0) => Place::Trailer,
        Some(size) => Place::Chunk(size.saturating_add(2)),
        None => Place::Unknown,
    }
}

/// The bytes that a target may not hold by RFC 3986 and that OpenSearch takes. `#` is one of them: nothing sends a
/// fragment to a server, so it is meant as it stands.
fn must_escape(byte: u8) -> bool {
    matches!(
        byte,
        b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | 0x80..=0xff
    )
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// What comes out when the bytes arrive in pieces of this length.
    async fn passed(sent: &[u8], piece: usize) -> Vec<u8> {
        let (mut client, server) = tokio::io::duplex(piece);
        let sent = sent.to_vec();
        let writing = tokio::spawn(async move {
            tokio::io::AsyncWriteExt::write_all(&mut client, &sent)
                .await
                .unwrap();
        });
        let mut out = Vec::new();
        EscapedTargets::new(server)
            .read_to_end(&mut out)
            .await
            .unwrap();
        writing.await.unwrap();
        out
    }

    async fn check(sent: &[u8], wanted: &[u8]) {
        for piece in [1, 2, 3, 7, 64, 4096] {
            let out = passed(sent, piece).await;
            assert_eq!(
                String::from_utf8_lossy(&out),
                String::from_utf8_lossy(wanted),
                "in pieces of {piece}"
            );
        }
    }

    #[tokio::test]
    async fn bytes_of_the_target_are_escaped_and_no_others() {
        check(
            b"GET /a<b>\"{|}\\^`?q=x:>3#y\xc3\xa9 HTTP/1.1\r\nhost: <h>\r\n\r\n",
            b"GET /a%3Cb%3E%22%7B%7C%7D%5C%5E%60?q=x:%3E3%23y%C3%A9 HTTP/1.1\r\nhost: <h>\r\n\r\n",
        )
        .await;
    }

    #[tokio::test]
    async fn a_body_that_looks_like_a_request_is_left_alone() {
        check(
            b"POST /<a> HTTP/1.1\r\nContent-Length: 8\r\n\r\nGET /<b>GET /<c> HTTP/1.1\r\n\r\n",
            b"POST /%3Ca%3E HTTP/1.1\r\nContent-Length: 8\r\n\r\nGET /<b>GET /%3Cc%3E HTTP/1.1\r\n\r\n",
        )
        .await;
    }

    #[tokio::test]
    async fn chunks_and_trailers_are_left_alone() {
        check(
            b"POST /a HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=<\r\n<\n>\r\n0\r\nx: <\r\n\r\n\r\nGET /<c> HTTP/1.1\r\n\r\n",
            b"POST /a HTTP/1.1\r\ntransfer-encoding: Chunked\r\n\r\n3;x=<\r\n<\n>\r\n0\r\nx: <\r\n\r\n\r\nGET /%3Cc%3E HTTP/1.1\r\n\r\n",
        )
        .await;
    }

    #[tokio::test]
    async fn what_is_not_understood_passes_as_it_is() {
        for sent in [
            &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGET /<a> HTTP/1.1\r\n\r\n"[..],
            b"POST /a HTTP/1.1\r\ncontent-length: x\r\n\r\nGET /<a> HTTP/1.1\r\n\r\n",
            b"POST /a HTTP/1.1\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\nGET /<a> HTTP/1.1\r\n\r\n",
            b"\x16\x03\x01 /<a> HTTP/1.1\r\n\r\n",
        ] {
            check(sent, sent).await;
        }
    }
}
