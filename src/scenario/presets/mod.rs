//! What does a product do when nothing is configured? Its documented defaults, as a layer below the file.
//!
//! A preset is a text like a scenario, with a source beside every key. It is laid under everything that the file,
//! the variant, the sweep and `--set` say, so any key can be overridden. What a product's cookie, table or rule is
//! like once it is chosen stands in `chosen`. To add a preset: write its file here, then its line in [`ALL`].

use super::words::nearest;
use super::{Choices, LayerId, Problem, Problems, Sources, Table, lookup_span_of, merge};
use std::collections::BTreeMap;
use toml::Spanned;
use toml::de::{DeString, DeValue};

/// A product's documented defaults.
#[derive(Debug)]
pub struct Preset {
    /// As written in a scenario.
    pub name: &'static str,
    /// One line for `stickysim list preset`.
    pub meaning: &'static str,
    /// The layer, with its sources as comments.
    pub text: &'static str,
}

const fn preset(name: &'static str, meaning: &'static str, text: &'static str) -> Preset {
    Preset { name, meaning, text }
}

/// All presets of `balancer.preset`.
pub const ALL: &[Preset] = &[
    preset("haproxy", "HAProxy 2.6 in front of HTTP servers that are checked", include_str!("haproxy.toml")),
    preset("nginx", "NGINX open source: no checks, `max_fails`, the next server", include_str!("nginx.toml")),
    preset("envoy", "Envoy, with neither checks nor outlier detection nor retries", include_str!("envoy.toml")),
    preset("aws-alb", "AWS Application Load Balancer", include_str!("aws-alb.toml")),
    preset("aws-nlb", "AWS Network Load Balancer: connections, by hash", include_str!("aws-nlb.toml")),
    preset("k8s-service", "A Kubernetes Service: kube-proxy and readiness", include_str!("k8s-service.toml")),
    preset("ingress-nginx", "The Kubernetes ingress controller with NGINX and Lua", include_str!("ingress-nginx.toml")),
    preset("traefik", "Traefik: no checks, no retries", include_str!("traefik.toml")),
];

/// All presets of `store.<name>.preset`. Their keys are those of a store.
pub const STORES: &[Preset] = &[
    preset("redis-sentinel", "Redis with a replica and three Sentinels", include_str!("stores/redis-sentinel.toml")),
    preset("redis-cluster", "Redis Cluster with a replica for each primary", include_str!("stores/redis-cluster.toml")),
    preset("memcached", "one memcached server", include_str!("stores/memcached.toml")),
    preset("object-storage", "object storage such as S3", include_str!("stores/object-storage.toml")),
];

/// All presets of `clients.<name>.preset`. Their keys are those of a population.
pub const CLIENTS: &[Preset] = &[
    preset("socket.io", "socket.io-client", include_str!("clients/socket.io.toml")),
    preset("signalr", "SignalR with automatic reconnection", include_str!("clients/signalr.toml")),
    preset("phoenix", "phoenix.js, the socket of Phoenix", include_str!("clients/phoenix.toml")),
    preset("actioncable", "Action Cable of Rails", include_str!("clients/actioncable.toml")),
    preset("grpc", "a gRPC channel", include_str!("clients/grpc.toml")),
    preset("aws-sdk", "an AWS SDK in the standard retry mode", include_str!("clients/aws-sdk.toml")),
    preset("browser", "server-sent events in a browser", include_str!("clients/browser.toml")),
];

/// In a preset's text: defaults of what a scenario may choose, or add, but need not.
pub(super) const CHOSEN: &str = "chosen";

/// The presets that were used so far: each text is read once, however many cells there are.
#[derive(Default)]
pub(super) struct Shelf {
    balancers: BTreeMap<&'static str, LayerId>,
    // By where it stands, the preset, and the name of the store or of the clients.
    sections: BTreeMap<(&'static str, &'static str, String), LayerId>,
}

impl Shelf {
    /// Lays the presets that `table` names under it.
    pub fn lay_under(
        &mut self,
        table: Table,
        sources: &mut Sources,
        problems: &mut Problems,
        choices: &Choices,
    ) -> Table {
        let table = self.lay_under_each("store", STORES, table, (sources, problems, choices));
        let table = self.lay_under_each("clients", CLIENTS, table, (sources, problems, choices));
        let Some(name) = table.get("balancer").and_then(named) else { return table };
        let Some(preset) = found(ALL, &name, &table, &["balancer", "preset"], problems) else { return table };
        let layer =
            *self.balancers.entry(preset.name).or_insert_with(|| sources.add(format!("preset {name}"), preset.text));
        let Some(mut below) = sources.parse(layer, problems) else { return table };
        let chosen = below.remove(CHOSEN);
        merge(&mut below, table, choices);
        if let Some(DeValue::Table(chosen)) = chosen.map(Spanned::into_inner) {
            lay_under_people(&mut below, &chosen);
            lay_under_chosen(&mut below, &chosen);
        }
        below
    }

