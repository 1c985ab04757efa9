// SPDX-License-Identifier: Apache-2.0
//! What a workload is to be like.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use crate::error::{Result, WorkloadError};

/// Bytes of a block that a real node can receive (`comm.MaxRecvMsgSize`).
const MAX_BLOCK_BYTES: usize = 100 << 20;
/// Organizations; sets of them are bits of a `u64`.
const MAX_ORGANIZATIONS: usize = 64;
/// Peers or clients of one organization; each takes about a kilobyte of memory.
const MAX_MEMBERS: usize = 10_000;
/// Keys; each takes 16 bytes of memory.
const MAX_KEYS: u64 = 100_000_000;
/// Transactions: enough for weeks.
const MAX_TRANSACTIONS: u64 = 10_000_000_000;
/// Transactions of a block; versions hold the place in 24 bits.
const MAX_BLOCK_TRANSACTIONS: usize = 1_000_000;
/// Reads or writes of one transaction.
const MAX_OPERATIONS: usize = 64;
/// Bytes of a value.
const MAX_VALUE_BYTES: usize = 1 << 20;
/// Real endorsers sum up the results of a range query beyond this many (`maxDegreeQueryReadsHashing`).
const MAX_RANGE_KEYS: u32 = 50;
/// Blocks that endorsers can be behind.
const MAX_LAG: usize = 1_000;
/// Beyond this nearly every draw is the first key.
const MAX_ZIPF_EXPONENT: f64 = 10.0;
/// What an endorsement takes in a transaction: identity, signature, framing.
const ENDORSEMENT_BYTES: usize = 950;
/// What a transaction takes without endorsements, keys and values: two signature headers, the creator's signature, reads
/// of the definition, a private write's hashes, framing.
const TRANSACTION_BYTES: usize = 2_800;
/// What a read or a written key takes beside its value: in the read-write set and in the arguments.
const OPERATION_BYTES: usize = 80;

/// A workload's specification; what is left out takes its default.
///
/// Shares are from 0 to 1 and drawn independently of each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Spec {
    /// The channel's name.
    pub channel: String,
    /// Application organizations: `Org1MSP`, `Org2MSP`, …
    pub organizations: usize,
    /// Endorsing peers of each organization; a transaction is endorsed by one of them, drawn at random.
    pub endorsers_per_organization: usize,
    /// Clients of each organization; all organizations' clients submit alike.
    pub clients_per_organization: usize,
    /// The chaincode's endorsement policy; a transaction carries as many endorsements as it asks for.
    pub endorsement_policy: EndorsementPolicy,
    /// Measured transactions; those that set the channel up come on top.
    pub transactions: u64,
    /// Transactions of a measured block; the last one may have fewer.
    pub block_transactions: usize,
    /// Bytes of every value.
    pub value_bytes: usize,
    /// Keys that exist before the first measured transaction.
    pub keys: u64,
    /// How transactions choose their keys.
    pub key_distribution: KeyDistribution,
    /// Keys that a transaction reads. It draws max(reads, writes) different keys, reads the first, and writes the first.
    pub reads: usize,
    /// Keys that a transaction writes.
    pub writes: usize,
    /// Share of transactions that only read.
    pub read_only_share: f64,
    /// Share of transactions that read an outdated version on purpose, however new the endorsers' state is.
    pub stale_read_share: f64,
    /// How many blocks the endorsers' state is behind: they simulate a block's transactions on the state before it, or
    /// on the state so many blocks earlier.
    pub endorsement_lag_blocks: usize,
    /// Share of transactions that also query a range of keys, with all results in the read-write set.
    pub range_query_share: f64,
    /// Keys of a range.
    pub range_query_keys: u32,
    /// Share of keys that have an endorsement policy of their own, which asks for a peer of one organization.
    pub key_policy_share: f64,
    /// Share, among the transactions that write such a key, of those without that organization's endorsement.
    pub key_policy_violation_share: f64,
    /// Share of transactions that also write a private key, of which blocks hold hashes.
    pub private_write_share: f64,
    /// Blocks after which private data is purged; 0 for never.
    pub block_to_live: u64,
    /// Share of transactions whose client's signature is bad.
    pub bad_creator_signature_share: f64,
    /// Share of transactions one of whose endorsements has a bad signature.
    pub bad_endorsement_signature_share: f64,
    /// Whether transactions also read the chaincode's definition, as those of endorsers that run the chaincode through
    /// the 2.x lifecycle do.
    pub lifecycle_reads: bool,
    /// What keys, certificates, choices and signatures follow from: the same specification gives the same bytes.
    pub seed: u64,
}

/// So many endorsements, each of a peer of another of the first so many organizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndorsementPolicy {
    /// Endorsements that must be there.
    pub required: usize,
    /// Organizations that may give them.
    pub organizations: usize,
}

