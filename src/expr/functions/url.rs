//! Parts of URLs as Java sees them, and texts inside of URLs.

#![expect(
    clippy::unnecessary_wraps,
    reason = "all functions of rows have one form, whether they fail or not"
)]

use std::borrow::Cow;
use std::fmt::Write as _;

use super::encodings::digit_of;
use super::row_kernel::Compute::Text;
use super::row_kernel::{Answer, Row, RowKernel};

/// The functions of this file.
pub(super) static KERNELS: [RowKernel; 3] = [
    RowKernel::strict("PARSE_URL", Text(parse_url)),
    RowKernel::strict("URL_DECODE", Text(url_decode)),
    RowKernel::strict("URL_ENCODE", Text(url_encode)),
];

fn url_encode<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let mut encoded = String::new();
    for byte in row.bytes(0) {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'*' | b'_' => {
                encoded.push(char::from(*byte));
            }
            b' ' => encoded.push('+'),
            _ => {
                let _ = write!(encoded, "%{byte:02X}");
            }
        }
    }
    Ok(Some(encoded.into()))
}

/// Null if a `%` has not two digits behind it.
fn url_decode<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let mut decoded = Vec::new();
    let mut rest = row.bytes(0);
    while let Some((byte, behind)) = rest.split_first() {
        rest = behind;
        match byte {
            b'+' => decoded.push(b' '),
            b'%' => {
                let [high, low, behind @ ..] = behind else {
                    return Ok(None);
                };
                let (Some(high), Some(low)) = (digit_of(*high), digit_of(*low)) else {
                    return Ok(None);
                };
                decoded.push(high << 4 | low);
                rest = behind;
            }
            other => decoded.push(*other),
        }
    }
    Ok(Some(String::from_utf8_lossy(&decoded).into_owned().into()))
}

/// The protocols that Java knows.
const PROTOCOLS: [&str; 6] = ["file", "ftp", "http", "https", "jar", "mailto"];

/// A URL in the parts that Java takes it apart into.
#[derive(Debug, Default)]
struct Url<'a> {
    protocol: String,
    authority: Option<&'a str>,
    user_info: Option<&'a str>,
    host: &'a str,
    path: String,
    query: Option<&'a str>,
    reference: Option<&'a str>,
}

fn parse_url<'a>(row: &Row<'a>) -> Answer<Cow<'a, str>> {
    let (text, part) = (row.text(0), row.text(1));
    let Some(url) = Url::parse(text) else {
        return Ok(None);
    };
    if row.len() > 2 {
        let query = url.query.filter(|_| part == "QUERY");
        return Ok(query
            .and_then(|query| value_of(query, row.text(2)))
            .map(Cow::Borrowed));
    }
    Ok(match part {
        "HOST" => Some(url.host.into()),
        "PATH" => Some(url.path.into()),
        "QUERY" => url.query.map(Cow::Borrowed),
        "REF" => url.reference.map(Cow::Borrowed),
        "PROTOCOL" => Some(url.protocol.into()),
        "AUTHORITY" => url.authority.map(Cow::Borrowed),
        "USERINFO" => url.user_info.map(Cow::Borrowed),
        "FILE" => Some(match url.query {
            Some(query) => format!("{}?{query}", url.path).into(),
            None => url.path.into(),
        }),
        _ => None,
    })
}

/// The value of the first key of this name.
fn value_of<'a>(query: &'a str, key: &str) -> Option<&'a str> {
    let mut pairs = query.split('&');
    pairs.find_map(|pair| pair.strip_prefix(key)?.strip_prefix('='))
}

impl<'a> Url<'a> {
    /// The parts, if Java takes the text for a URL.
    fn parse(text: &'a str) -> Option<Self> {
        let text = text.trim_matches(|letter| letter <= ' ');
        let (protocol, rest) = text.split_once(':')?;
        let protocol = protocol.to_ascii_lowercase();
        if !PROTOCOLS.contains(&protocol.as_str()) {
            return None;
        }
        let (rest, reference) = match rest.split_once('#') {
            Some((rest, reference)) => (rest, Some(reference)),
            None => (rest, None),
        };
        if protocol == "jar" {
            return rest.contains("!/").then(|| Self {
                protocol,
                path: rest.to_owned(),
                reference,
                ..Self::default()
            });
        }
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let mut url = Self {
            protocol,
            query,
            reference,
            ..Self::default()
        };
        let path = match rest.strip_prefix("//") {
            Some(rest) if !rest.starts_with("//") => {
                let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
                url.set_authority(authority)?;
                path
            }
            _ => rest,
        };
        url.path = without_dots(path);
        Some(url)
    }

    /// `user@host:port`; `None` if it is none.
    fn set_authority(&mut self, authority: &'a str) -> Option<()> {
        self.authority = Some(authority);
        let host = match authority.split_once('@') {
            // With two of them nothing is known.
            Some((_, host)) if host.contains('@') => "",
            Some((user, host)) => {
                self.user_info = Some(user);
                host
            }
            None => authority,
        };
        let end = if host.starts_with('[') {
            host.find(']')? + 1
        } else {
            host.find(':').unwrap_or(host.len())
        };
        let (host, port) = host.split_at(end);
        self.host = host;
        match port.strip_prefix(':') {
            None if port.is_empty() => Some(()),
            Some("") => Some(()),
            Some(port) => port
                .parse::<i32>()
                .ok()
                .filter(|port| *port >= -1)
                .map(|_| ()),
            None => None,
        }
    }
}

/// A path without the steps `.` and `..` that Java walks.
fn without_dots(path: &str) -> String {
    let mut path = path.replace("/./", "/");
    let mut from = 0;
    while let Some(at) = path[from..].find("/../").map(|at| from + at) {
        match path[..at].rfind('/').filter(|_| at > 0) {
            Some(parent) if !path[parent..].starts_with("/../") => {
                path.replace_range(parent..at + 3, "");
                from = 0;
            }
            _ => from = at + 3,
        }
    }
    while path.ends_with("/..") {
        let Some(parent) = path[..path.len() - 3].rfind('/') else {
            break;
        };
        path.truncate(parent + 1);
    }
    if path.starts_with("./") && path.len() > 2 {
        path.replace_range(..2, "");
    }
    if path.ends_with("/.") {
        path.truncate(path.len() - 1);
    }
    path
}
