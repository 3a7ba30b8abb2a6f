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

impl<'a> Section<'a, '_> {
    /// The path of a key below the section.
    fn below<'k>(&self, key: &[&'k str]) -> Vec<&'k str>
    where
        'a: 'k,
    {
        self.path.iter().chain(key).copied().collect()
    }
}

impl Ground for Section<'_, '_> {
    fn law(&mut self, law: &Law<Duration>, key: &[&str]) -> Option<Sampler> {
        let path = self.below(key);
        self.reading.law(law, &path)
    }

    fn rebuild(&mut self, rebuild: &Rebuild) -> Option<(Sampler, Option<usize>)> {
        let path = self.below(&["rebuild"]);
        self.reading.rebuild(rebuild, &path, self.services)
    }

    fn store(&mut self, store: Service) -> usize {
        self.services.ready.push(store);
        self.services.ready.len() - 1
    }

    fn store_named(&mut self, name: &str, key: &[&str]) -> Option<usize> {
        let path = self.below(key);
        self.reading.store_named(name, &path, self.services)
    }

    fn wrong(&mut self, key: &[&str], message: String, mend: &str) {
        let path = self.below(key);
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
