//! How does a scenario file become a typed scenario?
//!
//! Text → spanned table → merged layers → typed sections, with every [`Problem`] gathered on the
//! way. Whatever the bytes, reading ends in a value or in problems: it never panics.

pub mod address;
mod arrivals;
mod balancer;
pub mod budget;
pub mod compile;
mod cost;
pub mod defaults;
mod depth;
pub mod draft;
mod events;
pub mod file;
pub mod find;
mod goals;
mod idle;
pub mod json;
pub mod layers;
pub mod load;
pub mod nodes;
pub mod path;
mod people;
mod places;
pub mod plain;
pub mod presets;
pub mod problem;
pub mod read;
mod rebuilders;
mod reloads;
pub mod slo;
pub mod source;
mod stores;
pub mod sweep;
mod versions;
mod view;
mod warmup;
mod whens;
mod without;
mod words;

#[cfg(test)]
mod tests;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use budget::Budget;
pub use find::Find;
pub use layers::{
    Choices, key_span, lookup_span, lookup_span_of, merge, parse_patch, parse_set, parse_value, set_path,
};
pub use load::{Cell, Loaded, Overrides, flatten, load, load_layer, load_patched};
pub use path::parse_path;
pub use plain::plain;
pub use problem::{Problem, Problems, Severity};
pub use read::{read_each, read_node, read_table};
pub use source::{LayerId, Sources};
pub use sweep::Sweeps;
pub use without::is_written;

/// A byte range in the common span space of [`Sources`].
pub type Span = std::ops::Range<usize>;
/// A table whose keys and values know their spans.
pub type Table = DeTable<'static>;
/// A value of a table, with its span.
pub type Node = Spanned<DeValue<'static>>;

/// Moves every span of `table` by `offset`, from its own text into the common span space.
fn shift_table(table: Table, offset: usize) -> Table {
    table
        .into_iter()
        .map(|(key, value)| {
            let span = shifted(key.span(), offset);
            (Spanned::new(span, key.into_inner()), shift(value, offset))
        })
        .collect()
}

/// Moves every span of `node` by `offset`.
fn shift(node: Node, offset: usize) -> Node {
    let span = shifted(node.span(), offset);
    let value = match node.into_inner() {
        DeValue::Table(table) => DeValue::Table(shift_table(table, offset)),
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| shift(item, offset)).collect()),
        scalar => scalar,
    };
    Spanned::new(span, value)
}

fn shifted(span: Span, offset: usize) -> Span {
    span.start + offset..span.end + offset
}
