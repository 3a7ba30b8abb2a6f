//! May a client try a failed request again? What keeps retries from adding to an overload that they come from.
//!
//! `budget`: in any `window`, at most `ratio` retries for each request, and `min` a second besides. This is Finagle's
//! `RetryBudget` (20 %, 10/s, 10 s), which linkerd and tower have too; like theirs, the window moves in tenths of it.
//! `tokens`: a purse of `max`, out of which each retry is paid, one after a timeout more dearly; a success without
//! retries puts `refund` back, one with retries what the last of them cost. This is the standard mode of the AWS SDKs
//! (500, 5, 10, 1; botocore `retries/standard.py`, `quota.py`).
//!
//! Each client (a session) has its own, or a population has one: `per`. A side table, which stays empty where nothing
//! limits retries.

use super::NoParams;
use crate::base::choice::Alternatives;
use crate::base::id::{AttemptId, SessionId};
use crate::base::time::{Duration, Instant};
use crate::base::units::{Rate, Share};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What limits retries besides their number.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "RetryLimit")]
pub enum Limit {
    /// Nothing.
    None(NoParams),
    /// A share of requests.
    Budget(Budget),
    /// Tokens, which successes bring back.
    Tokens(Tokens),
}

/// Who shares it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// Nobody: each client, which is each session, has its own.
    Client,
    /// All clients of the population, as the threads of one process do.
    Population,
}

/// Parameters of `budget`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Retries for each request; default 20%.
    pub ratio: Share,
    /// Retries besides, for those who ask seldom; default 10/s.
    pub min: Rate,
    /// How long a request counts; > 0, default 10 s.
    pub window: Duration,
    /// Whose it is; default `population`.
    pub per: Per,
}

/// Parameters of `tokens`.
#[derive(Clone, Copy, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// Tokens at first, and at most; default 500.
    pub max: u32,
    /// What a retry costs; default 5.
    pub cost: u32,
    /// What a retry after a timeout costs; default 10.
    pub timeout_cost: u32,
    /// What a success without retries brings; default 1.
    pub refund: u32,
    /// Whose they are; default `client`.
    pub per: Per,
}

impl Default for Limit {
    fn default() -> Limit {
        Limit::None(NoParams {})
    }
}

impl Default for Budget {
    fn default() -> Budget {
        let (ratio, min, window) = (Share::new(0.2), Rate::new(10.0), Duration::from_secs(10));
        Budget { ratio, min, window, per: Per::Population }
    }
}

impl Default for Tokens {
    fn default() -> Tokens {
        Tokens { max: 500, cost: 5, timeout_cost: 10, refund: 1, per: Per::Client }
    }
}

impl Alternatives for Limit {
    const NAMES: &'static [(&'static str, &'static str)] = &[
        ("none", "nothing but their number"),
        ("budget", "a share of requests, and so many a second besides (Finagle, linkerd)"),
        ("tokens", "tokens, which retries cost and successes bring back (AWS SDKs)"),
    ];
}

/// A retry, in units in which a request may bring a millionth of one.
const RETRY: i64 = 1_000_000;

/// Parts of a window.
const PARTS: usize = 10;

/// What has come in and gone out in each part of the window, as far as it is not too long ago.
#[derive(Clone, Copy, Debug, Default)]
struct Account {
    parts: [i64; PARTS],
    // The latest part that has been written to, counted from the start of the run.
    latest: u64,
}

impl Account {
    /// The part that `now` lies in, with all that are too old made empty.
    fn at(&mut self, now: Instant, window: Duration) -> &mut i64 {
        let part = now.as_nanos() / (window.as_nanos() / PARTS as u64).max(1);
        for gone in (self.latest + 1..=part).take(PARTS) {
            self.parts[gone as usize % PARTS] = 0;
        }
        self.latest = part;
        &mut self.parts[part as usize % PARTS]
    }
}

/// What the clients of one population have left.
#[derive(Debug, Default)]
pub struct Allowance {
    accounts: Vec<Account>,
    purses: Vec<u32>,
    // By attempt: what its latest retry cost.
    paid: BTreeMap<AttemptId, u32>,
}

impl Limit {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Limit::None(_) => "none",
            Limit::Budget(_) => "budget",
            Limit::Tokens(_) => "tokens",
        }
    }

    /// What is impossible: the key, what is wrong, and how to mend it.
    pub fn fault(&self) -> Option<(&'static str, String, &'static str)> {
        match self {
            Limit::Budget(budget) if budget.window < Duration::from_millis(1) => {
                Some(("window", format!("the window ({}) is below 1ms", budget.window), "write a time such as \"10s\""))
            }
            Limit::Tokens(tokens) if tokens.cost.min(tokens.timeout_cost) > tokens.max => {
                let message = format!("a retry costs more tokens ({}) than there are ({})", tokens.cost, tokens.max);
                Some(("max", message, "raise max, or leave `retry` out for no further attempts"))
            }
            _ => None,
        }
    }
}

fn owner(per: Per, session: SessionId) -> usize {
    match per {
        Per::Client => session.index(),
        Per::Population => 0,
    }
}

impl Allowance {
    /// A session begins.
    pub fn begin(&mut self, limit: &Limit, session: SessionId) {
        match limit {
            Limit::Budget(Budget { per: Per::Client, .. }) => *self.account(session.index()) = Account::default(),
            Limit::Tokens(Tokens { per: Per::Client, max, .. }) => *self.purse(session.index(), *max) = *max,
            _ => {}
        }
    }

    /// A request goes out for the first time.
    pub fn asked(&mut self, now: Instant, limit: &Limit, session: SessionId, attempt: AttemptId) {
        self.paid.remove(&attempt);
        if let Limit::Budget(budget) = limit {
            let account = self.account(owner(budget.per, session));
            *account.at(now, budget.window) += (budget.ratio.ratio() * RETRY as f64).round() as i64;
        }
    }

