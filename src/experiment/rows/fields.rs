//! Which fields a row begins with, and what they mean.

use crate::observe::columns::Column;

/// The type of a column, as Frictionless table schemas have them; it decides how a cell is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A name.
    Text,
    /// A whole number.
    Integer,
    /// A number that need not be whole.
    Number,
}

impl Kind {
    /// Its name in such a schema.
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Text => "string",
            Kind::Integer => "integer",
            Kind::Number => "number",
        }
    }
}

/// What a field of a table holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its unit; empty for names, counts and ratios.
    pub unit: &'static str,
    /// One sentence.
    pub meaning: &'static str,
}

impl Field {
    /// A field that holds a name.
    pub const fn text(name: &'static str, meaning: &'static str) -> Field {
        Field { name, kind: Kind::Text, unit: "", meaning }
    }

    /// A field that holds a whole number.
    pub const fn integer(name: &'static str, meaning: &'static str) -> Field {
        Field { name, kind: Kind::Integer, unit: "", meaning }
    }

    /// A field that holds a number.
    pub const fn number(name: &'static str, unit: &'static str, meaning: &'static str) -> Field {
        Field { name, kind: Kind::Number, unit, meaning }
    }
}

impl From<&'static Column> for Field {
    fn from(column: &'static Column) -> Field {
        Field::number(column.name, column.unit, column.meaning)
    }
}

/// Key: the variant.
pub const VARIANT: Field = Field::text("variant", "Name of the variant.");
/// Key: the sweep point.
pub const POINT: Field = Field::text("point", "Point of the sweep; empty without a sweep.");
/// Key: the population.
pub const POPULATION: Field = Field::text("population", "Population of clients; `all` is the cluster.");
/// Key: the tick.
pub const TICK: Field = Field::number("tick_s", "s", "Beginning of the tick, from the start of the run.");
/// Key: the fault or change.
pub const INCIDENT: Field = Field::text("incident", "Name of the fault or change.");
/// Key: the signal.
pub const SIGNAL: Field = Field::text("signal", "Metric that a monitoring system would watch.");
/// Key: the seed.
pub const SEED: Field = Field::integer("seed", "Seed of the run.");

pub(super) const TICK_KEYS: &[Field] = &[VARIANT, POINT, SEED, TICK, POPULATION];
pub(super) const CAUSE_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    TICK,
    POPULATION,
    Field::text("harm", "What happened: failed (requests), dropped, moved, lost (sessions)."),
    Field::text("cause", "Why it happened."),
    Field::integer("count", "How often."),
];
pub(super) const INCIDENT_KEYS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    POPULATION,
    INCIDENT,
    Field::number("at_s", "s", "When it began, from the start of the run."),
    Field::number("ends_s", "s", "When the next one began, or the run ended."),
];
pub(super) const RUN_KEYS: &[Field] = &[VARIANT, POINT, SEED, POPULATION];
pub(super) const BATCH_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    Field::text("metric", "Name of the figure: a column of runs.csv, of population `all`."),
    Field::integer("batches", "Into how many stretches of equal length the run was cut after its warm-up."),
    Field::number("mean", "", "Mean over the batches, in the metric's unit."),
    Field::number("mean_low", "", "Lower end of its 95 % interval (Student, over batches)."),
    Field::number("mean_high", "", "Upper end of that interval."),
    Field::number(
        "correlation",
        "",
        "Of a batch with the next; where it is not near 0 the batches are too short to trust the interval.",
    ),
];
pub(super) const SIGNAL_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    INCIDENT,
    SIGNAL,
    Field::number("healthy_high", "", "Upper edge of its healthy band, in the unit of what it watches."),
    Field::integer("alarmed_ratio", "1 when it alarmed, 0 when not; empty when it was beyond its band already."),
    Field::number("alarm_s", "s", "From the incident to its alarm."),
    Field::integer("noticed_ratio", "1 when users noticed, 0 when they never did; empty where nobody can tell."),
    Field::number("noticed_s", "s", "From the incident until they noticed."),
    Field::number("lead_s", "s", "By how much the alarm came before that; negative when it came after."),
    Field::integer("false_alarms_total", "Alarms that began in the healthy time it was tested on."),
    Field::number("healthy_s", "s", "Length of that time."),
];
pub(super) const NODE_FIELDS: &[Field] = &[
    VARIANT,
    POINT,
    SEED,
    TICK,
    Field::text("node", "Name of the node."),
    Field::text("state", "What it was at the end of the tick: starting, warming, ready, draining or down."),
    Field::number("sessions_mean", "", "Sessions bound to it, time average; empty where nothing binds any."),
    Field::number("connections_mean", "", "Connections that hang on it, time average."),
    Field::number("in_flight_mean", "", "Attempts at it, time average."),
    Field::number("utilisation_ratio", "", "Share of its slots that were busy."),
    Field::number("memory_bytes_mean", "B", "Memory of its process, time average; empty where none is modelled."),
];
