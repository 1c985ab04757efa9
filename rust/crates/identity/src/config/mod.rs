// SPDX-License-Identifier: Apache-2.0
//! A channel's configuration: read from a configuration block and checked as Fabric's `channelconfig.NewBundle` does.

mod capabilities;
mod channel;
mod creation;
mod duration;
mod elements;
mod encode;
mod organizations;
mod sections;
mod successor;
mod update;
mod values;

pub use capabilities::{ApplicationCapabilities, ChannelCapabilities, OrdererCapabilities};
pub use channel::{ChannelConfig, POLICY_CACHE_BYTES};
pub use duration::nanoseconds;
pub use elements::{MAX_CONFIG_DEPTH, check_channel_id};
pub use organizations::{AnchorPeer, Organization, Organizations};
pub use sections::{Application, ChannelConsenter, Consortiums, Orderer};