    /// Whether a client may try again; if so, it pays for it.
    pub fn allows(
        &mut self,
        now: Instant,
        limit: &Limit,
        session: SessionId,
        attempt: AttemptId,
        is_timeout: bool,
    ) -> bool {
        match limit {
            Limit::None(_) => true,
            Limit::Budget(budget) => {
                let reserve = budget.min.per_second() * budget.window.as_secs_f64() * RETRY as f64;
                let account = self.account(owner(budget.per, session));
                account.at(now, budget.window);
                if account.parts.iter().sum::<i64>().saturating_add(reserve.round() as i64) < RETRY {
                    return false;
                }
                *account.at(now, budget.window) -= RETRY;
                true
            }
            Limit::Tokens(tokens) => {
                let cost = if is_timeout { tokens.timeout_cost } else { tokens.cost };
                let purse = self.purse(owner(tokens.per, session), tokens.max);
                let Some(left) = purse.checked_sub(cost) else { return false };
                *purse = left;
                self.paid.insert(attempt, cost);
                true
            }
        }
    }

    /// A request that stands as `from` in the books stands as `to` from now on.
    pub fn succeed(&mut self, from: AttemptId, to: AttemptId) {
        match self.paid.remove(&from) {
            Some(cost) => _ = self.paid.insert(to, cost),
            None => _ = self.paid.remove(&to),
        }
    }

    /// A request has been answered.
    pub fn answered(&mut self, limit: &Limit, session: SessionId, attempt: AttemptId) {
        if let Limit::Tokens(tokens) = limit {
            let back = self.paid.remove(&attempt).unwrap_or(tokens.refund);
            let purse = self.purse(owner(tokens.per, session), tokens.max);
            *purse = (*purse).saturating_add(back).min(tokens.max);
        }
    }

    fn account(&mut self, owner: usize) -> &mut Account {
        if owner >= self.accounts.len() {
            self.accounts.resize(owner + 1, Account::default());
        }
        &mut self.accounts[owner]
    }

    fn purse(&mut self, owner: usize, full: u32) -> &mut u32 {
        if owner >= self.purses.len() {
            self.purses.resize(owner + 1, full);
        }
        &mut self.purses[owner]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ME: SessionId = SessionId(2);
    const OTHER: SessionId = SessionId(0);

    fn at(millis: u64) -> Instant {
        Instant::START + Duration::from_millis(millis)
    }

    /// How many of `tries` retries at this instant are allowed.
    fn allowed(allowance: &mut Allowance, now: Instant, limit: &Limit, who: SessionId, tries: u32) -> u32 {
        (0..tries).map(|i| u32::from(allowance.allows(now, limit, who, AttemptId(i), false))).sum()
    }

    #[test]
    fn a_budget_is_a_share_of_requests_and_a_reserve() {
        let limit = Limit::Budget(Budget { min: Rate::new(1.0), ..Budget::default() });
        let mut allowance = Allowance::default();
        assert_eq!(allowed(&mut allowance, at(0), &limit, ME, 100), 10, "1/s for 10 s");
        (0..100).for_each(|i| allowance.asked(at(500), &limit, OTHER, AttemptId(i)));
        assert_eq!(allowed(&mut allowance, at(500), &limit, ME, 100), 20, "a fifth of 100, whoever asked");
        assert_eq!(allowed(&mut allowance, at(9_999), &limit, ME, 100), 0, "all of that is less than 10 s ago");
        assert_eq!(allowed(&mut allowance, at(10_000), &limit, ME, 100), 10, "what was spent is forgotten too");
        assert_eq!(allowed(&mut allowance, at(1_000_000), &limit, ME, 100), 10);
    }

    #[test]
    fn a_client_of_its_own_spends_nobody_elses() {
        let limit = Limit::Budget(Budget { min: Rate::new(0.1), per: Per::Client, ..Budget::default() });
        let mut allowance = Allowance::default();
        assert_eq!(allowed(&mut allowance, at(0), &limit, ME, 9), 1);
        assert_eq!(allowed(&mut allowance, at(0), &limit, OTHER, 9), 1);
        allowance.begin(&limit, ME);
        assert_eq!(allowed(&mut allowance, at(0), &limit, ME, 9), 1, "another client in the same slot");
    }

    #[test]
    fn tokens_are_paid_and_come_back() {
        let (limit, mut allowance) = (Limit::Tokens(Tokens::default()), Allowance::default());
        let purse = |allowance: &mut Allowance| *allowance.purse(ME.index(), 500);
        allowance.begin(&limit, ME);
        // A timeout, then an error, then an answer: the last retry comes back, the first does not.
        assert!(allowance.allows(at(0), &limit, ME, AttemptId(7), true));
        assert!(allowance.allows(at(0), &limit, ME, AttemptId(7), false));
        assert_eq!(purse(&mut allowance), 485);
        allowance.succeed(AttemptId(7), AttemptId(8));
        allowance.answered(&limit, ME, AttemptId(8));
        assert_eq!(purse(&mut allowance), 490);
        // One that needed no retry brings one.
        allowance.asked(at(1), &limit, ME, AttemptId(8));
        allowance.answered(&limit, ME, AttemptId(8));
        assert_eq!(purse(&mut allowance), 491);
        (0..20).for_each(|i| allowance.answered(&limit, ME, AttemptId(i)));
        assert_eq!(purse(&mut allowance), 500, "and never more than at first");
        assert_eq!(allowed(&mut allowance, at(2), &limit, ME, 200), 100);
        assert_eq!(allowed(&mut allowance, at(2), &limit, OTHER, 1), 1, "others have their own");
    }
}
