// SPDX-License-Identifier: Apache-2.0
//! Views of what chaincode lifecycles keep in state: `_lifecycle` (2.x) and LSCC (1.x).

use crate::messages;
use crate::protobuf::{DecodeError, Field, Message, Value};

messages! {
    /// `lifecycle.StateMetadata`: the type and the field names of a stored structure.
    StateMetadata<'a> {
        1 => datatype: &'a str,
        2 => fields: Vec<&'a str>,
    }

    /// `lifecycle.ChaincodeEndorsementInfo`.
    ChaincodeEndorsementInfo<'a> {
        1 => version: &'a str,
        2 => init_required: bool,
        3 => endorsement_plugin: &'a str,
    }

    /// `lifecycle.ChaincodeValidationInfo`.
    ChaincodeValidationInfo<'a> {
        1 => validation_plugin: &'a str,
        /// Encoded `protos.ApplicationPolicy`.
        2 => validation_parameter: &'a [u8],
    }

    /// `ccprovider.ChaincodeData`: LSCC's record of an instantiated chaincode.
    ChaincodeData<'a> {
        1 => name: &'a str,
        2 => version: &'a str,
        3 => escc: &'a str,
        4 => vscc: &'a str,
        /// Encoded `common.SignaturePolicyEnvelope`.
        5 => policy: &'a [u8],
        6 => data: &'a [u8],
        7 => id: &'a [u8],
        /// Encoded `common.SignaturePolicyEnvelope`.
        8 => instantiation_policy: &'a [u8],
    }
}

/// `lifecycle.StateData`: one field of a stored structure.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum StateData<'a> {
    /// The oneof is not set.
    #[default]
    Unset,
    /// An integer.
    Int64(i64),
    /// Bytes.
    Bytes(&'a [u8]),
    /// Text.
    String(&'a str),
}

impl<'a> Message<'a> for StateData<'a> {
    fn merge_field(&mut self, number: u32, value: Value<'a>, depth: u32) -> Result<bool, DecodeError> {
        let (mut int, mut bytes, mut string) = (0i64, [].as_slice(), "");
        let known = match number {
            1 => int.merge_value(value, depth)?,
            2 => bytes.merge_value(value, depth)?,
            3 => string.merge_value(value, depth)?,
            _ => false,
        };
        if known {
            *self = match number {
                1 => Self::Int64(int),
                2 => Self::Bytes(bytes),
                _ => Self::String(string),
            };
        }
        Ok(known)
    }
}
