//! What do health checks prove? A count of verdicts in a row, with HAProxy's memory.
//!
//! A node's level runs from 0 to `rise` + `fall` − 1, and it is up from `rise` on. A good check lifts it by
//! one, and to the top as soon as it is up; a failed check lowers it by one, and to the bottom as soon as it
//! is down. So `fall` failures in a row take out a node that was checked well since it came up, while one is
//! enough for a node that has not been checked yet (`start = "up"`). Source: haproxy `src/check.c`, 2.6,
//! `set_server_check_status`; `doc/configuration.txt`, `init-state` (3.1).

use super::Change;
use crate::base::dist::Law;
use crate::base::time::Duration;
use crate::base::units::Share;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Active health checks.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Time between two checks of a node; default 2 s (HAProxy `inter`).
    pub interval: Duration,
    /// What `interval` counts from; default `end` (HAProxy, Envoy).
    pub from: From,
    /// What is checked; default `tcp`, as HAProxy's plain `check`.
    pub check: Check,
    /// Work that an `http` check costs at its node, where it waits in line for a slot as a request does; unless given,
    /// it is answered at once, whatever the node is busy with.
    pub service: Option<Law<Duration>>,
    /// Whether a node stops working for a check that has been given up; default no.
    pub cancels: bool,
    /// Who checks; default `balancer`.
    pub by: By,
    /// How long an answer may take; default `interval` (HAProxy).
    pub timeout: Option<Duration>,
    /// Time between two checks while the verdict is changing; default `interval` (HAProxy `fastinter`).
    pub fast_interval: Option<Duration>,
    /// Time between two checks of a node that is down; default `interval` (HAProxy `downinter`).
    pub down_interval: Option<Duration>,
    /// How much longer or shorter each interval may be, drawn anew; from 0% to 50%, default 0% (HAProxy `spread-checks`).
    pub spread: Share,
    /// Good checks in a row that bring a node back; ≥ 1, default 2 (HAProxy `rise`).
    pub rise: u32,
    /// Failed checks in a row that take a node out; ≥ 1, default 3 (HAProxy `fall`).
    pub fall: u32,
    /// What a node is before its first check, when it is new or leaves maintenance. Unless given, a new one is
    /// `fully_down` and one that leaves maintenance `up`.
    pub start: Option<Start>,
    /// Whether an error as the answer to an `http` check takes the node out at once, whatever `fall` (Envoy);
    /// default no.
    pub errors_at_once: bool,
    /// With `by = "host"`, how long a host is silent before its node is taken out; default 40 s (Kubernetes
    /// `node-monitor-grace-period`).
    pub host_grace: Duration,
}

impl Default for Health {
    fn default() -> Health {
        Health {
            interval: Duration::from_secs(2),
            from: From::End,
            check: Check::Tcp,
            service: None,
            cancels: false,
            by: By::Balancer,
            timeout: None,
            fast_interval: None,
            down_interval: None,
            spread: Share::new(0.0),
            rise: 2,
            fall: 3,
            start: None,
            errors_at_once: false,
            host_grace: Duration::from_secs(40),
        }
    }
}

/// What a health check looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Whether a connection is accepted.
    #[default]
    Tcp,
    /// Whether the application answers, and well.
    Http,
    /// Nothing: there are no checks, and every node of the cluster is taken to be up.
    None,
}

/// What the interval between two checks counts from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// The end of the last check, so that one that hangs puts off the next.
    #[default]
    End,
    /// The beginning of the last check (Kubernetes, ALB).
    Begin,
}

/// Who checks a node.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Every balancer for itself.
    #[default]
    Balancer,
    /// An agent on the node's own host, for all balancers (a readiness probe of Kubernetes).
    Host,
}

