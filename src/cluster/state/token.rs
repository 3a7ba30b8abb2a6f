//! `client`: the state travels in a signed token that the client presents with every request.
//!
//! There is nothing to lose and nothing to fetch: any node serves anybody. What it costs is work, to verify the token
//! and to sign a new one, and bytes with every request. What can no longer be done, to revoke it at once, is not
//! modelled. Source: RFC 7519; a browser keeps a cookie of up to 4 KiB (RFC 6265, section 6.1).

use super::{Care, Ground, Kind, Place};
use crate::base::dist::Law;
use crate::base::time::Duration;
use crate::base::units::Bytes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list state`.
pub const MEANING: &str = "in a signed token that the client presents; any node serves anybody, for work and bytes";

/// Parameters of `client`.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Size of the token: it comes with every request, and goes back with every reply to one that writes; default 1 KiB.
    pub size: Bytes,
    /// Service demand of verifying it, on top of each request's own; none unless given.
    pub verify: Option<Law<Duration>>,
    /// Service demand of signing a new one, on top of that of each request that writes; none unless given.
    pub sign: Option<Law<Duration>>,
}

impl Default for Params {
    fn default() -> Params {
        Params { size: Bytes::new(1 << 10), verify: None, sign: None }
    }
}

impl Params {
    /// The place, ready to run.
    pub fn place(&self, ground: &mut dyn Ground) -> Option<Place> {
        let care = Care::of(ground, &[("verify", &self.verify), ("sign", &self.sign)])?;
        Some(Place { kind: Kind::Client, care, size: self.size.get(), ..Place::nothing() })
    }
}
