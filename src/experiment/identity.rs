//! Which results belong together? A hash of everything that changes them.

use super::Study;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A running SHA-256.
#[derive(Clone, Debug, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Takes more bytes in.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Takes a text in so that it cannot run into the next.
    pub fn text(&mut self, text: &str) {
        self.update(&(text.len() as u64).to_le_bytes());
        self.update(text.as_bytes());
    }

    /// The hash as 64 hexadecimal digits.
    pub fn hex(self) -> String {
        self.0.finalize().iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        })
    }
}

/// The SHA-256 of some bytes as 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    let mut hasher = Hasher::default();
    hasher.update(bytes);
    hasher.hex()
}

/// "sha256:…" of version, scenario, options, seeds and cells: units of equal plan ids can be joined.
pub fn plan_id(study: &Study) -> String {
    let mut hasher = Hasher::default();
    hasher.text(env!("CARGO_PKG_VERSION"));
    hasher.text(&study.scenario_text);
    hasher.update(&(study.overrides.len() as u64).to_le_bytes());
    study.overrides.iter().for_each(|text| hasher.text(text));
    hasher.update(&study.seeds.to_le_bytes());
    hasher.update(&[u8::from(study.keeps.nodes), u8::from(study.keeps.ticks)]);
    if !study.precision.is_empty() {
        hasher.text(&format!("{:?} from {}", study.precision, study.seeds_first));
    }
    for cell in &study.cells {
        hasher.text(&cell.variant);
        hasher.text(&cell.point);
        // The compiled plan too: a scenario may draw on files beside it, which can change unseen.
        hasher.text(&format!("{:?}", cell.plan));
    }
    format!("sha256:{}", hasher.hex())
}

#[cfg(test)]
mod tests {
    use super::super::testing::study;
    use super::*;

    #[test]
    fn sha256_of_abc_is_that_of_the_standard() {
        let expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(sha256(b"abc"), expected);
    }

    #[test]
    fn whatever_changes_results_changes_the_plan_id() {
        let id = plan_id(&study(2));
        assert_eq!(id, plan_id(&study(2)));
        let changes: [fn(&mut Study); 7] = [
            |s| s.seeds = 3,
            |s| s.scenario_text.push('#'),
            |s| s.overrides.push("tick=2s".into()),
            |s| s.cells[0].variant.push('x'),
            |s| s.cells[1].plan.nodes[0].weight += 1,
            |s| s.keeps.nodes = !s.keeps.nodes,
            |s| s.keeps.ticks = !s.keeps.ticks,
        ];
        for change in changes {
            let mut changed = study(2);
            change(&mut changed);
            assert_ne!(id, plan_id(&changed));
        }
    }
}