/// How transactions choose their keys.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum KeyDistribution {
    /// Every key alike.
    Uniform,
    /// The n-th most popular key in proportion to n^-exponent; popular keys lie scattered over the key space.
    Zipf {
        /// 0 is uniform, 1 is the classical law.
        exponent: f64,
    },
    /// Every key once before any comes again, in a scattered order: no contention as long as keys suffice.
    RoundRobin,
}

impl Default for Spec {
    fn default() -> Self {
        Self {
            channel: "workload".to_owned(),
            organizations: 2,
            endorsers_per_organization: 1,
            clients_per_organization: 1,
            endorsement_policy: EndorsementPolicy { required: 2, organizations: 2 },
            transactions: 10_000,
            block_transactions: 500,
            value_bytes: 100,
            keys: 10_000,
            key_distribution: KeyDistribution::Uniform,
            reads: 1,
            writes: 1,
            read_only_share: 0.0,
            stale_read_share: 0.0,
            endorsement_lag_blocks: 0,
            range_query_share: 0.0,
            range_query_keys: 10,
            key_policy_share: 0.0,
            key_policy_violation_share: 0.0,
            private_write_share: 0.0,
            block_to_live: 0,
            bad_creator_signature_share: 0.0,
            bad_endorsement_signature_share: 0.0,
            lifecycle_reads: false,
            seed: 1,
        }
    }
}

impl Spec {
    /// Reads a specification from JSON and validates it.
    pub fn from_json(text: &str) -> Result<Self> {
        let spec: Self = serde_json::from_str(text)?;
        spec.validate()?;
        Ok(spec)
    }

    /// Says which value cannot be.
    pub fn validate(&self) -> Result<()> {
        self.validate_network()?;
        self.validate_sizes()?;
        self.validate_shares()?;
        self.validate_relations()
    }

    fn validate_network(&self) -> Result<()> {
        let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'.' || byte == b'-';
        let begins = self.channel.starts_with(|first: char| first.is_ascii_lowercase());
        if !begins || self.channel.len() >= 250 || !self.channel.bytes().all(legal) {
            let allowed = "at most 249 lower-case letters, digits, dots and dashes, a letter first";
            return Err(refuse("channel", &format!("{:?}", self.channel), allowed));
        }
        within("organizations", self.organizations, 1..=MAX_ORGANIZATIONS)?;
        within("endorsers_per_organization", self.endorsers_per_organization, 1..=MAX_MEMBERS)?;
        within("clients_per_organization", self.clients_per_organization, 1..=MAX_MEMBERS)?;
        let EndorsementPolicy { required, organizations } = self.endorsement_policy;
        within("endorsement_policy.organizations", organizations, 1..=self.organizations)?;
        within("endorsement_policy.required", required, 1..=organizations)
    }

    fn validate_sizes(&self) -> Result<()> {
        within("transactions", self.transactions, 0..=MAX_TRANSACTIONS)?;
        within("block_transactions", self.block_transactions, 1..=MAX_BLOCK_TRANSACTIONS)?;
        within("value_bytes", self.value_bytes, 1..=MAX_VALUE_BYTES)?;
        within("keys", self.keys, 1..=MAX_KEYS)?;
        within("endorsement_lag_blocks", self.endorsement_lag_blocks, 0..=MAX_LAG)?;
        if let KeyDistribution::Zipf { exponent } = self.key_distribution {
            within("key_distribution.zipf.exponent", exponent, 0.0..=MAX_ZIPF_EXPONENT)?;
        }
        let most = usize::try_from(self.keys).unwrap_or(usize::MAX).min(MAX_OPERATIONS);
        within("reads", self.reads, 0..=most)?;
        within("writes", self.writes, 0..=most)?;
        within("range_query_keys", self.range_query_keys, 1..=MAX_RANGE_KEYS)
    }

    fn validate_shares(&self) -> Result<()> {
        let shares = [
            ("read_only_share", self.read_only_share),
            ("stale_read_share", self.stale_read_share),
            ("range_query_share", self.range_query_share),
            ("key_policy_share", self.key_policy_share),
            ("key_policy_violation_share", self.key_policy_violation_share),
            ("private_write_share", self.private_write_share),
            ("bad_creator_signature_share", self.bad_creator_signature_share),
            ("bad_endorsement_signature_share", self.bad_endorsement_signature_share),
        ];
        shares.into_iter().try_for_each(|(key, share)| within(key, share, 0.0..=1.0))
    }

    fn validate_relations(&self) -> Result<()> {
        let needs = |key, share: f64, met: bool, what: &str| {
            if share > 0.0 && !met { Err(refuse(key, &share, &format!("0 where {what}"))) } else { Ok(()) }
        };
        if self.reads + self.writes == 0 {
            return Err(refuse("writes", &0, "1 or more where reads is 0"));
        }
        needs("read_only_share", self.read_only_share, self.reads > 0, "reads is 0")?;
        needs("stale_read_share", self.stale_read_share, self.reads > 0, "reads is 0")?;
        needs(
            "range_query_share",
            self.range_query_share,
            u64::from(self.range_query_keys) <= self.keys,
            "the keys are fewer than range_query_keys",
        )?;
        let violable = self.key_policy_share > 0.0 && self.writes > 0;
        needs("key_policy_violation_share", self.key_policy_violation_share, violable, "no written key has a policy")?;
        let most = MAX_BLOCK_BYTES / self.transaction_bytes();
        if self.block_transactions > most {
            let allowed = format!("at most {most} with transactions of this size: a block may have 100 MiB");
            return Err(refuse("block_transactions", &self.block_transactions, &allowed));
        }
        Ok(())
    }

