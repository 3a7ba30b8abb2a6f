//! What does `arrivals` mean? Open processes, closed populations and sessions at the start, checked.

use super::compile::Reading;
use super::file::{Clients, Initial};
use crate::base::dist::read_lines;
use crate::base::time::Duration;
use crate::cluster::client::Length;
use crate::cluster::client::arrivals::{Arrivals, Corner, Curve, Diurnal, Flash, Open, Trace};
use crate::cluster::client::closed::Closed;
use crate::engine::Event;

impl Reading<'_> {
    /// Sessions that come of their own accord.
    pub(super) fn open(&mut self, name: &str, open: Option<&Open>) -> Option<Arrivals> {
        let Some(open) = open else { return Some(Arrivals::Never) };
        let path = |key: &'static str| ["clients", name, "arrivals", "open", key];
        let curve = match (&open.rate, &open.profile, &open.diurnal, &open.trace) {
            (Some(rate), None, None, None) => Curve::constant(rate.per_second()),
            (None, Some(corners), None, None) => {
                self.check_profile(&path("profile"), corners)?;
                Curve::profile(corners)
            }
            (None, None, Some(law), None) => {
                self.check_diurnal(&path("diurnal"), law)?;
                Curve::diurnal(law)
            }
            (None, None, None, Some(trace)) => {
                if open.flash.is_some() {
                    let message = format!("clients.{name}: a flash crowd cannot be laid over a trace");
                    self.wrong(&path("flash"), message, "add its sessions to the file");
                }
                return self.trace(&path("trace"), trace);
            }
            _ => {
                let message =
                    format!("clients.{name}.arrivals.open takes exactly one of rate, profile, diurnal and trace");
                self.wrong(
                    &path("rate")[..4],
                    message,
                    "write open = { rate = \"10/s\" }, and a crowd beside it as `flash`",
                );
                return None;
            }
        };
        match &open.flash {
            None => Some(Arrivals::Poisson(curve)),
            Some(flash) => {
                self.check_flash(&path("flash"), flash)?;
                Some(Arrivals::Poisson(curve.with_flash(flash)))
            }
        }
    }

    fn check_profile(&mut self, path: &[&str], corners: &[Corner]) -> Option<()> {
        if corners.is_empty() {
            self.wrong(path, "a profile without corners", "write [{ at = \"0s\", rate = \"1/s\" }, …]");
            return None;
        }
        if let Some(place) = corners.windows(2).position(|two| two[1].at < two[0].at) {
            let message =
                format!("the profile goes back in time, from {} to {}", corners[place].at, corners[place + 1].at);
            self.wrong(path, message, "write its corners in order; two at one time make a jump");
            return None;
        }
        Some(())
    }

    fn check_diurnal(&mut self, path: &[&str], law: &Diurnal) -> Option<()> {
        // A piece of the curve must last.
        if law.period < Duration::from_nanos(1_000_000) {
            let message = format!("diurnal.period is {}, but must be 1ms or more", law.period);
            self.wrong(path, message, "write the time from peak to peak, such as \"24h\"");
            return None;
        }
        Some(())
    }

    fn check_flash(&mut self, path: &[&str], flash: &Flash) -> Option<()> {
        if flash.factor.is_some() == flash.rate.is_some() {
            let message = "a flash crowd takes exactly one of factor and rate";
            self.wrong(path, message, "write factor = 8, or how many more come: rate = \"40/s\"");
            return None;
        }
        if flash.ramp.is_zero() && flash.lasts.is_zero() {
            self.wrong(path, "the flash crowd takes no time at all", "write how long it lasts, such as lasts = \"2m\"");
            return None;
        }
        Some(())
    }

    fn trace(&mut self, path: &[&str], trace: &Trace) -> Option<Arrivals> {
        let file = self.base_dir.join(&trace.file);
        let hint = "one duration since the start of the run per line, such as 12.5s, in order";
        let lines = match read_lines::<Duration>(&file) {
            Ok(lines) => lines,
            Err(faults) => {
                faults.into_iter().for_each(|fault| self.wrong(path, fault, hint));
                return None;
            }
        };
        if let Some(two) = lines.windows(2).find(|two| two[1].1 < two[0].1) {
            let message = format!("{}:{}: {} comes after {}", file.display(), two[1].0, two[1].1, two[0].1);
            self.wrong(path, message, "sort the file");
            return None;
        }
        if lines.is_empty() {
            self.wrong(path, format!("{} holds no starts", file.display()), hint);
            return None;
        }
        Some(Arrivals::Trace(lines.iter().map(|(_, at)| at.as_nanos()).collect()))
    }

    /// Clients that come again and again; `Some(None)` when there are none.
    pub(super) fn closed(&mut self, name: &str, clients: &Clients) -> Option<Option<Closed>> {
        let Some(written) = &clients.arrivals.closed else { return Some(None) };
        let path = |key: &'static str| ["clients", name, "arrivals", "closed", key];
        if !(1..=Event::INDEX_MAX).contains(&written.clients) {
            let message = format!("closed.clients must be from 1 to {}, but is {}", Event::INDEX_MAX, written.clients);
            self.wrong(&path("clients"), message, "write how many there are, or leave `closed` out");
            return None;
        }
        let gap = self.law(&written.gap, &path("gap"))?;
        if gap.mean() == 0.0 {
            let hint = "a client whose visit fails at once would begin again at the same instant: write a time";
            self.wrong(&path("gap"), "closed.gap is zero", hint);
            return None;
        }
        Some(Some(Closed { clients: written.clients, gap }))
    }

    /// Sessions present at the start; `rate` is that of open arrivals then, `cycle` the mean time of a request and
    /// the gap after it (ns).
    pub(super) fn initial(&mut self, name: &str, clients: &Clients, rate: f64, length: &Length, cycle: f64) -> u64 {
        let path = ["clients", name, "arrivals"];
        let count = match (clients.arrivals.initial, length) {
            (Some(Initial::Count(count)), _) => count,
            (None, _) if rate == 0.0 => 0,
            (Some(Initial::Steady) | None, Length::Forever) => {
                if rate > 0.0 {
                    let message =
                        format!("clients.{name}: sessions that stay for ever and keep arriving are never steady");
                    self.wrong(&path, message, "give `initial` as a number, or let visits end");
                }
                0
            }
            (_, Length::Time(law)) => (rate * law.mean() / 1e9 + 0.5) as u64,
            (_, Length::Requests(law)) => {
                let message = format!("clients.{name}: the steady number of sessions is approximate");
                let hint = "with a length in requests it is rate × requests × (think + service), without waiting";
                self.warning(&path, message, hint);
                (rate * law.mean() * cycle / 1e9 + 0.5) as u64
            }
        };
        let never = clients.arrivals.open.is_none() && clients.arrivals.closed.is_none() && count == 0;
        let rate_is_zero =
            clients.arrivals.open.as_ref().and_then(|open| open.rate).is_some_and(|r| r.per_second() == 0.0);
        if never || rate_is_zero && clients.arrivals.closed.is_none() && count == 0 {
            let message = format!("clients.{name} never come");
            self.wrong(&path, message, "write open = { rate = \"10/s\" } or initial = 1000");
        }
        if count > u64::from(Event::INDEX_MAX) {
            let message =
                format!("clients.{name}: {count} sessions at the start are more than {} fit", Event::INDEX_MAX);
            self.wrong(&path, message, "lower the rate, shorten the visits or give `initial` as a number");
            return 0;
        }
        count
    }
}
