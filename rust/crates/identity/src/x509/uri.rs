// SPDX-License-Identifier: Apache-2.0
//! URIs as Go's `net/url` parses them: a malformed one refuses the certificate that names it.

use std::net::{IpAddr, Ipv6Addr};

/// The host of a URI with its port, empty where there is none; `None` where the URI is malformed or the host cannot
/// be a domain.
pub(super) fn host(uri: &str) -> Option<String> {
    let (uri, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    if !escapes_are_complete(fragment) || uri.bytes().any(|byte| byte < 0x20 || byte == 0x7f) {
        return None;
    }
    if uri == "*" {
        return Some(String::new());
    }
    let (scheme, rest) = scheme(uri)?;
    let rest = rest.split_once('?').map_or(rest, |(rest, _)| rest);
    if !rest.starts_with('/') {
        let first_segment = rest.split('/').next().unwrap_or(rest);
        let is_opaque = !scheme.is_empty();
        let well_formed = is_opaque || (!first_segment.contains(':') && escapes_are_complete(rest));
        return well_formed.then(String::new);
    }
    let Some(authority) = rest.strip_prefix("//").filter(|_| !scheme.is_empty() || !rest.starts_with("///")) else {
        return escapes_are_complete(rest).then(String::new);
    };
    let (authority, path) = authority.split_at(authority.find('/').unwrap_or(authority.len()));
    let (user, host) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user_is_valid = user.chars().all(is_in_userinfo) && user.split(':').all(escapes_are_complete);
    if !user_is_valid || !escapes_are_complete(path) {
        return None;
    }
    parse_host(scheme, host)
}

/// What name constraints compare: the host in lower case without its port, `None` where it is no domain.
pub(super) fn domain(host: &str) -> Option<String> {
    let without_port = match host.rsplit_once(':') {
        Some((domain, _)) if !domain.contains([':', '[', ']']) => domain,
        Some(_) => return None,
        None => host,
    };
    let is_address = without_port.starts_with('[') || without_port.parse::<IpAddr>().is_ok();
    (!without_port.is_empty() && !is_address).then(|| without_port.to_ascii_lowercase())
}

/// Splits the scheme off, empty where there is none; `None` where the URI starts with a colon.
fn scheme(uri: &str) -> Option<(&str, &str)> {
    let end = uri.find(|character: char| !character.is_ascii_alphanumeric() && !"+-.".contains(character));
    match end {
        Some(0) if uri.starts_with(':') => None,
        Some(end) if uri[end..].starts_with(':') && uri.starts_with(|first: char| first.is_ascii_alphabetic()) => {
            Some((&uri[..end], &uri[end + 1..]))
        }
        _ => Some(("", uri)),
    }
}

fn parse_host(scheme: &str, host: &str) -> Option<String> {
    match host.rfind('[') {
        Some(0) => return literal(host),
        Some(_) => return None,
        None => {}
    }
    let is_http = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let port = if is_http { host.find(':') } else { host.rfind(':') };
    if port.is_some_and(|colon| !is_port(&host[colon..])) {
        return None;
    }
    unescaped(host)
}

/// `[address]:port`; a zone may follow the address after `%25`.
fn literal(host: &str) -> Option<String> {
    let (address, port) = host[1..].rsplit_once(']')?;
    if !is_port(port) {
        return None;
    }
    let (address, zone) = match address.split_once("%25") {
        Some((_, "")) => return None,
        Some((address, zone)) => (address, format!("%{}", unescaped_zone(zone)?)),
        None => (address, String::new()),
    };
    address.parse::<Ipv6Addr>().ok()?;
    Some(format!("[{address}{zone}]{port}"))
}

fn is_port(text: &str) -> bool {
    text.is_empty() || text.strip_prefix(':').is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()))
}

/// A host may hold some characters and the escaped percent sign. Go also takes escaped bytes beyond ASCII, but no
/// domain may hold them.
fn unescaped(host: &str) -> Option<String> {
    let plain = host.replace("%25", "%");
    let escapes_only_percent = host.matches('%').count() == host.matches("%25").count();
    (escapes_only_percent && plain.chars().all(|character| character == '%' || is_in_host(character))).then_some(plain)
}

/// As [`unescaped`], but escapes may also stand for what a host may hold anyway, and for a space.
fn unescaped_zone(zone: &str) -> Option<String> {
    let mut pieces = zone.split('%');
    let mut plain = pieces.next().filter(|text| text.chars().all(is_in_host))?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(2)?;
        let character = char::from(u8::from_str_radix(digits, 16).ok().filter(|_| !digits.starts_with('+'))?);
        let is_allowed = character == '%' || character == ' ' || is_in_host(character);
        if !is_allowed || !rest.chars().all(is_in_host) {
            return None;
        }
        plain.push(character);
        plain.push_str(rest);
    }
    Some(plain)
}

fn is_in_host(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-_.~!$&'()*+,;=:[]<>\"".contains(character)
}

fn is_in_userinfo(character: char) -> bool {
    character.is_ascii_alphanumeric() || "-._:~!$&'()*+,;=%@".contains(character)
}

/// Every percent sign is followed by two hexadecimal digits.
fn escapes_are_complete(text: &str) -> bool {
    let is_complete = |rest: &str| rest.len() >= 2 && rest.bytes().take(2).all(|digit| digit.is_ascii_hexdigit());
    text.split('%').skip(1).all(is_complete)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    /// Thousands of shuffled URIs, each with the host that Go's reader of certificates finds.
    #[test]
    fn agrees_with_go() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/uris.json.zst");
        let cases = std::fs::File::open(path).expect("the vectors");
        let cases: serde_json::Value = serde_json::from_reader(zstd::Decoder::new(cases).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let uri = case["uri"].as_str().unwrap();
            // That reader also wants the host to be a domain.
            let found = host(uri).filter(|host| super::super::host::is_domain(host, false));
            assert_eq!(found.as_deref(), case["host"].as_str(), "{uri:?}");
        }
    }

    #[test]
    fn constraints_see_the_domain() {
        for (host, expected) in [
            ("Example.com:80", Some("example.com")),
            ("example.com", Some("example.com")),
            ("", None),
            ("10.0.0.1:80", None),
            ("[::1]:80", None),
            ("a:b:80", None),
        ] {
            assert_eq!(domain(host).as_deref(), expected, "{host}");
        }
    }
}
