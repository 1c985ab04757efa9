// SPDX-License-Identifier: Apache-2.0
//! Messages that come, cut off the stream that brings them.
//!
//! Memory follows the bytes that came, not the length that was announced; and bytes are taken out of HTTP/2's queues
//! at once, whose entries cost more than small frames bring. What slows the other end down is the window: it opens
//! again when a message is wanted that is not there yet.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};
use h2::RecvStream;
use http::HeaderMap;
use tonic::Status;

use crate::error::lost;
use crate::memory::{Held, PREFIX_BYTES};

/// First byte of a message that is compressed; 0 otherwise.
const COMPRESSED: u8 = 1;

/// Room is made for so many times what of a message has come, if its announced length is as much: what is announced
/// costs nobody anything, and large messages are seldom moved while they grow.
const ROOM_AHEAD: usize = 4;

/// What is left free behind a message's end, for a frame that brings the beginning of the next one.
const ROOM_BEHIND: usize = 16 << 10;

/// The messages of one direction of a call.
pub(crate) struct Incoming {
    stream: RecvStream,
    part: BytesMut,
    /// Bytes that came and for which the window was not opened again.
    owed: usize,
    came: u64,
    ended: bool,
    received: Arc<Held>,
    max_message_bytes: usize,
    /// For so much of a large message room is made as soon as it is announced.
    room_bytes: usize,
}

impl Incoming {
    pub(crate) fn new(stream: RecvStream, received: Arc<Held>, max_message_bytes: usize) -> Self {
        let part = BytesMut::new();
        Self { stream, part, owed: 0, came: 0, ended: false, received, max_message_bytes, room_bytes: 0 }
    }

    /// Makes room for so many bytes of a large message as soon as they are announced.
    pub(crate) fn with_room(self, room_bytes: usize) -> Self {
        Self { room_bytes, ..self }
    }

    /// Cuts a message off what has come.
    pub(crate) fn cut(&mut self) -> Result<Option<Bytes>, Status> {
        let [compressed, length @ ..] = match self.part.first_chunk::<PREFIX_BYTES>() {
            Some(prefix) => *prefix,
            None => return Ok(None),
        };
        if compressed != 0 {
            return Err(Status::internal("a message came that is compressed, which was not agreed on"));
        }
        let length = u32::from_be_bytes(length) as usize;
        if length > self.max_message_bytes {
            let most = self.max_message_bytes;
            let text = format!("Received message larger than max ({length} vs. {most})");
            return Err(Status::resource_exhausted(text));
        }
        if self.part.len() < PREFIX_BYTES + length {
            return Ok(None);
        }
        self.part.advance(PREFIX_BYTES);
        let message = self.part.split_to(length).freeze();
        if self.part.is_empty() {
            // The message alone keeps the memory now.
            self.part = BytesMut::new();
        }
        Ok(Some(message))
    }

    /// Whether the next message says that it is compressed.
    pub(crate) fn is_compressed(&self) -> bool {
        self.part.first() == Some(&COMPRESSED)
    }

    /// Whether a message has begun and is not whole.
    pub(crate) fn is_torn(&self) -> bool {
        !self.part.is_empty()
    }

    /// How many bytes have come in all.
    pub(crate) fn came(&self) -> u64 {
        self.came
    }

    /// Waits for more bytes; false when there are no more.
    pub(crate) async fn more(&mut self) -> Result<bool, Status> {
        let owed = std::mem::take(&mut self.owed);
        if owed > 0 && !self.ended {
            self.stream.flow_control().release_capacity(owed).map_err(|error| lost(&error))?;
        }
        self.take().await
    }

    /// Takes what comes although no message is wanted now, until the window is used up.
    pub(crate) async fn keep(&mut self) -> Result<Infallible, Status> {
        while self.take().await? {}
        std::future::pending().await
    }

    /// What came after the last message.
    pub(crate) async fn trailers(&mut self) -> Result<HeaderMap, Status> {
        Ok(self.stream.trailers().await.map_err(|error| lost(&error))?.unwrap_or_default())
    }

    async fn take(&mut self) -> Result<bool, Status> {
        if self.ended {
            return Ok(false);
        }
        let Some(data) = self.stream.data().await else {
            self.ended = true;
            return Ok(false);
        };
        let data = data.map_err(|error| lost(&error))?;
        self.owed += data.len();
        self.came += data.len() as u64;
        self.received.receive(data.len())?;
        self.make_room(data.len());
        self.part.extend_from_slice(&data);
        Ok(true)
    }

    /// Makes room for so many bytes, and for more of the message that they belong to.
    fn make_room(&mut self, bytes: usize) {
        let have = self.part.len();
        if bytes <= self.part.capacity() - have {
            return;
        }
        let announced = self.part.first_chunk().map_or(0, |[_, length @ ..]: &[u8; PREFIX_BYTES]| {
            (u32::from_be_bytes(*length) as usize).min(self.max_message_bytes)
        });
        let at_once = if announced > ROOM_BEHIND { self.room_bytes } else { 0 };
        let ahead = (announced + ROOM_BEHIND).min(at_once.max(ROOM_AHEAD * have));
        self.part.reserve(ahead.saturating_sub(have).max(bytes));
    }
}
