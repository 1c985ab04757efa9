// SPDX-License-Identifier: Apache-2.0
//! Whether a proposal keeps every rule (Fabric: `core/endorser/msgvalidation.go`, `core/handlers/auth/filter`).

use fastledger_crypto::Verifier;
use fastledger_identity::{ChannelConfig, Policy, Signed, expires_at, valid_signers};
use fastledger_wire::common::header_type;
use fastledger_wire::hash::tx_id;
use fastledger_wire::peer::SignedProposal;

use crate::proposal::Proposal;

/// The rules that whoever asks has chosen, beside those for all proposals.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// This peer's time, seconds since 1970.
    pub now: f64,
    /// Whether the creator's certificate must not have ended.
    pub unexpired: bool,
    /// How far the proposal's time may be from this peer's, seconds; none where it may be any.
    pub window: Option<f64>,
    /// What the creator has to satisfy; none where every identity of the channel may propose.
    pub policy: Option<&'a Policy>,
}

/// Which of some proposals for a channel with this configuration keep the rules; their signatures are verified in one
/// batch, each once for all rules.
#[must_use]
pub fn admitted(
    proposals: &[&Proposal<'_>],
    config: &ChannelConfig,
    verifier: &Verifier,
    rules: &Rules<'_>,
) -> Vec<bool> {
    let mut verdicts: Vec<_> =
        proposals.iter().map(|proposal| is_timely(proposal, rules) && has_good_headers(proposal)).collect();
    let good: Vec<_> = (0..proposals.len()).filter(|index| verdicts[*index]).collect();
    let signed: Vec<_> = good.iter().map(|index| signed(proposals[*index])).collect();
    for (index, creator) in good.into_iter().zip(valid_signers(config.msps(), verifier, &signed)) {
        verdicts[index] = creator.is_some_and(|creator| {
            creator.validity().is_ok()
                && rules.policy.is_none_or(|policy| policy.is_satisfied_by(std::slice::from_ref(&creator)))
        });
    }
    verdicts
}

fn signed<'a>(proposal: &Proposal<'a>) -> Signed<'a> {
    let SignedProposal { proposal_bytes, signature } = proposal.signed;
    Signed { message: proposal_bytes, identity: proposal.signature.creator, signature }
}

#[expect(clippy::cast_precision_loss, reason = "a second more or less decides nothing so far from now")]
fn is_timely(proposal: &Proposal<'_>, rules: &Rules<'_>) -> bool {
    if rules.unexpired && expires_at(proposal.signature.creator).is_some_and(|end| rules.now > end as f64) {
        return false;
    }
    let said = proposal.channel.timestamp.clone().unwrap_or_default();
    let said = said.seconds as f64 + f64::from(said.nanos) / 1e9;
    rules.window.is_none_or(|window| (rules.now - said).abs() <= window)
}

fn has_good_headers(proposal: &Proposal<'_>) -> bool {
    let Proposal { channel, signature, signed, .. } = proposal;
    matches!(channel.r#type, header_type::ENDORSER_TRANSACTION | header_type::CONFIG)
        && channel.epoch == 0
        && !signature.nonce.is_empty()
        && !signature.creator.is_empty()
        && channel.tx_id == tx_id(signature.nonce, signature.creator)
        && !signed.proposal_bytes.is_empty()
        && !signed.signature.is_empty()
}
