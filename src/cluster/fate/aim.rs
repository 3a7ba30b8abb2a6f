//! Whom does a fault hit?

use crate::base::id::NodeId;
use crate::base::units::Share;
use crate::cluster::plan::Plan;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use std::fmt;

/// The nodes that a fault hits: by name or zone, or out of those that are up.
#[derive(Clone, PartialEq, Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum Aim {
    /// So many nodes, drawn at random.
    Count(u32),
    /// These nodes, by name.
    Names(Vec<String>),
    /// A share or a zone.
    Part(Part),
    /// `"fullest"`: the node with the most sessions bound to it.
    Fullest(Fullest),
}

/// `"fullest"`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fullest {
    /// The node with the most sessions bound to it; the lowest number among equals.
    Fullest,
}

/// Part of the cluster.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// This share of the nodes, rounded, at least one; drawn at random.
    Share(Share),
    /// All nodes of this zone.
    Zone(String),
}

impl Aim {
    /// Whether it means certain nodes, whatever they are doing: named ones, those of a zone, all.
    pub fn is_exact(&self) -> bool {
        match self {
            Aim::Names(_) | Aim::Part(Part::Zone(_)) => true,
            Aim::Part(Part::Share(share)) => share.ratio() >= 1.0,
            Aim::Count(_) | Aim::Fullest(_) => false,
        }
    }

    /// Whether an exact aim means this node.
    pub fn means(&self, plan: &Plan, node: NodeId) -> bool {
        match self {
            Aim::Names(names) => names.contains(&plan.nodes[node.index()].name),
            Aim::Part(Part::Zone(zone)) => plan.zone_of(node) == *zone,
            Aim::Part(Part::Share(_)) | Aim::Count(_) | Aim::Fullest(_) => self.is_exact(),
        }
    }
}

struct AimVisitor;

impl<'de> Visitor<'de> for AimVisitor {
    type Value = Aim;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "a number of nodes such as 1, names such as [\"n1\", \"n3\"], { share = \"30%\" }, { zone = \"z1\" } or \
             \"fullest\"",
        )
    }
    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Aim, E> {
        let count = u32::try_from(count).map_err(|_| E::custom("more nodes than any cluster has"))?;
        Ok(Aim::Count(count))
    }
    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Aim, E> {
        let count = u64::try_from(count).map_err(|_| E::custom(format!("{count} nodes cannot be hit")))?;
        self.visit_u64(count)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Aim, E> {
        match text {
            "fullest" => Ok(Aim::Fullest(Fullest::Fullest)),
            other => Err(E::invalid_value(de::Unexpected::Str(other), &self)),
        }
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<Aim, A::Error> {
        let mut aimed_at = Vec::new();
        while let Some(name) = names.next_element()? {
            aimed_at.push(name);
        }
        Ok(Aim::Names(aimed_at))
    }
    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Aim, A::Error> {
        Part::deserialize(MapAccessDeserializer::new(map)).map(Aim::Part)
    }
}

// By hand, since an untagged enum would hide the place and the reason of an error.
impl<'de> Deserialize<'de> for Aim {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Aim, D::Error> {
        from.deserialize_any(AimVisitor)
    }
}