/// What a node is before it is checked: the four states of HAProxy's `init-state`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Start {
    /// Up; `fall` failures take it out.
    FullyUp,
    /// Up; the first check, if it fails, takes it out.
    Up,
    /// Down; the first check, if it is good, brings it in (Envoy, ALB).
    Down,
    /// Down; `rise` good checks bring it in.
    FullyDown,
}

/// How a check ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Well.
    Good,
    /// Not at all, or not in time.
    Failed,
    /// With an error from the application.
    Error,
}

impl Health {
    /// How long an answer may take.
    pub fn patience(&self) -> Duration {
        self.timeout.unwrap_or(self.interval)
    }

    /// What a node is that is new to the cluster. Where its host's agent checks it, it is down until that speaks.
    pub fn newcomer(&self) -> Start {
        match (self.check, self.by) {
            (Check::None, _) => Start::FullyUp,
            (_, By::Host) => Start::FullyDown,
            (_, By::Balancer) => self.start.unwrap_or(Start::FullyDown),
        }
    }

    /// What a node is that leaves maintenance.
    pub fn released(&self) -> Start {
        if self.check == Check::None { Start::FullyUp } else { self.start.unwrap_or(Start::Up) }
    }

    /// What the agent on a node's host takes a process to be that has just begun: not ready.
    pub fn begun(&self) -> Start {
        if self.start == Some(Start::Down) { Start::Down } else { Start::FullyDown }
    }

    /// The level of a node in this state.
    fn level(&self, start: Start) -> u32 {
        match start {
            Start::FullyUp => self.top(),
            Start::Up => self.rise,
            Start::Down => self.rise - 1,
            Start::FullyDown => 0,
        }
    }

    fn top(&self) -> u32 {
        self.rise.saturating_add(self.fall) - 1
    }
}

/// What the checks of one node have proved so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Verdict {
    level: u32,
    up: bool,
}

impl Verdict {
    /// The verdict on a node in this state.
    pub fn new(health: &Health, start: Start) -> Verdict {
        let level = health.level(start);
        Verdict { level, up: level >= health.rise }
    }

    /// Whether the node is taken to be alive.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.up
    }

    /// Takes in a check.
    pub fn checked(&mut self, health: &Health, outcome: Outcome) -> Change {
        match outcome {
            Outcome::Good => self.set_level(health, self.level.saturating_add(1)),
            Outcome::Error if health.errors_at_once => self.set_level(health, 0),
            Outcome::Failed | Outcome::Error => self.set_level(health, self.level.saturating_sub(1)),
        }
    }

    /// Something else than a check proves the node to be bad: it counts as a failed check, the last one needed
    /// if it is `fatal`, and otherwise not before the last but one if it is `grave`.
    pub fn struck(&mut self, health: &Health, blow: Blow) -> Change {
        let level = match blow {
            Blow::Failed => self.level,
            Blow::Grave => self.level.min(health.rise + 1),
            Blow::Fatal => self.level.min(health.rise),
        };
        self.set_level(health, level.saturating_sub(1))
    }

    /// What is known from elsewhere.
    pub fn set_up(&mut self, health: &Health, up: bool) -> Change {
        self.set_level(health, if up { health.top() } else { 0 })
    }

    fn set_level(&mut self, health: &Health, level: u32) -> Change {
        let lifted = level > self.level;
        let up = level >= health.rise;
        self.level = match up {
            true if lifted => health.top(),
            true => level,
            false if lifted => level,
            false => 0,
        };
        match (std::mem::replace(&mut self.up, up), up) {
            (false, true) => Change::Up,
            (true, false) => Change::Down,
            _ => Change::None,
        }
    }

    /// How long until the next check.
    pub fn interval(&self, health: &Health) -> Duration {
        let special = match self.level {
            level if level == health.top() => None,
            0 if !self.up => health.down_interval,
            _ => health.fast_interval,
        };
        special.unwrap_or(health.interval)
    }
}

/// How hard something else than a check strikes a node (HAProxy `on-error`).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Blow {
    /// As a failed check.
    Failed,
    /// The next failed check will take it out, if this does not.
    Grave,
    /// It is out.
    Fatal,
}

