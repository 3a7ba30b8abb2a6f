//! Which units does one machine of many run? Every n-th, so that no shard has all the long ones.

use super::unit::Unit;
use std::fmt;
use std::str::FromStr;

/// One of several shards: `2/7` is the second of seven.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shard {
    number: usize,
    of: usize,
}

impl Shard {
    /// All units.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Whether it runs this unit.
    pub fn takes(self, unit: Unit) -> bool {
        unit.number % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Shard, String> {
        let halves = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match halves {
            Some((number, of)) if (1..=of).contains(&number) => Ok(Shard { number, of }),
            _ => Err("write K/N, such as 2/7 for the second of seven shards".into()),
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::study;
    use super::*;

    #[test]
    fn shards_share_the_units_out() {
        for of in 1..=9 {
            let shards: Vec<Shard> = (1..=of).map(|number| format!("{number}/{of}").parse().unwrap()).collect();
            for unit in study(2).units() {
                assert_eq!(shards.iter().filter(|shard| shard.takes(unit)).count(), 1);
            }
        }
    }

    #[test]
    fn a_shard_is_one_of_so_many() {
        for wrong in ["0/3", "4/3", "1/0", "1", "a/b", "1/2/3", ""] {
            assert!(wrong.parse::<Shard>().is_err(), "{wrong}");
        }
        assert_eq!("3/3".parse::<Shard>().unwrap().to_string(), "3/3");
    }
}
