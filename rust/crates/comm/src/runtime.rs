// SPDX-License-Identifier: Apache-2.0
//! Where everything of this crate runs.

use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

use crate::error::CommError;

/// Threads that ask for authorities of clients, or look up names: either may take long.
const WAITING_THREADS: usize = 8;

/// The thread's name.
pub const THREAD: &str = "grpc";

/// The thread that all servers and channels of a process share.
pub(crate) fn runtime() -> Result<&'static Runtime, CommError> {
    static RUNTIME: OnceLock<Result<Runtime, String>> = OnceLock::new();
    let start = || {
        Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(WAITING_THREADS)
            .thread_name(THREAD)
            .enable_all()
            .build()
    };
    let runtime = RUNTIME.get_or_init(|| start().map_err(|error| error.to_string()));
    runtime.as_ref().map_err(|reason| CommError::System { what: "thread", reason: reason.clone() })
}
