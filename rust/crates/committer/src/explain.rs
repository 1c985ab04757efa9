// SPDX-License-Identifier: Apache-2.0
//! What became of a transaction's endorsements, for the people who ask why its policy failed.

use std::sync::Arc;

use fastledger_wire::Message;
use fastledger_wire::msp::SerializedIdentity;

use crate::checked::SignatureCheck;
use crate::transaction::EndorserTransaction;
use crate::verdict::{EndorsementOutcome, Invalid, Reason};

/// Most endorsements of one transaction that its explanation lists; a transaction may carry as many as fit a block.
const MAX_DESCRIBED_ENDORSEMENTS: usize = 64;

/// Adds to a failed policy what became of every endorsement.
pub(crate) fn describe_endorsements(invalid: &mut Invalid, tx: &EndorserTransaction<'_>, checks: &[SignatureCheck]) {
    let Reason::Policy { endorsements, .. } = Arc::make_mut(&mut invalid.reason) else { return };
    *endorsements = tx
        .endorsements
        .iter()
        .zip(checks)
        .take(MAX_DESCRIBED_ENDORSEMENTS)
        .map(|(endorsement, check)| describe(endorsement.endorser, check))
        .collect();
}

fn describe(endorser: &[u8], check: &SignatureCheck) -> EndorsementOutcome {
    match check {
        Ok(identity) => EndorsementOutcome {
            msp_id: identity.mspid().to_owned(),
            subject: identity.certificate().subject().to_string(),
            outcome: match identity.validity() {
                Ok(()) => "valid".to_owned(),
                Err(error) => error.to_string(),
            },
        },
        Err(text) => EndorsementOutcome {
            msp_id: SerializedIdentity::decode(endorser).map_or("", |identity| identity.mspid).to_owned(),
            subject: String::new(),
            outcome: text.to_string(),
        },
    }
}
