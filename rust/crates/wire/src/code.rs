// SPDX-License-Identifier: Apache-2.0
//! `protos.TxValidationCode`.

macro_rules! codes {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// A transaction's verdict; the numbers are Fabric's and stand in every block's transactions filter.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the names are Fabric's own")]
        pub enum TxValidationCode { $($name = $number,)* }

        impl TxValidationCode {
            /// Every code, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Fabric's name of the code.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// The code with this number.
            #[must_use]
            pub fn from_number(number: u8) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
        }
    };
}

codes! {
    Valid = 0, "VALID";
    NilEnvelope = 1, "NIL_ENVELOPE";
    BadPayload = 2, "BAD_PAYLOAD";
    BadCommonHeader = 3, "BAD_COMMON_HEADER";
    BadCreatorSignature = 4, "BAD_CREATOR_SIGNATURE";
    InvalidEndorserTransaction = 5, "INVALID_ENDORSER_TRANSACTION";
    InvalidConfigTransaction = 6, "INVALID_CONFIG_TRANSACTION";
    UnsupportedTxPayload = 7, "UNSUPPORTED_TX_PAYLOAD";
    BadProposalTxid = 8, "BAD_PROPOSAL_TXID";
    DuplicateTxid = 9, "DUPLICATE_TXID";
    EndorsementPolicyFailure = 10, "ENDORSEMENT_POLICY_FAILURE";
    MvccReadConflict = 11, "MVCC_READ_CONFLICT";
    PhantomReadConflict = 12, "PHANTOM_READ_CONFLICT";
    UnknownTxType = 13, "UNKNOWN_TX_TYPE";
    TargetChainNotFound = 14, "TARGET_CHAIN_NOT_FOUND";
    MarshalTxError = 15, "MARSHAL_TX_ERROR";
    NilTxaction = 16, "NIL_TXACTION";
    ExpiredChaincode = 17, "EXPIRED_CHAINCODE";
    ChaincodeVersionConflict = 18, "CHAINCODE_VERSION_CONFLICT";
    BadHeaderExtension = 19, "BAD_HEADER_EXTENSION";
    BadChannelHeader = 20, "BAD_CHANNEL_HEADER";
    BadResponsePayload = 21, "BAD_RESPONSE_PAYLOAD";
    BadRwset = 22, "BAD_RWSET";
    IllegalWriteset = 23, "ILLEGAL_WRITESET";
    InvalidWriteset = 24, "INVALID_WRITESET";
    InvalidChaincode = 25, "INVALID_CHAINCODE";
    NotValidated = 254, "NOT_VALIDATED";
    InvalidOtherReason = 255, "INVALID_OTHER_REASON";
}

impl std::fmt::Display for TxValidationCode {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(self.name())
    }
}
