// SPDX-License-Identifier: Apache-2.0
//! A chaincode's stream, once it has registered: which transactions it executes, and who answers its messages.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use bytes::Bytes;
use fastledger_comm::{Answer, Line, Responder};
use fastledger_defect::catch;
use fastledger_simulator::{Failure, Result};
use fastledger_wire::Message;
use fastledger_wire::shim::ChaincodeMessage;
use rustc_hash::FxHashMap;

use crate::disk::Disk;
use crate::limits::Limits;
use crate::message::{encoded, kind, refusal, request_name};
use crate::transaction::{NO_LEDGER, Setting, Transaction};

const LOGGER: &str = "core.chaincode";

/// What a chaincode is told of a transaction.
pub struct Beginning<'a> {
    /// Whether it is to initialize itself.
    pub is_init: bool,
    /// Encoded `ChaincodeInput`.
    pub input: &'a [u8],
    /// Encoded `SignedProposal`; empty for none.
    pub proposal: &'a [u8],
}

/// One chaincode's stream.
pub struct Conversation {
    ccid: String,
    limits: Limits,
    line: OnceLock<Line>,
    disk: Disk,
    /// By transaction id; on another channel it is another transaction.
    transactions: Mutex<FxHashMap<String, Vec<Arc<Transaction>>>>,
}

impl Conversation {
    /// Begins without transactions; nothing can be sent before there is a line.
    #[must_use]
    pub fn new(ccid: String, limits: Limits) -> Self {
        Self { ccid, limits, line: OnceLock::new(), disk: Disk::default(), transactions: Mutex::default() }
    }

    /// Takes the way to the chaincode.
    pub fn connect(&self, line: Line) {
        self.line.get_or_init(|| line);
    }

    /// Has the chaincode execute a transaction.
    pub fn begin(&self, setting: Setting, beginning: &Beginning<'_>) -> Result<Arc<Transaction>> {
        let Beginning { is_init, input, proposal } = beginning;
        let (size, most) = (input.len() + proposal.len(), self.limits.payload_bytes);
        if size > most {
            // The stream would end with it, and all other transactions with the stream.
            return Err(Failure::Refused(format!(
                "the transaction's input has {size} bytes with its proposal; at most {most} fit into a message"
            )));
        }
        let kind = if *is_init { kind::INIT } else { kind::TRANSACTION };
        let message = encoded(kind, input, &setting.tx_id, proposal, &setting.channel_id);
        let transaction = Arc::new(Transaction::new(setting, self.limits));
        let tx_id = transaction.setting.tx_id.clone();
        self.lock().entry(tx_id).or_default().push(Arc::clone(&transaction));
        self.send(message);
        Ok(transaction)
    }

    /// Answers no more requests of a transaction.
    pub fn end(&self, transaction: &Arc<Transaction>) {
        let tx_id = &transaction.setting.tx_id;
        let mut transactions = self.lock();
        if let Some(same) = transactions.get_mut(tx_id) {
            same.retain(|one| !Arc::ptr_eq(one, transaction));
            if same.is_empty() {
                transactions.remove(tx_id);
            }
        }
        drop(transactions);
        transaction.close();
    }

    /// Sends the answer to a request that was not answered at once.
    pub fn reply(&self, transaction: &Transaction, message: Vec<u8>) {
        transaction.end_request();
        self.send(message);
    }

    /// Answers a request of a transaction that has ended meanwhile.
    pub fn refuse(&self, kind: i32, tx_id: &str, channel_id: &str) {
        self.send(refusal(kind, tx_id, channel_id, NO_LEDGER));
    }

    fn send(&self, message: Vec<u8>) {
        if let Some(line) = self.line.get() {
            line.send(message.into());
        }
    }

    fn find(&self, tx_id: &str, channel_id: &str) -> Option<Arc<Transaction>> {
        let transactions = self.lock();
        transactions.get(tx_id)?.iter().find(|one| one.setting.channel_id == channel_id).cloned()
    }

    fn request(&self, message: &ChaincodeMessage<'_>) -> Answer {
        let (kind, tx_id, channel_id) = (message.r#type, message.txid, message.channel_id);
        let refused = || Answer::Send(refusal(kind, tx_id, channel_id, NO_LEDGER).into());
        let Some(transaction) = self.find(tx_id, channel_id) else { return refused() };
        if !transaction.begin_request() {
            // Fabric drops it too: no shim sends a second request before the first is answered.
            let ccid = &self.ccid;
            log::error!(
                target: LOGGER,
                "chaincode {ccid}: another request pending for txid {tx_id}, channel {channel_id}"
            );
            return Answer::Nothing;
        }
        if kind == kind::INVOKE_CHAINCODE {
            return Answer::Pass;
        }
        if !transaction.has_state() {
            transaction.end_request();
            return refused();
        }
        let at_once = !self.disk.is_slow();
        match self.disk.watch(|| transaction.answer_at_once(kind, message.payload, at_once)) {
            Ok(answer) => {
                transaction.end_request();
                Answer::Send(answer.into())
            }
            Err(_) => Answer::Pass,
        }
    }

    fn lock(&self) -> MutexGuard<'_, FxHashMap<String, Vec<Arc<Transaction>>>> {
        self.transactions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Responder for Conversation {
    /// Answers requests for public state; what cannot be decoded is for others to judge.
    fn respond(&self, message: &Bytes) -> Answer {
        let answered = catch(|| match ChaincodeMessage::decode(message) {
            Ok(message) if message.r#type == kind::KEEPALIVE => Answer::Nothing,
            Ok(message) if request_name(message.r#type).is_some() => self.request(&message),
            _ => Answer::Pass,
        });
        // A defect is told in the log; whoever listens may still know what to do.
        answered.unwrap_or(Answer::Pass)
    }
}
