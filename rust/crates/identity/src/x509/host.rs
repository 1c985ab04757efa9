// SPDX-License-Identifier: Apache-2.0
//! Host names, domains and mailboxes as Go's `crypto/x509` and Fabric's MSP check them.

/// Whether a common name looks like a host (Fabric's copy of Go 1.14's `validHostname`).
pub(crate) fn is_legacy_hostname(host: &str) -> bool {
    let host = host.strip_suffix('.').unwrap_or(host);
    host.split('.').enumerate().all(|(index, label)| (index == 0 && label == "*") || is_legacy_label(label))
}

fn is_legacy_label(label: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b':');
    !label.is_empty() && !label.starts_with('-') && label.bytes().all(allowed)
}

/// Go's `domainNameValid`: loose syntax of a domain, or of a constraint on domains, which may start with a period.
pub(super) fn is_domain(name: &str, is_constraint: bool) -> bool {
    let name =
        if is_constraint { name.strip_prefix('.').filter(|rest| !rest.is_empty()).unwrap_or(name) } else { name };
    name.is_empty() || labels_are_visible(name)
}

fn labels_are_visible(domain: &str) -> bool {
    domain.split('.').all(|label| !label.is_empty() && label.bytes().all(|byte| (33..=126).contains(&byte)))
}

/// Splits `local@domain` (RFC 2821 mailbox); the domain comes back in lower case.
pub(super) fn mailbox(address: &str) -> Option<(String, String)> {
    let (local, rest) = match address.strip_prefix('"') {
        Some(quoted) => quoted_local(quoted)?,
        None => atom_local(address)?,
    };
    let domain = rest.strip_prefix('@')?;
    let well_formed = domain.is_empty() || labels_are_visible(domain);
    well_formed.then(|| (local, domain.to_ascii_lowercase()))
}

fn quoted_local(quoted: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return Some((local, &quoted[index + 1..])),
            '\\' => local.push(characters.next().map(|(_, escaped)| escaped).filter(|escaped| is_quotable(*escaped))?),
            '\0' | '\t' | '\n' | '\r' => return None,
            _ if character.is_ascii() => local.push(character),
            _ => return None,
        }
    }
    None
}

fn is_quotable(character: char) -> bool {
    matches!(u32::from(character), 1..=9 | 11 | 12 | 14..=127)
}

fn atom_local(address: &str) -> Option<(String, &str)> {
    let mut local = String::new();
    let mut characters = address.char_indices();
    let mut end = address.len();
    while let Some((index, character)) = characters.next() {
        let character = match character {
            '\\' => characters.next()?.1,
            _ if character.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(character) => character,
            _ => {
                end = index;
                break;
            }
        };
        local.push(character);
    }
    let dots_are_inside = !local.starts_with('.') && !local.ends_with('.') && !local.contains("..");
    (!local.is_empty() && dots_are_inside).then(|| (local, &address[end..]))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests say what they expect")]
mod tests {
    use super::*;

    #[test]
    fn legacy_hostnames() {
        for good in ["localhost", "peer0.org1.example.com", "*.example.com", "a_b:7051", "example.com."] {
            assert!(is_legacy_hostname(good), "{good}");
        }
        for bad in ["", ".", "a..b", "-a", "User 1", "admin@org1", "a.*"] {
            assert!(!is_legacy_hostname(bad), "{bad}");
        }
    }

    #[test]
    fn mailboxes() {
        assert_eq!(mailbox("Ann@Example.COM"), Some(("Ann".into(), "example.com".into())));
        assert_eq!(mailbox("\"a b\"@x.org"), Some(("a b".into(), "x.org".into())));
        for bad in ["ann", "@x.org", ".a@x.org", "a..b@x.org", "a@x..org", "\"a@x.org", "a b@x.org"] {
            assert_eq!(mailbox(bad), None, "{bad}");
        }
    }
}
