//! Columns about nodes and balancers, and about how a cluster comes through an incident.

use super::*;

pub(super) const ALL: &[Column] = &[
    plain("nodes_ready_mean", "", EVERYWHERE, "Nodes that are ready or warming, time average.", |w| {
        cluster(w, |c| Some(c.ready_mean))
    }),
    more("nodes_ready_min", "", EVERYWHERE, "The fewest such nodes at any instant.", |w| {
        cluster(w, |c| Some(c.ready_min))
    }),
    plain("nodes_wanted_mean", "", EVERYWHERE, "Nodes that the cluster should have, time average.", |w| {
        cluster(w, |c| Some(c.wanted_mean))
    }),
    plain("scale_outs_total", "", EVERYWHERE, "Decisions to have more nodes, however many.", |w| {
        cluster(w, |c| Some(c.scalings[0] as f64))
    }),
    plain("scale_ins_total", "", EVERYWHERE, "Decisions to have fewer nodes, however many.", |w| {
        cluster(w, |c| Some(c.scalings[1] as f64))
    }),
    less("node_failures_total", "", EVERYWHERE, "Times a fault struck a node, each node counted.", |w| {
        cluster(w, |c| Some(c.failures.nodes as f64))
    }),
    less("store_failures_total", "", EVERYWHERE, "Times a fault struck a store.", |w| {
        cluster(w, |c| c.failures.stores.map(|stores| stores as f64))
    }),
    less("node_restarts_total", "", EVERYWHERE, "Processes that were started again.", |w| {
        cluster(w, |c| Some(c.restarts as f64))
    }),
    less("node_oom_kills_total", "", EVERYWHERE, "Processes that were killed for their memory.", |w| {
        cluster(w, |c| c.oom_kills.map(|kills| kills as f64))
    }),
    less("balancer_queue_mean", "", EVERYWHERE, "Attempts in line at the balancers, time average.", |w| {
        cluster(w, |c| c.lines.map(|lines| lines.mean))
    }),
    less("balancer_queue_max", "", EVERYWHERE, "The most attempts in line at the balancers at any instant.", |w| {
        cluster(w, |c| c.lines.map(|lines| lines.max))
    }),
    plain("node_utilisation_ratio_mean", "", EVERYWHERE, "Busy share of slots, mean over ready nodes.", |w| {
        cluster(w, |c| c.utilisation_mean)
    }),
    less("node_utilisation_ratio_max", "", EVERYWHERE, "Busy share of slots of the busiest node in any tick.", |w| {
        cluster(w, |c| c.utilisation_max)
    }),
    less("node_memory_ratio_max", "", EVERYWHERE, "Memory ÷ limit of the node nearest to it in any tick.", |w| {
        cluster(w, |c| c.memory_ratio_max)
    }),
    less(
        "sessions_peak_to_mean",
        "",
        EVERYWHERE,
        "Bound sessions: fullest ready node ÷ mean.",
        uneven::<SESSIONS, PEAK_TO_MEAN>,
    ),
    less(
        "sessions_peak_to_fair",
        "",
        EVERYWHERE,
        "Bound sessions: fullest node × desired nodes ÷ all.",
        uneven::<SESSIONS, PEAK_TO_FAIR>,
    ),
    less(
        "sessions_peak_to_fair_max",
        "",
        LONG,
        "Bound sessions: the largest of any tick.",
        uneven::<SESSIONS, PEAK_TO_FAIR_MAX>,
    ),
    less("sessions_cv", "", EVERYWHERE, "Bound sessions: coefficient of variation.", uneven::<SESSIONS, CV>),
    more("sessions_jain", "", EVERYWHERE, "Bound sessions: Jain's fairness index.", uneven::<SESSIONS, JAIN>),
    less(
        "sessions_gini",
        "",
        LONG,
        "Bound sessions: Gini coefficient of the nodes' averages.",
        uneven::<SESSIONS, GINI>,
    ),
    less(
        "connections_peak_to_mean",
        "",
        EVERYWHERE,
        "Connections: fullest ready node ÷ mean.",
        uneven::<CONNECTIONS, PEAK_TO_MEAN>,
    ),
    less(
        "connections_peak_to_fair",
        "",
        EVERYWHERE,
        "Connections: fullest node × desired nodes ÷ all.",
        uneven::<CONNECTIONS, PEAK_TO_FAIR>,
    ),
    less(
        "connections_peak_to_fair_max",
        "",
        LONG,
        "Connections: the largest of any tick.",
        uneven::<CONNECTIONS, PEAK_TO_FAIR_MAX>,
    ),
    less("connections_cv", "", EVERYWHERE, "Connections: coefficient of variation.", uneven::<CONNECTIONS, CV>),
    more("connections_jain", "", EVERYWHERE, "Connections: Jain's fairness index.", uneven::<CONNECTIONS, JAIN>),
    less(
        "connections_gini",
        "",
        LONG,
        "Connections: Gini coefficient of the nodes' averages.",
        uneven::<CONNECTIONS, GINI>,
    ),
    less(
        "in_flight_peak_to_mean",
        "",
        EVERYWHERE,
        "Attempts at the nodes: fullest ÷ mean.",
        uneven::<IN_FLIGHT, PEAK_TO_MEAN>,
    ),
    less(
        "in_flight_peak_to_fair",
        "",
        EVERYWHERE,
        "Attempts at the nodes: fullest × desired nodes ÷ all.",
        uneven::<IN_FLIGHT, PEAK_TO_FAIR>,
    ),
    less(
        "in_flight_peak_to_fair_max",
        "",
        LONG,
        "Attempts at the nodes: the largest of any tick.",
        uneven::<IN_FLIGHT, PEAK_TO_FAIR_MAX>,
    ),
    less("in_flight_cv", "", EVERYWHERE, "Attempts at the nodes: coefficient of variation.", uneven::<IN_FLIGHT, CV>),
    more("in_flight_jain", "", EVERYWHERE, "Attempts at the nodes: Jain's fairness index.", uneven::<IN_FLIGHT, JAIN>),
    less(
        "in_flight_gini",
        "",
        LONG,
        "Attempts at the nodes: Gini coefficient of the nodes' averages.",
        uneven::<IN_FLIGHT, GINI>,
    ),
    less("busy_peak_to_mean", "", EVERYWHERE, "Busy time: busiest ready node ÷ mean.", uneven::<BUSY, PEAK_TO_MEAN>),
    less(
        "busy_peak_to_fair",
        "",
        EVERYWHERE,
        "Busy time: busiest node × desired nodes ÷ all.",
        uneven::<BUSY, PEAK_TO_FAIR>,
    ),
    less("busy_peak_to_fair_max", "", LONG, "Busy time: the largest of any tick.", uneven::<BUSY, PEAK_TO_FAIR_MAX>),
    less("busy_cv", "", EVERYWHERE, "Busy time: coefficient of variation.", uneven::<BUSY, CV>),
    more("busy_jain", "", EVERYWHERE, "Busy time: Jain's fairness index.", uneven::<BUSY, JAIN>),
    less("busy_gini", "", LONG, "Busy time: Gini coefficient of the nodes' averages.", uneven::<BUSY, GINI>),
    less("memory_peak_to_mean", "", EVERYWHERE, "Memory: fullest ready node ÷ mean.", uneven::<MEMORY, PEAK_TO_MEAN>),
    less(
        "memory_peak_to_fair",
        "",
        EVERYWHERE,
        "Memory: fullest node × desired nodes ÷ all.",
        uneven::<MEMORY, PEAK_TO_FAIR>,
    ),
    less("memory_peak_to_fair_max", "", LONG, "Memory: the largest of any tick.", uneven::<MEMORY, PEAK_TO_FAIR_MAX>),
    less("memory_cv", "", EVERYWHERE, "Memory: coefficient of variation.", uneven::<MEMORY, CV>),
    more("memory_jain", "", EVERYWHERE, "Memory: Jain's fairness index.", uneven::<MEMORY, JAIN>),
    less("memory_gini", "", LONG, "Memory: Gini coefficient of the nodes' averages.", uneven::<MEMORY, GINI>),
];
