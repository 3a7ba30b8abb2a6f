//! The questions: flag, words, default, and what an answer means.

use super::{Draft, Home, Talk};
use crate::base::time::Duration;
use crate::scenario::presets::{self, Preset};
use crate::scenario::words::nearest;

/// A question.
pub struct Question {
    /// Its flag, without dashes.
    pub flag: &'static str,
    /// Its words.
    pub asks: &'static str,
    /// What counts without an answer.
    pub default: &'static str,
    /// Whether it matters, given the answers so far.
    pub matters: fn(&Draft) -> bool,
    /// Takes an answer; or says what is wrong with it.
    pub set: fn(&mut Draft, &str) -> Result<(), String>,
}

const fn question(
    flag: &'static str,
    asks: &'static str,
    default: &'static str,
    set: fn(&mut Draft, &str) -> Result<(), String>,
) -> Question {
    Question { flag, asks, default, matters: |_| true, set }
}

/// All of them, in the order in which they are asked.
pub const QUESTIONS: &[Question] = &[
    question("users", "How many users are online at once?", "2000", |draft, text| {
        number(text, 1..=10_000_000).map(|users| draft.users = users)
    }),
    question("session", "How long does a visit last, on average?", "20m", |draft, text| {
        time(text).map(|time| draft.session = time)
    }),
    question("think", "How long from a reply to the same user's next request?", "10s", |draft, text| {
        time(text).map(|time| draft.think = time)
    }),
    question("service", "How long does a node work on a request?", "20ms", |draft, text| {
        time(text).map(|time| draft.service = time)
    }),
    question("workers", "On how many requests does a node work at once?", "8", |draft, text| {
        number(text, 1..=100_000).map(|workers| draft.workers = workers as u32)
    }),
    question("nodes", "How many nodes are there?", "auto", |draft, text| match text {
        "auto" => {
            draft.nodes = None;
            Ok(())
        }
        _ => number(text, 2..=2_000).map(|nodes| draft.nodes = Some(nodes as u32)),
    }),
    question("protocol", "How do clients talk: http, keepalive or websocket?", "http", |draft, text| {
        word(text, TALKS).map(|talk| draft.talk = talk)
    }),
    Question {
        flag: "client",
        asks: "Which client library do they use?",
        default: "none",
        matters: |draft| draft.talk != Talk::Http,
        set: |draft, text| preset(text, presets::CLIENTS).map(|client| draft.client = client),
    },
    question("balancer", "Which balancer is in front?", "none", |draft, text| {
        preset(text, presets::ALL).map(|balancer| draft.balancer = balancer)
    }),
    question(
        "state",
        "Where does session state live: memory, disk, replicated, cache, store, token or none?",
        "memory",
        |draft, text| word(text, HOMES).map(|home| draft.home = home),
    ),
    question("rebuild", "How much work is it to make lost state anew, such as a login?", "50ms", |draft, text| {
        time(text).map(|time| draft.rebuild = time)
    }),
    Question {
        flag: "store",
        asks: "Which store is there, or would there be?",
        default: "none",
        matters: Draft::has_store,
        set: |draft, text| preset(text, presets::STORES).map(|store| draft.store = store),
    },
    question("limit", "Which 99th percentile of response time was agreed on?", "250ms", |draft, text| {
        time(text).map(|time| draft.limit = time)
    }),
    question("drain", "How long does a node wait for its sessions before it is deployed?", "30s", |draft, text| {
        time(text).map(|time| draft.drain = time)
    }),
    question("at-once", "How many nodes does a deploy take away at once?", "auto", |draft, text| match text {
        "auto" => {
            draft.at_once = None;
            Ok(())
        }
        _ => number(text, 1..=2_000).map(|outs| draft.at_once = Some(outs as u32)),
    }),
];

const TALKS: &[(&str, Talk)] = &[
    ("http", Talk::Http),
    ("keepalive", Talk::Keepalive),
    ("websocket", Talk::Websocket),
    ("request", Talk::Http),
    ("stream", Talk::Websocket),
];

const HOMES: &[(&str, Home)] = &[
    ("memory", Home::Memory),
    ("disk", Home::Disk),
    ("replicated", Home::Replicated),
    ("cache", Home::Cache),
    ("store", Home::Store),
    ("token", Home::Token),
    ("none", Home::None),
    ("client", Home::Token),
];

fn number(text: &str, range: std::ops::RangeInclusive<u64>) -> Result<u64, String> {
    let plain = text.replace(['_', ','], "");
    plain
        .parse()
        .ok()
        .filter(|number| range.contains(number))
        .ok_or_else(|| format!("`{text}` is not a whole number from {} to {}", range.start(), range.end()))
}

fn time(text: &str) -> Result<Duration, String> {
    let time: Duration = text.parse()?;
    let day = Duration::from_secs(86_400);
    match time {
        none if none.is_zero() => Err(format!("`{text}` is no time at all: write more")),
        long if long > day => Err(format!("`{text}` is more than a day: write less")),
        time => Ok(time),
    }
}

fn word<T: Copy>(text: &str, known: &[(&'static str, T)]) -> Result<T, String> {
    let found = known.iter().find(|(name, _)| *name == text).map(|&(_, value)| value);
    found.ok_or_else(|| unknown(text, known.iter().map(|(name, _)| (*name).to_owned()).collect()))
}

fn preset(text: &str, all: &'static [Preset]) -> Result<Option<&'static Preset>, String> {
    if text == "none" {
        return Ok(None);
    }
    let found = all.iter().find(|preset| preset.name == text).map(Some);
    found.ok_or_else(|| {
        unknown(text, all.iter().map(|preset| preset.name.to_owned()).chain(["none".to_owned()]).collect())
    })
}

fn unknown(text: &str, known: Vec<String>) -> String {
    let near = nearest(text, &known).map_or(String::new(), |near| format!("did you mean `{near}`? "));
    format!("there is no `{text}`: {near}there are {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_an_answer_that_changes_nothing() {
        let mut draft = Draft::default();
        for question in QUESTIONS {
            (question.set)(&mut draft, question.default).unwrap();
            assert_eq!(format!("{draft:?}"), format!("{:?}", Draft::default()), "{}", question.flag);
        }
    }

    #[test]
    fn a_wrong_answer_says_what_would_be_right() {
        let set = |flag: &str, text: &str| {
            let question = QUESTIONS.iter().find(|question| question.flag == flag).unwrap();
            (question.set)(&mut Draft::default(), text).unwrap_err()
        };
        assert!(set("users", "0").contains("from 1 to"));
        assert!(set("session", "20").contains("needs a unit"));
        assert!(set("think", "0s").contains("no time"));
        assert!(set("protocol", "websockt").contains("did you mean `websocket`?"));
        assert!(set("balancer", "haprox").contains("did you mean `haproxy`?"));
        assert!(set("nodes", "1").contains("from 2 to"));
    }
}
