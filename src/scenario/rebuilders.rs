//! What do `[rebuild.<name>]` and `rebuild = { at = "<name>" }` mean? Services with a capacity of their own, and
//! who visits them.

use super::compile::Reading;
use super::read_each;
use super::words::{listed, nearest};
use crate::base::dist::Sampler;
use crate::cluster::state::{Rebuild, Rebuilder, Service};

/// The services of a plan as they come together: those that rebuild, then stores.
#[derive(Debug, Default)]
pub(super) struct Services {
    /// Ready to run, in the order of the plan.
    pub(super) ready: Vec<Service>,
    // The names of those that rebuild, also of those that are not ready because they are wrong.
    rebuilders: Vec<String>,
    /// The stores that have a name, and their places in the plan; `None` for those that are wrong.
    pub(super) stores: Vec<(String, Option<usize>)>,
}

impl Reading<'_> {
    /// The rebuild services, by name, so that the order of the text changes nothing.
    pub(super) fn rebuilders(&mut self) -> Services {
        let mut services = Services::default();
        let Some(node) = self.table.get("rebuild") else { return services };
        let mut written: Vec<(String, Rebuilder)> = read_each(node, self.problems, "rebuild");
        written.sort_by(|a, b| a.0.cmp(&b.0));
        for (name, rebuilder) in &written {
            let time = self.law(&rebuilder.service, &["rebuild", name, "service"]);
            services.ready.extend(time.map(|time| rebuilder.service(time)));
        }
        let named = node.get_ref().as_table().into_iter().flat_map(|table| table.keys());
        services.rebuilders = named.map(|key| key.get_ref().to_string()).collect();
        services
    }

    /// What a rebuild takes on the node, and the place in the plan of the service that is visited before.
    pub(super) fn rebuild(
        &mut self,
        rebuild: &Rebuild,
        path: &[&str],
        services: &Services,
    ) -> Option<(Sampler, Option<usize>)> {
        let below = |key: &'static str| -> Vec<&str> { path.iter().copied().chain([key]).collect() };
        let demand = self.law(&rebuild.service, &below("service"));
        let Some(wanted) = &rebuild.at else { return Some((demand?, None)) };
        let known = &services.rebuilders;
        if let Some(place) = known.iter().position(|name| name == wanted) {
            return Some((demand?, Some(place)));
        }
        let near = nearest(wanted, known).map(|near| format!("did you mean `{near}`? "));
        let hint = match known.len() {
            0 => format!("add [rebuild.{wanted}] with its concurrency and service"),
            _ => format!("{}the rebuild services are {}", near.unwrap_or_default(), listed(known, "and")),
        };
        self.wrong(&below("at"), format!("there is no rebuild service `{wanted}`"), hint);
        None
    }
}
