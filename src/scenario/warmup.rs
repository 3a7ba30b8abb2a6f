//! The key `warmup`: a duration, or `"auto"` for one that pilot runs find.

use crate::base::time::Duration;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer};
use std::borrow::Cow;

/// The part of a run that whole-run figures leave out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Warmup {
    /// So long.
    Given(Duration),
    /// As long as pilot runs need.
    Auto,
}

impl Default for Warmup {
    fn default() -> Warmup {
        Warmup::Given(Duration::ZERO)
    }
}

impl Warmup {
    /// What is given; nothing while it is still to be found.
    pub fn given(self) -> Duration {
        match self {
            Warmup::Given(warmup) => warmup,
            Warmup::Auto => Duration::ZERO,
        }
    }
}

impl<'de> Deserialize<'de> for Warmup {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Warmup, D::Error> {
        let value = toml::Value::deserialize(from)?;
        if value.as_str() == Some("auto") {
            return Ok(Warmup::Auto);
        }
        value.try_into().map(Warmup::Given).map_err(|error: toml::de::Error| serde::de::Error::custom(error.message()))
    }
}

impl JsonSchema for Warmup {
    fn schema_name() -> Cow<'static, str> {
        "Warmup".into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let duration = generator.subschema_for::<Duration>();
        json_schema!({ "anyOf": [duration, { "const": "auto" }] })
    }
}
