//! `new`: the way to a first scenario. A few flags, or a few questions, and a text comes out that says what it means.

use super::{End, print, say};
use crate::output::sink;
use crate::scenario::draft::{self, Draft, QUESTIONS, Question};
use clap::Args;
use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

/// Write a commented scenario. Whatever is not given is asked for at a terminal, and assumed elsewhere.
#[derive(Args)]
pub struct New {
    #[command(flatten)]
    answers: Answers,
    /// The file to write. Default: stdout.
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace the file if there is one.
    #[arg(long, requires = "out")]
    force: bool,
    /// Ask for what is not given, though stdin is no terminal.
    #[arg(long, conflicts_with = "yes")]
    ask: bool,
    /// Ask nothing: assume what is not given.
    #[arg(short, long)]
    yes: bool,
}

/// What may be said of a service. Read as texts, so that everything that is wrong is told at once.
#[derive(Args)]
struct Answers {
    /// Users online at once; 2000.
    #[arg(long, value_name = "N")]
    users: Option<String>,
    /// How long a visit lasts on average; 20m.
    #[arg(long, value_name = "TIME")]
    session: Option<String>,
    /// From a reply to the same user's next request, on average; 10s.
    #[arg(long, value_name = "TIME")]
    think: Option<String>,
    /// Work of a request on a node, on average; 20ms.
    #[arg(long, value_name = "TIME")]
    service: Option<String>,
    /// Requests that a node works on at once; 8.
    #[arg(long, value_name = "N")]
    workers: Option<String>,
    /// Nodes; auto: as many as are 60 % busy, at least three.
    #[arg(long, value_name = "N")]
    nodes: Option<String>,
    /// How clients talk: http (the default), keepalive or websocket.
    #[arg(long, value_name = "HOW")]
    protocol: Option<String>,
    /// The client library, such as socket.io, whose reconnects are known; none. See `stickysim list preset`.
    #[arg(long, value_name = "PRESET")]
    client: Option<String>,
    /// The balancer, such as haproxy, whose defaults are known; none.
    #[arg(long, value_name = "PRESET")]
    balancer: Option<String>,
    /// Where session state lives: memory (the default), disk, replicated, cache, store, token or none.
    #[arg(long, value_name = "WHERE")]
    state: Option<String>,
    /// Work of making lost state anew, such as a login; 50ms.
    #[arg(long, value_name = "TIME")]
    rebuild: Option<String>,
    /// The store that there is, or would be, such as redis-sentinel; none: one that never fails.
    #[arg(long, value_name = "PRESET")]
    store: Option<String>,
    /// The 99th percentile of response time that was agreed on; 250ms.
    #[arg(long, value_name = "TIME")]
    limit: Option<String>,
    /// How long a node waits for its sessions before it is deployed; 30s.
    #[arg(long, value_name = "TIME")]
    drain: Option<String>,
    /// Nodes that a deploy takes away at once; auto: so many that it takes at most eight turns.
    #[arg(long, value_name = "N")]
    at_once: Option<String>,
}

impl Answers {
    fn of(&self, flag: &str) -> Option<&str> {
        let answer = match flag {
            "users" => &self.users,
            "session" => &self.session,
            "think" => &self.think,
            "service" => &self.service,
            "workers" => &self.workers,
            "nodes" => &self.nodes,
            "protocol" => &self.protocol,
            "client" => &self.client,
            "balancer" => &self.balancer,
            "state" => &self.state,
            "rebuild" => &self.rebuild,
            "store" => &self.store,
            "limit" => &self.limit,
            "drain" => &self.drain,
            "at-once" => &self.at_once,
            _ => &None,
        };
        answer.as_deref()
    }
}

impl New {
    /// Runs the verb.
    pub fn run(self) -> Result<(), End> {
        let mut draft = Draft::default();
        let mut said: Vec<(&str, String)> = Vec::new();
        let mut wrong = Vec::new();
        for question in QUESTIONS {
            let Some(text) = self.answers.of(question.flag) else { continue };
            match (question.set)(&mut draft, text) {
                Ok(()) => said.push((question.flag, text.to_owned())),
                Err(why) => wrong.push(format!("error: --{}: {why}", question.flag)),
            }
        }
        if self.is_taken() {
            let name = self.out.as_deref().unwrap_or(Path::new("")).display();
            wrong.push(format!(
                "error: --out: {name} is there already\nhint: give another name, or --force to replace it"
            ));
        }
        if !wrong.is_empty() {
            // What was given and is right may still not go together.
            return told(wrong.into_iter().chain(faults(&draft)));
        }
        let is_at_terminal = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let asks = self.ask || is_at_terminal && !self.yes;
        if asks {
            self.ask_for_the_rest(&mut draft, &mut said);
        }
        let wrong: Vec<String> = faults(&draft).collect();
        if asks {
            let flags: String = said.iter().map(|(flag, text)| format!(" --{flag} {text}")).collect();
            say(&format!("the same without questions:  stickysim new --yes{flags}"));
        }
        if !wrong.is_empty() {
            return told(wrong.into_iter());
        }
        self.write(&draft::text(&draft))
    }

    fn is_taken(&self) -> bool {
        self.out.as_ref().is_some_and(|out| !self.force && out.exists())
    }

    /// Asks at the terminal, until an answer is right or nobody answers any more.
    fn ask_for_the_rest(&self, draft: &mut Draft, said: &mut Vec<(&'static str, String)>) {
        say("Enter takes what stands in brackets.");
        let mut lines = std::io::stdin().lock().lines();
        for question in QUESTIONS.iter().filter(|question| self.answers.of(question.flag).is_none()) {
            if !(question.matters)(draft) {
                continue;
            }
            loop {
                ask(question);
                let Some(Ok(line)) = lines.next() else { return };
                let line = line.trim();
                if line.is_empty() {
                    break;
                }
                match (question.set)(draft, line) {
                    Ok(()) => {
                        said.push((question.flag, line.to_owned()));
                        break;
                    }
                    Err(why) => say(&format!("  {why}")),
                }
            }
        }
    }

    fn write(&self, text: &str) -> Result<(), End> {
        let Some(out) = &self.out else { return print(text) };
        let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = out.file_name().ok_or_else(|| End::Failed(format!("{} names no file", out.display())))?;
        sink::stage(folder, &name.to_string_lossy(), text)?.publish()?;
        let out = out.display();
        say(&format!("{out} is written; next:  stickysim run {out}\n        then:  stickysim checklist {out}"));
        Ok(())
    }
}

fn ask(question: &Question) {
    let mut stderr = std::io::stderr().lock();
    let _ = write!(stderr, "{} [{}] ", question.asks, question.default);
    let _ = stderr.flush();
}

fn faults(draft: &Draft) -> impl Iterator<Item = String> {
    draft.faults().into_iter().map(|(flag, why, mend)| format!("error: --{flag}: {why}\nhint: {mend}"))
}

fn told(wrong: impl Iterator<Item = String>) -> Result<(), End> {
    wrong.for_each(|message| say(&message));
    Err(End::BadInput)
}
