// SPDX-License-Identifier: Apache-2.0
//! The heads of HTTP/2 frames in bytes that pass by (RFC 9113, section 4.1).

/// What comes before a frame's payload.
const HEAD_BYTES: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;

/// What a frame's head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    length: usize,
    kind: u8,
    flags: u8,
}

impl Head {
    fn new(bytes: [u8; HEAD_BYTES]) -> Self {
        let [high, middle, low, kind, flags, ..] = bytes;
        Self { length: u32::from_be_bytes([0, high, middle, low]) as usize, kind, flags }
    }

    /// Whether it neither begins a call nor brings any of its bytes: it costs work, and nothing limits how many come.
    pub(crate) fn is_overhead(self) -> bool {
        match self.kind {
            DATA => self.length == 0 && self.flags & END_STREAM == 0,
            kind => kind != HEADERS,
        }
    }

    pub(crate) fn is_settings(self) -> bool {
        self.kind == SETTINGS
    }
}

/// Where in the frames the bytes are.
#[derive(Debug)]
pub(crate) struct Frames {
    skip: usize,
    head: [u8; HEAD_BYTES],
    have: usize,
}

impl Frames {
    /// Frames that begin after so many other bytes.
    pub(crate) fn after(skip: usize) -> Self {
        Self { skip, head: [0; HEAD_BYTES], have: 0 }
    }

    /// Goes on by these bytes; tells the heads that are whole now.
    pub(crate) fn pass(&mut self, mut bytes: &[u8], mut tell: impl FnMut(Head)) {
        while !bytes.is_empty() {
            if self.skip > 0 {
                let skipped = self.skip.min(bytes.len());
                bytes = &bytes[skipped..];
                self.skip -= skipped;
                continue;
            }
            let taken = bytes.len().min(HEAD_BYTES - self.have);
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            self.have += taken;
            if self.have == HEAD_BYTES {
                let head = Head::new(self.head);
                (self.skip, self.have) = (head.length, 0);
                tell(head);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_found_however_the_bytes_are_cut() {
        let mut bytes = b"PRI".to_vec();
        for (kind, flags, payload) in [(4, 0, 6), (1, 4, 3), (0, 0, 0), (0, 1, 0), (0, 0, 700), (6, 1, 8), (99, 0, 0)] {
            let [.., middle, low] = u32::to_be_bytes(payload);
            bytes.extend([0, middle, low, kind, flags, 0, 0, 0, 1]);
            bytes.extend(std::iter::repeat_n(0xAA, payload as usize));
        }
        for part in [1, 2, 7, 9, 10, bytes.len()] {
            let (mut frames, mut heads) = (Frames::after(3), Vec::new());
            bytes.chunks(part).for_each(|part| frames.pass(part, |head| heads.push(head)));
            let overhead: Vec<_> = heads.iter().map(|head| head.is_overhead()).collect();
            assert_eq!(overhead, [true, false, true, false, false, true, true], "in parts of {part}");
            assert!(heads[0].is_settings() && !heads[1].is_settings());
        }
    }
}
