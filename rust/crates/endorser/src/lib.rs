// SPDX-License-Identifier: Apache-2.0
//! What an endorser does with every proposal alike: takes it apart, sees whether anything is wrong, composes the answer.
//!
//! Which rules a proposal has to keep is decided by whoever asks. Here it is only said that all of them are kept;
//! which one is not, and in which words, is for whoever asks to find out.

#![forbid(unsafe_code)]

mod admission;
mod answer;
mod proposal;

pub use admission::{Rules, admitted};
pub use answer::{Endorsement, Outcome, proposal_response, response_payload};
pub use proposal::Proposal;