    /// An upper bound.
    fn transaction_bytes(&self) -> usize {
        let owners = if self.key_policy_share > 0.0 { self.writes } else { 0 };
        let range = if self.range_query_share > 0.0 { self.range_query_keys as usize } else { 0 };
        TRANSACTION_BYTES
            + (self.endorsement_policy.required + owners) * ENDORSEMENT_BYTES
            + (self.reads + self.writes + range) * OPERATION_BYTES
            + self.writes * self.value_bytes
    }
}

fn within<T: PartialOrd + Display + Copy>(key: &'static str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(refuse(key, &value, &format!("from {} to {}", range.start(), range.end())))
}

fn refuse(key: &'static str, value: &dyn Display, allowed: &str) -> WorkloadError {
    WorkloadError::Spec { key, value: value.to_string(), allowed: allowed.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{EndorsementPolicy, KeyDistribution, Spec};
    use crate::Workload;

    fn refusal(change: impl Fn(&mut Spec)) -> String {
        let mut spec = Spec::default();
        change(&mut spec);
        spec.validate().unwrap_err().to_string()
    }

    #[test]
    fn json_may_leave_everything_out() {
        assert_eq!(Spec::from_json("{}").unwrap(), Spec::default());
        let spec = Spec::from_json(r#"{"key_distribution": {"zipf": {"exponent": 0.9}}, "keys": 7}"#).unwrap();
        assert_eq!((spec.key_distribution, spec.keys), (KeyDistribution::Zipf { exponent: 0.9 }, 7));
        let round_robin = Spec::from_json(r#"{"key_distribution": "round_robin"}"#).unwrap();
        assert_eq!(round_robin.key_distribution, KeyDistribution::RoundRobin);
        let again = Spec::from_json(&serde_json::to_string(&spec).unwrap()).unwrap();
        assert_eq!(again, spec);
    }

    #[test]
    fn what_cannot_be_is_named_with_what_can() {
        assert!(Spec::from_json(r#"{"kyes": 7}"#).unwrap_err().to_string().contains("kyes"));
        assert_eq!(refusal(|spec| spec.keys = 0), "keys is 0, but must be from 1 to 100000000");
        assert_eq!(
            refusal(|spec| spec.stale_read_share = f64::NAN),
            "stale_read_share is NaN, but must be from 0 to 1"
        );
        assert_eq!(refusal(|spec| spec.reads = 65), "reads is 65, but must be from 0 to 64");
        assert!(refusal(|spec| spec.channel = "Big".into()).starts_with(r#"channel is "Big", but must be"#));
        let policy = EndorsementPolicy { required: 2, organizations: 3 };
        assert_eq!(
            refusal(|spec| spec.endorsement_policy = policy),
            "endorsement_policy.organizations is 3, but must be from 1 to 2"
        );
    }

    #[test]
    fn values_must_fit_each_other() {
        let nothing = |spec: &mut Spec| (spec.reads, spec.writes) = (0, 0);
        assert_eq!(refusal(nothing), "writes is 0, but must be 1 or more where reads is 0");
        let blind = |spec: &mut Spec| (spec.reads, spec.stale_read_share) = (0, 0.5);
        assert_eq!(refusal(blind), "stale_read_share is 0.5, but must be 0 where reads is 0");
        let few = |spec: &mut Spec| (spec.keys, spec.range_query_share) = (9, 0.1);
        assert!(refusal(few).contains("fewer than range_query_keys"));
        assert!(refusal(|spec| spec.key_policy_violation_share = 0.1).contains("no written key has a policy"));
        let huge = |spec: &mut Spec| (spec.value_bytes, spec.block_transactions) = (1 << 20, 101);
        assert!(refusal(huge).starts_with("block_transactions is 101, but must be at most 99"));
    }

    #[test]
    fn transactions_are_not_larger_than_estimated() {
        let spec = Spec {
            organizations: 12,
            transactions: 20,
            keys: 100,
            reads: 3,
            writes: 8,
            value_bytes: 1,
            range_query_share: 1.0,
            range_query_keys: 50,
            key_policy_share: 1.0,
            private_write_share: 1.0,
            lifecycle_reads: true,
            ..Spec::default()
        };
        let block = Workload::new(&spec).unwrap().find(|block| block.is_measured).unwrap();
        let most = 20 * spec.transaction_bytes();
        assert!((most / 2..most).contains(&block.bytes.len()), "{} of {most}", block.bytes.len());
    }
}