    /// Lays presets under those sections of `within` (the stores, the clients) that name one.
    fn lay_under_each(
        &mut self,
        within: &'static str,
        all: &'static [Preset],
        mut table: Table,
        (sources, problems, choices): (&mut Sources, &mut Problems, &Choices),
    ) -> Table {
        let sections = table.get(within).and_then(|node| node.get_ref().as_table());
        let wanted = sections.into_iter().flatten();
        let wanted: Vec<(String, String)> =
            wanted.filter_map(|(section, node)| Some((section.get_ref().to_string(), named(node)?))).collect();
        for (section, name) in wanted {
            let Some(preset) = found(all, &name, &table, &[within, &section, "preset"], problems) else { continue };
            let layer = *self.sections.entry((within, preset.name, section.clone())).or_insert_with(|| {
                let section = toml::Value::String(section.clone());
                sources.add(format!("preset {name}"), format!("[{within}.{section}]\n{}", preset.text))
            });
            let Some(mut below) = sources.parse(layer, problems) else { continue };
            if let (Some(own), Some(preset)) =
                (section_of(&mut table, within, &section), section_of(&mut below, within, &section))
            {
                spell_out_names(own, preset);
            }
            merge(&mut below, table, choices);
            table = below;
        }
        table
    }
}

/// The table `within.section` of a scenario.
fn section_of<'t>(table: &'t mut Table, within: &str, section: &str) -> Option<&'t mut Table> {
    let DeValue::Table(sections) = table.get_mut(within)?.get_mut() else { return None };
    match sections.get_mut(section)?.get_mut() {
        DeValue::Table(own) => Some(own),
        _ => None,
    }
}

/// The preset of this name, which stands at `path`.
fn found(
    all: &'static [Preset],
    name: &str,
    table: &Table,
    path: &[&str],
    problems: &mut Problems,
) -> Option<&'static Preset> {
    let preset = all.iter().find(|preset| preset.name == name);
    if preset.is_none() {
        let problem = unknown(all, name);
        problems.push(match lookup_span_of(table, path) {
            Some(span) => problem.at(span),
            None => problem,
        });
    }
    preset
}

fn unknown(all: &[Preset], name: &str) -> Problem {
    let names: Vec<String> = all.iter().map(|preset| preset.name.to_owned()).collect();
    let known = names.iter().map(|name| format!("`{name}`")).collect::<Vec<String>>().join(", ");
    Problem::error(format!("there is no preset `{name}`")).hint(match nearest(name, &names) {
        Some(near) => format!("did you mean `{near}`? There are {known}: see `stickysim list preset`"),
        None => format!("there are {known}: see `stickysim list preset`"),
    })
}

/// The preset that a section names.
fn named(section: &Spanned<DeValue>) -> Option<String> {
    match section.get_ref().as_table()?.get("preset")?.get_ref() {
        DeValue::String(name) => Some(name.to_string()),
        _ => None,
    }
}

/// Lays each value of `chosen` under `table` if the table that holds the value is there, be it as a bare name.
fn lay_under_chosen(table: &mut Table, chosen: &Table) {
    for (key, value) in chosen {
        let name = key.get_ref().as_ref();
        let DeValue::Table(inner) = value.get_ref() else {
            if !table.contains_key(name) {
                table.insert(key.clone(), value.clone());
            }
            continue;
        };
        let Some(node) = table.get_mut(name) else { continue };
        spell_out(node, inner);
        if let DeValue::Table(below) = node.get_mut() {
            lay_under_chosen(below, inner);
        }
    }
}

/// Makes tables of the bare names in `table` that `below` has defaults for, so that these outlive the merge.
fn spell_out_names(table: &mut Table, below: &Table) {
    for (key, value) in below {
        if let (DeValue::Table(inner), Some(node)) = (value.get_ref(), table.get_mut(key.get_ref().as_ref())) {
            spell_out(node, inner);
        }
    }
}

/// Makes a table of a bare name that `inner` has defaults for: `"cookie"` becomes `{ cookie = {} }`.
fn spell_out(node: &mut Spanned<DeValue<'static>>, inner: &Table) {
    let DeValue::String(word) = node.get_ref() else { return };
    if !inner.contains_key(word.as_ref()) {
        return;
    }
    let (span, word) = (node.span(), DeString::Owned(word.to_string()));
    let alternative = (Spanned::new(span.clone(), word), Spanned::new(span, DeValue::Table(Table::new())));
    *node.get_mut() = DeValue::Table([alternative].into_iter().collect());
}

/// A population's own affinity is one of the same product.
fn lay_under_people(table: &mut Table, chosen: &Table) {
    let affinity =
        chosen.get("balancer").and_then(|node| node.get_ref().as_table()).and_then(|t| t.get_key_value("affinity"));
    let Some((key, value)) = affinity else { return };
    let own: Table = [(key.clone(), value.clone())].into_iter().collect();
    let Some(DeValue::Table(clients)) = table.get_mut("clients").map(Spanned::get_mut) else { return };
    for name in clients.keys().map(|key| key.get_ref().to_string()).collect::<Vec<_>>() {
        if let Some(DeValue::Table(people)) = clients.get_mut(name.as_str()).map(Spanned::get_mut) {
            lay_under_chosen(people, &own);
        }
    }
}
