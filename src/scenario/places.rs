//! What does `[state]` mean? From a section to a place that can run.

use super::compile::Reading;
use super::rebuilders::Services;
use crate::base::dist::{Law, Sampler};
use crate::base::time::Duration;
use crate::cluster::state::{Ground, Location, Place, Rebuild, Service};

/// A place's own section in a scenario.
struct Section<'a, 'b> {
    reading: &'a mut Reading<'b>,
    services: &'a mut Services,
    path: Vec<&'a str>,
}

impl Section<'_, '_> {
    fn below<'k>(&'k self, key: &[&'k str]) -> Vec<&'k str> {
        self.path.iter().chain(key).copied().collect()
    }
}

impl Ground for Section<'_, '_> {
    fn law(&mut self, law: &Law<Duration>, key: &[&str]) -> Option<Sampler> {
        let path: Vec<String> = self.below(key).into_iter().map(str::to_owned).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.reading.law(law, &path)
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Option<(Sampler, Option<usize>)> {
        let path: Vec<&str> = self.path.iter().copied().chain(["rebuild"]).collect();
        self.reading.rebuild(rebuild, &path, self.services)
    }

    fn store(&mut self, store: Service) -> usize {
        self.services.ready.push(store);
        self.services.ready.len() - 1
    }

    fn store_named(&mut self, name: &str, key: &[&str]) -> Option<usize> {
        let path: Vec<String> = self.below(key).into_iter().map(str::to_owned).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.reading.store_named(name, &path, self.services)
    }

    fn wrong(&mut self, key: &[&str], message: String, mend: &str) {
        let path: Vec<String> = self.below(key).into_iter().map(str::to_owned).collect();
        let path: Vec<&str> = path.iter().map(String::as_str).collect();
        self.reading.wrong(&path, message, mend);
    }
}

impl Reading<'_> {
    /// A place for session state; `None` when something is wrong with it.
    pub(super) fn place(&mut self, location: Location, path: &[&str], services: &mut Services) -> Option<Place> {
        let path = path.iter().copied().chain([location.name()]).collect();
        location.place(&mut Section { reading: self, services, path })
    }
}
