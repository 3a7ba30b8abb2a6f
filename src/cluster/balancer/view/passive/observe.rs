//! `observe`: errors in a row count as failed checks (HAProxy `observe`, `error-limit`, `on-error`).
//!
//! At layer 4 a connection that is not accepted is an error and one that is accepted ends the row; at layer 7
//! bad answers, resets and timeouts are errors too, and only a good answer ends the row. A passed check ends it
//! in any case. After `error_limit` errors in a row `on_error` is done, and the next check, with a
//! `fast_interval`, comes no later than that. A node that is down comes back by its checks alone. Source: haproxy
//! `src/check.c`, 2.6, `__health_adjust`.

use super::super::active::Blow;
use super::{Act, Eject, Seen};
use crate::base::id::NodeId;
use crate::base::time::Instant;
use crate::cluster::client::Layer;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// One line for `stickysim list passive`.
pub const MEANING: &str = "`error_limit` errors in a row count as a failed check, or as the last one (HAProxy)";

/// Parameters of `observe`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// What is observed: connections or answers; default `l4`.
    pub layer: Layer,
    /// Errors in a row; ≥ 1, default 10.
    pub error_limit: u32,
    /// What they mean; default `fail_check`.
    pub on_error: OnError,
}

impl Default for Params {
    fn default() -> Params {
        Params { layer: Layer::L4, error_limit: 10, on_error: OnError::FailCheck }
    }
}

/// What errors in a row mean.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The next check comes within `fast_interval`, nothing more.
    FastInterval,
    /// A failed check.
    #[default]
    FailCheck,
    /// A failed check, and the next one will be the last.
    SuddenDeath,
    /// The node is down.
    MarkDown,
}

impl Params {
    /// What is wrong with the parameters.
    pub fn faults(&self) -> Vec<(&'static str, String)> {
        let message = "error_limit is zero, but a row has at least one error".to_owned();
        (self.error_limit == 0).then_some(("error_limit", message)).into_iter().collect()
    }
}

/// Working state.
#[derive(Debug)]
pub struct Observe {
    params: Params,
    // By node.
    in_a_row: Vec<u32>,
}

impl Observe {
    /// No errors yet.
    pub fn new(params: &Params, nodes: usize) -> Observe {
        Observe { params: *params, in_a_row: vec![0; nodes] }
    }
}

impl Eject for Observe {
    fn saw(&mut self, _: Instant, node: NodeId, seen: Seen, acts: &mut Vec<Act>) {
        let bad = match (seen, self.params.layer) {
            (Seen::NotConnected, _) => true,
            (Seen::Connected | Seen::Opened, Layer::L4) => false,
            (Seen::Error | Seen::Overloaded | Seen::Reset | Seen::Unanswered, Layer::L7) => true,
            // A stream is opened by an answer, "101 Switching Protocols".
            (Seen::Answered | Seen::Opened, Layer::L7) => false,
            _ => return,
        };
        let row = &mut self.in_a_row[node.index()];
        *row = if bad { *row + 1 } else { 0 };
        if *row < self.params.error_limit {
            return;
        }
        *row = 0;
        acts.push(match self.params.on_error {
            OnError::FastInterval => Act::Hurry(node),
            OnError::FailCheck => Act::Strike(node, Blow::Failed),
            OnError::SuddenDeath => Act::Strike(node, Blow::Grave),
            OnError::MarkDown => Act::Strike(node, Blow::Fatal),
        });
    }

    fn passed_check(&mut self, _: Instant, node: NodeId, _: bool, _: &mut Vec<Act>) {
        self.in_a_row[node.index()] = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{A, at, sees};
    use super::*;

    fn rule(layer: Layer, on_error: OnError) -> Observe {
        Observe::new(&Params { layer, error_limit: 3, on_error }, 1)
    }

    #[test]
    fn at_layer_4_connections_count_and_answers_do_not() {
        use Seen::{Connected, Error, NotConnected, Reset};
        let mut rule = rule(Layer::L4, OnError::MarkDown);
        assert_eq!(sees(&mut rule, 0, &[NotConnected, NotConnected, Connected, NotConnected, NotConnected]), []);
        assert_eq!(sees(&mut rule, 0, &[Error, Reset, NotConnected]), [Act::Strike(A, Blow::Fatal)]);
        assert_eq!(sees(&mut rule, 0, &[NotConnected, NotConnected]), [], "the row begins anew");
    }

    #[test]
    fn at_layer_7_only_a_good_answer_or_a_check_ends_the_row() {
        use Seen::{Answered, Connected, Error, Overloaded, Unanswered};
        let mut rule = rule(Layer::L7, OnError::SuddenDeath);
        assert_eq!(sees(&mut rule, 0, &[Connected, Error, Connected, Answered, Error, Error]), []);
        rule.passed_check(at(0), A, true, &mut Vec::new());
        let row = [Error, Connected, Overloaded, Unanswered];
        assert_eq!(sees(&mut rule, 0, &row), [Act::Strike(A, Blow::Grave)]);
    }

    #[test]
    fn each_reaction_has_its_own_blow() {
        let table = [
            (OnError::FastInterval, Act::Hurry(A)),
            (OnError::FailCheck, Act::Strike(A, Blow::Failed)),
            (OnError::SuddenDeath, Act::Strike(A, Blow::Grave)),
            (OnError::MarkDown, Act::Strike(A, Blow::Fatal)),
        ];
        for (on_error, act) in table {
            assert_eq!(sees(&mut rule(Layer::L4, on_error), 0, &[Seen::NotConnected; 3]), [act]);
        }
    }
}