#[cfg(test)]
mod tests {
    use super::*;
    use Outcome::{Error, Failed, Good};

    const HEALTH: fn() -> Health = Health::default;

    fn changes(health: &Health, start: Start, outcomes: &[Outcome]) -> String {
        let mut verdict = Verdict::new(health, start);
        let sign = |change| match change {
            Change::None => '.',
            Change::Up => 'U',
            Change::Down => 'D',
        };
        outcomes.iter().map(|&outcome| sign(verdict.checked(health, outcome))).collect()
    }

    #[test]
    fn it_takes_fall_failures_in_a_row_and_rise_successes_in_a_row() {
        let outcomes = [Failed, Failed, Good, Failed, Failed, Failed, Good, Failed, Good, Good];
        assert_eq!(changes(&HEALTH(), Start::FullyUp, &outcomes), ".....D...U");
    }

    #[test]
    fn the_first_check_decides_in_the_two_states_in_the_middle() {
        let table: [(Start, &[Outcome], &str); 8] = [
            (Start::FullyUp, &[Failed, Failed, Failed], "..D"),
            (Start::Up, &[Failed], "D"),
            (Start::Up, &[Good, Failed, Failed, Failed], "...D"),
            (Start::Down, &[Good], "U"),
            (Start::Down, &[Good, Failed, Failed, Failed], "U..D"),
            // ALB: one pass at first, `rise` of them ever after.
            (Start::Down, &[Failed, Good, Good], "..U"),
            (Start::FullyDown, &[Good, Good], ".U"),
            (Start::FullyDown, &[Good, Failed, Good, Good], "...U"),
        ];
        for (start, outcomes, expected) in table {
            assert_eq!(changes(&HEALTH(), start, outcomes), expected, "{start:?} {outcomes:?}");
        }
    }

    #[test]
    fn an_error_may_take_a_node_out_at_once_and_silence_may_not() {
        let envoy = Health { errors_at_once: true, ..HEALTH() };
        assert_eq!(changes(&envoy, Start::FullyUp, &[Failed, Failed, Good, Error]), "...D");
        assert_eq!(changes(&HEALTH(), Start::FullyUp, &[Error, Error, Error]), "..D");
    }

    #[test]
    fn blows_come_on_top_of_checks() {
        let health = HEALTH();
        let mut verdict = Verdict::new(&health, Start::FullyUp);
        assert_eq!([(); 3].map(|()| verdict.struck(&health, Blow::Failed)), [Change::None, Change::None, Change::Down]);
        let mut verdict = Verdict::new(&health, Start::FullyUp);
        assert_eq!([(); 2].map(|()| verdict.struck(&health, Blow::Grave)), [Change::None, Change::Down]);
        let mut verdict = Verdict::new(&health, Start::FullyUp);
        assert_eq!([(); 2].map(|()| verdict.struck(&health, Blow::Fatal)), [Change::Down, Change::None]);
        assert_eq!(verdict, Verdict::new(&health, Start::FullyDown));
    }

    #[test]
    fn the_interval_is_fast_in_doubt_and_its_own_at_the_bottom() {
        let secs = Duration::from_secs;
        let health = Health { fast_interval: Some(secs(1)), down_interval: Some(secs(5)), ..HEALTH() };
        let mut verdict = Verdict::new(&health, Start::Up);
        let mut gaps = vec![verdict.interval(&health)];
        for outcome in [Good, Failed, Failed, Failed, Failed, Good, Good] {
            verdict.checked(&health, outcome);
            gaps.push(verdict.interval(&health));
        }
        assert_eq!(gaps, [1, 2, 1, 1, 5, 5, 1, 2].map(secs));
        assert_eq!(Verdict::new(&HEALTH(), Start::Up).interval(&HEALTH()), secs(2));
    }
}
