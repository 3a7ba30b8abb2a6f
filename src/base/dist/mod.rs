//! Laws of chance: how a scenario says "about eight minutes, with a long tail".
//!
//! A [`Law`] is what a person writes: a bare quantity, which is then always the same, or one named law
//! with its parameters. [`Law::compile`] checks it and prepares a [`Sampler`], which draws in base
//! units (nanoseconds, bytes, plain numbers), knows its own mean and variance, and can draw lives as
//! an observer meets them half-way (length-biased and residual).
//!
//! Laws are tagged by their key (`{ lognormal = { .. } }`), so that an error inside one is reported
//! at its own place in the file. Moments and equilibrium lives: Cox, *Renewal Theory*, ch. 5.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use super::choice::Surplus;
use super::units::Unit;

mod compile;
mod empirical;
mod sampler;
#[cfg(test)]
mod tests;

pub use compile::LawFault;
pub use empirical::read_lines;
pub use sampler::Sampler;

/// Every law by its name in a file, with its meaning.
pub const NAMES: &[(&str, &str)] = &[
    ("constant", "always the same value; a bare value means this too"),
    ("uniform", "any value from min to max, all equally likely"),
    ("exponential", "memoryless, with this mean: gaps between independent arrivals"),
    ("erlang", "the sum of `shape` equal exponential stages with this mean together"),
    ("gamma", "erlang with any shape above 0; cv² = 1/shape"),
    ("lognormal", "a product of many small influences: median or mean, and sigma or p95"),
    ("weibull", "a life whose hazard falls (shape < 1) or rises (shape > 1) with age: mean or scale"),
    ("pareto", "a power-law tail of index alpha, cut off at max"),
    ("hyperexponential", "a mix of short and long exponentials with this mean and cv2 > 1"),
    ("empirical", "measured values, all equally likely, given here or one a line in a file"),
];

/// A law of chance over quantities of `U`, as written in a scenario.
///
/// ```
/// use stickysim::base::{dist::Law, time::Duration};
///
/// #[derive(serde::Deserialize)]
/// struct File { think: Law<Duration> }
/// let file: File = toml::from_str(r#"think = { lognormal = { median = "8m", sigma = 1.2 } }"#).unwrap();
/// assert!(file.think.compile(std::path::Path::new(".")).is_ok());
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Law<U>(pub LawShape<U>);

/// The laws and their parameters. Means, bounds and values carry the unit of `U`.
#[derive(Clone, Debug, PartialEq, serde::Deserialize, serde::Serialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields, bound(deserialize = "U: Unit", serialize = "U: Unit"))]
pub enum LawShape<U> {
    /// Always the same value; ≥ 0.
    Constant(U),
    /// Any value between two bounds, all equally likely.
    Uniform {
        /// The smallest value; ≥ 0.
        min: U,
        /// The largest value; ≥ min.
        max: U,
    },
    /// Memoryless: density e^(−x/mean)/mean.
    Exponential {
        /// The mean; > 0.
        mean: U,
    },
    /// The sum of `shape` independent exponential stages.
    Erlang {
        /// The mean of the sum; > 0.
        mean: U,
        /// The number of stages; ≥ 1.
        shape: u32,
    },
    /// Gamma: cv² = 1/shape.
    Gamma {
        /// The mean; > 0.
        mean: U,
        /// The shape; > 0.
        shape: f64,
    },
    /// e to the power of a normal variable.
    Lognormal {
        /// The median, e^μ; > 0. Either this or `mean`.
        #[serde(skip_serializing_if = "Option::is_none")]
        median: Option<U>,
        /// The mean; > 0. Either this or `median`.
        #[serde(skip_serializing_if = "Option::is_none")]
        mean: Option<U>,
        /// The standard deviation of the logarithm; ≥ 0. Either this or `p95`.
        #[serde(skip_serializing_if = "Option::is_none")]
        sigma: Option<f64>,
        /// The 95th percentile; ≥ median. Either this, beside `median`, or `sigma`.
        #[serde(skip_serializing_if = "Option::is_none")]
        p95: Option<U>,
    },
    /// Weibull: survival e^(−(x/scale)^shape).
    Weibull {
        /// The mean; > 0. Either this or `scale`.
        #[serde(skip_serializing_if = "Option::is_none")]
        mean: Option<U>,
        /// The scale, which 1/e of the values exceed; > 0. Either this or `mean`.
        #[serde(skip_serializing_if = "Option::is_none")]
        scale: Option<U>,
        /// The shape; in [0.05, 1000].
        shape: f64,
    },
    /// Bounded Pareto: density ∝ x^(−alpha−1) between two bounds.
    Pareto {
        /// The smallest value; > 0.
        min: U,
        /// The largest value; ≥ min.
        max: U,
        /// The tail index; > 0. The smaller, the heavier.
        alpha: f64,
    },
    /// A mix of two exponentials which each carry half of the mean ("balanced means").
    Hyperexponential {
        /// The mean; > 0.
        mean: U,
        /// The squared coefficient of variation, variance/mean²; > 1.
        cv2: f64,
    },
    /// Measured values, all equally likely.
    Empirical {
        /// The values; at least one. Either this or `file`.
        #[serde(skip_serializing_if = "Option::is_none")]
        values: Option<Vec<U>>,
        /// A file with one value with its unit per line, relative to the scenario. A first line that is
        /// not a value is a header; empty lines and lines with `#` are skipped. Either this or `values`.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
}

impl<U> Law<U> {
    /// The law that always gives `value`.
    pub const fn constant(value: U) -> Law<U> {
        Law(LawShape::Constant(value))
    }
}

impl<'de, U: Unit> Deserialize<'de> for Law<U> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Law<U>, D::Error> {
        from.deserialize_any(LawVisitor(PhantomData))
    }
}

struct LawVisitor<U>(PhantomData<U>);

impl<'de, U: Unit> Visitor<'de> for LawVisitor<U> {
    type Value = Law<U>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} such as \"{}\", or a law such as {{ exponential = {{ .. }} }}", U::NAME, U::EXAMPLE)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<Law<U>, E> {
        U::deserialize(text.into_deserializer()).map(Law::constant)
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Law<U>, E> {
        U::deserialize(number.into_deserializer()).map(Law::constant)
    }
    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Law<U>, E> {
        U::deserialize(number.into_deserializer()).map(Law::constant)
    }
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Law<U>, E> {
        U::deserialize(number.into_deserializer()).map(Law::constant)
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Law<U>, A::Error> {
        let law = LawShape::deserialize(MapAccessDeserializer::new(&mut map))?;
        // serde reads one key of an enum and would ignore a second law in silence.
        map.next_key::<Surplus>()?;
        Ok(Law(law))
    }
}

impl<U: Unit> Serialize for Law<U> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            LawShape::Constant(value) => value.serialize(to),
            law => law.serialize(to),
        }
    }
}

impl<U: Unit> JsonSchema for Law<U> {
    fn schema_name() -> Cow<'static, str> {
        format!("LawOf{}", U::schema_name()).into()
    }
    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let (value, law) = (generator.subschema_for::<U>(), generator.subschema_for::<LawShape<U>>());
        json_schema!({
            "description": format!("{}, always the same, or a law of chance.", U::NAME),
            "anyOf": [value, law],
        })
    }
}
