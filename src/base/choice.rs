//! "One of these": a value that may be a bare name or a table with one key.
//!
//! `balance = "leastconn"` and `balance = { leastconn = {} }` mean the same; the bare name stands for the
//! alternative with its defaults. The table form is serde's externally tagged enum, which keeps the
//! line of an error inside it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::{MapAccessDeserializer, MapDeserializer};
use serde::de::{self, Deserialize, Deserializer, IntoDeserializer, MapAccess, Visitor};
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// A closed or open set of alternatives, each with a name and one sentence.
pub trait Alternatives {
    /// Names as written in a scenario, each with what it is, in the order of `stickysim list`.
    const NAMES: &'static [(&'static str, &'static str)];
}

/// An alternative of `T`, written as a name or as a table.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Choice<T>(pub T);

impl<T: Serialize> Serialize for Choice<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

/// Stands for `{}`: every parameter at its default.
struct Defaults;

impl<'de, E: de::Error> IntoDeserializer<'de, E> for Defaults {
    type Deserializer = MapDeserializer<'de, std::iter::Empty<(&'static str, &'static str)>, E>;
    fn into_deserializer(self) -> Self::Deserializer {
        MapDeserializer::new(std::iter::empty())
    }
}

/// A key that must not be there: fails while it is being read, so that the error points at the key.
pub(super) struct Surplus;

impl<'de> Deserialize<'de> for Surplus {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Surplus, D::Error> {
        let key = String::deserialize(from)?;
        Err(de::Error::custom(format!("`{key}` is one alternative too many: keep exactly one")))
    }
}

struct ChoiceVisitor<T>(PhantomData<T>);

impl<'de, T: Deserialize<'de> + Alternatives> Visitor<'de> for ChoiceVisitor<T> {
    type Value = Choice<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name or a table with one key, out of ")?;
        for (i, (name, _)) in T::NAMES.iter().enumerate() {
            write!(f, "{}`{name}`", if i == 0 { "" } else { ", " })?;
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<Choice<T>, E> {
        let table = MapDeserializer::new(std::iter::once((name, Defaults)));
        T::deserialize(MapAccessDeserializer::new(table)).map(Choice)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut table: A) -> Result<Choice<T>, A::Error> {
        let chosen = T::deserialize(MapAccessDeserializer::new(&mut table))?;
        // serde reads one key of an enum and would ignore a second one in silence.
        table.next_key::<Surplus>()?;
        Ok(Choice(chosen))
    }
}

impl<'de, T: Deserialize<'de> + Alternatives> Deserialize<'de> for Choice<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Choice<T>, D::Error> {
        deserializer.deserialize_any(ChoiceVisitor(PhantomData))
    }
}

impl<T: JsonSchema + Alternatives> JsonSchema for Choice<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}Choice", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let names: Vec<&str> = T::NAMES.iter().map(|&(name, _)| name).collect();
        json_schema!({
            "description": "A bare name means: with its defaults.",
            "anyOf": [{ "enum": names }, generator.subschema_for::<T>()],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Drink {
        Tea(Cup),
    }
    #[derive(Debug, Default, PartialEq, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Cup {
        sugar: u8,
    }
    impl Alternatives for Drink {
        const NAMES: &'static [(&'static str, &'static str)] = &[("tea", "hot")];
    }
    #[derive(Debug, serde::Deserialize)]
    struct Order {
        drink: Choice<Drink>,
    }

    fn order(text: &str) -> Result<Drink, String> {
        toml::from_str::<Order>(text).map(|o| o.drink.0).map_err(|e| e.message().to_string())
    }

    #[test]
    fn a_bare_name_means_with_its_defaults() {
        assert_eq!(order(r#"drink = "tea""#), Ok(Drink::Tea(Cup { sugar: 0 })));
        assert_eq!(order("drink = { tea = { sugar = 2 } }"), Ok(Drink::Tea(Cup { sugar: 2 })));
    }

    #[test]
    fn an_unknown_name_is_told_the_known_ones() {
        assert!(order(r#"drink = "gin""#).unwrap_err().contains("`tea`"));
        assert!(order("drink = 3").unwrap_err().contains("a name or a table with one key, out of `tea`"));
    }

    #[test]
    fn two_alternatives_at_once_are_refused() {
        assert!(order("drink = { tea = {}, wine = {} }").unwrap_err().contains("`wine` is one alternative too many"));
    }

    #[test]
    fn a_typo_inside_keeps_its_place() {
        let text = "drink = { tea = { suger = 2 } }";
        let error = toml::from_str::<Order>(text).unwrap_err();
        assert_eq!(&text[error.span().unwrap()], "suger");
    }
}
