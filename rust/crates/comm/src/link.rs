// SPDX-License-Identifier: Apache-2.0
//! A connection that is made again when it was lost.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use tokio::sync::{Mutex, watch};
use tokio::time::{Instant, timeout};
use tonic::Status;

use crate::dial::{ClientLimits, Target};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(20);

/// Pause after the first failure, and what it grows by (`doc/connection-backoff.md` of gRPC).
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const PAUSE_FACTOR: f64 = 1.6;

/// A pause is that much longer or shorter than planned, so that not all clients come back at once.
const JITTER: f64 = 0.2;

pub(crate) struct Link {
    pub(crate) target: Target,
    pub(crate) limits: ClientLimits,
    state: Mutex<State>,
    closed: watch::Sender<bool>,
}

#[derive(Default)]
struct State {
    server: Option<SendRequest<Bytes>>,
    /// How many connections there were.
    made: u64,
    failed: Option<Failed>,
}

struct Failed {
    why: String,
    pause: Duration,
    again: Instant,
}

impl Link {
    pub(crate) fn new(target: Target, limits: ClientLimits) -> Self {
        Self { target, limits, state: Mutex::default(), closed: watch::Sender::new(false) }
    }

    /// Where the next call can be sent; connects if need be. A connection that was lost is noticed here at the latest,
    /// before anything of a call was sent.
    pub(crate) async fn ready(&self) -> Result<SendRequest<Bytes>, Status> {
        let (server, made) = self.connected().await?;
        if let Ok(server) = server.ready().await {
            return Ok(server);
        }
        {
            let mut state = self.state.lock().await;
            if state.made == made {
                state.server = None;
            }
        }
        let (server, _) = self.connected().await?;
        server.ready().await.map_err(|error| self.unavailable(&error.to_string()))
    }

    /// Ends the connection and all calls on it, for good.
    pub(crate) fn close(&self) {
        self.closed.send_replace(true);
    }

    async fn connected(&self) -> Result<(SendRequest<Bytes>, u64), Status> {
        if *self.closed.borrow() {
            return Err(Status::cancelled("the channel is closed"));
        }
        let mut state = self.state.lock().await;
        if let Some(server) = &state.server {
            return Ok((server.clone(), state.made));
        }
        if let Some(failed) = state.failed.as_ref().filter(|failed| Instant::now() < failed.again) {
            return Err(self.unavailable(&failed.why));
        }
        match self.connect().await {
            Ok(server) => {
                *state = State { server: Some(server.clone()), made: state.made + 1, failed: None };
                Ok((server, state.made))
            }
            Err(why) => {
                let status = self.unavailable(&why);
                let grown = |failed: &Failed| failed.pause.mul_f64(PAUSE_FACTOR).min(self.limits.max_backoff);
                let pause = state.failed.as_ref().map_or(FIRST_PAUSE.min(self.limits.max_backoff), grown);
                state.failed = Some(Failed { why, pause, again: Instant::now() + pause.mul_f64(about_one()) });
                Err(status)
            }
        }
    }

    /// Connects for the first time; says why that is not possible.
    pub(crate) async fn begin(&self) -> Result<(), String> {
        let server = self.connect().await?;
        *self.state.lock().await = State { server: Some(server), made: 1, failed: None };
        Ok(())
    }

    async fn connect(&self) -> Result<SendRequest<Bytes>, String> {
        let mut closed = self.closed.subscribe();
        let until = async move {
            // It fails when nobody has the link any more.
            drop(closed.wait_for(|closed| *closed).await);
        };
        let connected = timeout(CONNECT_TIMEOUT, self.target.connect(&self.limits, until)).await;
        connected.unwrap_or_else(|_| Err("it does not answer".to_owned()))
    }

    fn unavailable(&self, why: &str) -> Status {
        Status::unavailable(format!("no connection to {}: {why}", self.target.address()))
    }
}

/// A number between one less the jitter and one more.
#[expect(clippy::cast_precision_loss, reason = "it is a random number")]
fn about_one() -> f64 {
    let random = RandomState::new().hash_one(()) as f64 / u64::MAX as f64;
    1.0 - JITTER + 2.0 * JITTER * random
}
