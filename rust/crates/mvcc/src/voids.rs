// SPDX-License-Identifier: Apache-2.0
//! Runs of keys that were emptied, so that range queries step over each key once and not once each.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

/// Dead keys that make a run worth remembering: starting anew behind it takes about as long as stepping over so many.
pub const LEAST_RUN: usize = 16;

/// The first key behind a void; `None`: it reaches to the end of its namespace.
pub type End = Option<Box<[u8]>>;

/// From its first key on there is nothing up to its end.
pub type Void = (Box<[u8]>, End);

/// The known voids of each namespace, by their first keys; they do not overlap.
#[derive(Debug, Default)]
pub struct Voids<'a>(HashMap<&'a str, BTreeMap<Box<[u8]>, End>>);

impl<'a> Voids<'a> {
    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.values().map(BTreeMap::len).sum()
    }

    /// The end of the void in which a key lies.
    #[must_use]
    pub fn end_around(&self, namespace: &str, key: &[u8]) -> Option<&End> {
        let voids = self.0.get(namespace)?;
        let (_, end) = voids.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back()?;
        is_before(key, end).then_some(end)
    }

    /// Where the first void begins that does not begin before a key.
    #[must_use]
    pub fn next_start(&self, namespace: &str, key: &[u8]) -> Option<&[u8]> {
        let voids = self.0.get(namespace)?;
        voids.range::<[u8], _>((Bound::Included(key), Bound::Unbounded)).next().map(|(start, _)| &**start)
    }

    /// Adds a void, and to it those that it touches.
    pub fn add(&mut self, namespace: &'a str, (start, mut end): Void) {
        let voids = self.0.entry(namespace).or_default();
        let before = voids.range::<[u8], _>((Bound::Unbounded, Bound::Included(&*start))).next_back();
        let start = match before {
            Some((earlier, reach)) if reach.as_ref().is_none_or(|reach| *reach >= start) => {
                end = farther(end, reach.clone());
                earlier.clone()
            }
            _ => start,
        };
        while let Some((inside, reach)) = voids.range::<[u8], _>((Bound::Included(&*start), Bound::Unbounded)).next()
            && end.as_ref().is_none_or(|end| inside <= end)
        {
            let (inside, reach) = (inside.clone(), reach.clone());
            voids.remove(&inside);
            end = farther(end, reach);
        }
        voids.insert(start, end);
    }

    /// A key is there again.
    pub fn split(&mut self, namespace: &str, key: &[u8]) {
        let Some(end) = self.end_around(namespace, key).cloned() else { return };
        let Some(voids) = self.0.get_mut(namespace) else { return };
        let around = voids.range::<[u8], _>((Bound::Unbounded, Bound::Included(key))).next_back();
        let Some(start) = around.map(|(start, _)| start.clone()) else { return };
        if *start < *key {
            voids.insert(start, Some(key.into()));
        } else {
            voids.remove(&start);
        }
        let behind: Box<[u8]> = [key, &[0]].concat().into();
        if is_before(&behind, &end) {
            voids.insert(behind, end);
        }
    }
}

fn is_before(key: &[u8], end: &End) -> bool {
    end.as_ref().is_none_or(|end| *key < **end)
}

fn farther(one: End, other: End) -> End {
    Some(one?.max(other?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn void(start: &str, end: &str) -> Void {
        (start.as_bytes().into(), (!end.is_empty()).then(|| end.as_bytes().into()))
    }

    fn list(voids: &Voids<'_>) -> Vec<String> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\0', "+");
        let voids = voids.0.get("cc").into_iter().flatten();
        voids
            .map(|(start, end)| format!("{}..{}", text(start), end.as_ref().map_or_else(String::new, |end| text(end))))
            .collect()
    }

    #[test]
    fn voids_that_touch_are_one() {
        let mut voids = Voids::default();
        for (start, end) in [("b", "c"), ("f", "g"), ("m", "n"), ("c", "d"), ("a", "b")] {
            voids.add("cc", void(start, end));
        }
        assert_eq!(list(&voids), ["a..d", "f..g", "m..n"]);
        voids.add("cc", void("aa", "ff"));
        assert_eq!(list(&voids), ["a..g", "m..n"]);
        voids.add("cc", void("k", ""));
        assert_eq!(list(&voids), ["a..g", "k.."]);
        voids.add("cc", void("z", ""));
        assert_eq!(list(&voids), ["a..g", "k.."]);
    }

    #[test]
    fn a_key_that_comes_back_splits_its_void() {
        let mut voids = Voids::default();
        voids.add("cc", void("a", "d"));
        voids.add("cc", void("k", ""));
        for key in ["b", "a", "d", "z", "k"] {
            voids.split("cc", key.as_bytes());
        }
        assert_eq!(list(&voids), ["a+..b", "b+..d", "k+..z", "z+.."]);
        assert_eq!(voids.end_around("cc", b"b"), None);
        assert_eq!(voids.end_around("cc", b"c"), Some(&Some(Box::from(*b"d"))));
        assert_eq!(voids.end_around("cc", b"zz"), Some(&None));
        assert_eq!(voids.end_around("other", b"c"), None);
        assert_eq!(voids.next_start("cc", b"b"), Some(b"b\0".as_slice()));
    }
}
