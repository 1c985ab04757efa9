// SPDX-License-Identifier: Apache-2.0
//! Views of what chaincodes and peers say to each other (`peer/chaincode_shim.proto`).

use crate::common::Timestamp;
use crate::messages;
use crate::peer::{ChaincodeEvent, SignedProposal};

messages! {
    /// `protos.ChaincodeMessage`.
    ChaincodeMessage<'a> {
        1 => r#type: i32,
        2 => timestamp: Option<Timestamp>,
        3 => payload: &'a [u8],
        4 => txid: &'a str,
        5 => proposal: Option<SignedProposal<'a>>,
        6 => chaincode_event: Option<ChaincodeEvent<'a>>,
        7 => channel_id: &'a str,
    }

    /// `protos.GetState`.
    GetState<'a> {
        1 => key: &'a str,
        2 => collection: &'a str,
    }

    /// `protos.GetStateMultiple`.
    GetStateMultiple<'a> {
        1 => keys: Vec<&'a str>,
        2 => collection: &'a str,
    }

    /// `protos.GetStateMetadata`.
    GetStateMetadata<'a> {
        1 => key: &'a str,
        2 => collection: &'a str,
    }

    /// `protos.PutState`.
    PutState<'a> {
        1 => key: &'a str,
        2 => value: &'a [u8],
        3 => collection: &'a str,
    }

    /// `protos.PutStateMetadata`.
    PutStateMetadata<'a> {
        1 => key: &'a str,
        3 => collection: &'a str,
        4 => metadata: Option<StateMetadata<'a>>,
    }

    /// `protos.StateMetadata`: one entry of a key's metadata.
    StateMetadata<'a> {
        1 => metakey: &'a str,
        2 => value: &'a [u8],
    }

    /// `protos.DelState`.
    DelState<'a> {
        1 => key: &'a str,
        2 => collection: &'a str,
    }

    /// `protos.WriteBatchState`.
    WriteBatchState<'a> {
        1 => rec: Vec<WriteRecord<'a>>,
    }

    /// `protos.WriteRecord`.
    WriteRecord<'a> {
        1 => key: &'a str,
        2 => value: &'a [u8],
        3 => collection: &'a str,
        4 => metadata: Option<StateMetadata<'a>>,
        /// The type of the message that would write it alone.
        5 => r#type: i32,
    }

    /// `protos.GetStateByRange`.
    GetStateByRange<'a> {
        1 => start_key: &'a str,
        2 => end_key: &'a str,
        3 => collection: &'a str,
        /// Encoded [`QueryMetadata`].
        4 => metadata: &'a [u8],
    }

    /// `protos.QueryMetadata`: which page of the rows is asked for.
    QueryMetadata<'a> {
        1 => page_size: i32,
        2 => bookmark: &'a str,
    }

    /// `protos.QueryStateNext`.
    QueryStateNext<'a> {
        1 => id: &'a str,
    }

    /// `protos.QueryStateClose`.
    QueryStateClose<'a> {
        1 => id: &'a str,
    }
}
