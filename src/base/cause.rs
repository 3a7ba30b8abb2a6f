//! Why did it happen? Every cause of a failure, a drop, a move or a loss, in one table.
//!
//! Each of those events has exactly one cause, so the causes of a kind add up to its total; a law test
//! holds them to it. The table in `docs/model.md` is made from [`Cause::ALL`].

use serde::{Deserialize, Serialize};

/// Why a request failed, a session was dropped, moved or lost.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum Cause {
    /// Nothing listened on the node: its process was down.
    Refused,
    /// The node's process died while it had the request in hand, or the connection was cut.
    Reset,
    /// The client waited `request_timeout` and left.
    Timeout,
    /// The node's request queue was full: 503 at once.
    QueueFull,
    /// The node's accept queue was full.
    AcceptFull,
    /// The balancer knew of no node to send it to.
    NoNode,
    /// The node that the session is bound to was not eligible and the balancer is `strict`.
    NodeDown,
    /// The node did not know the session (`on_missing = "error"`).
    SessionUnknown,
    /// The session store's queue was full.
    StoreFull,
    /// The process that held the only current copy of the state died.
    Crash,
    /// The request was served by a node without the state, which was then rebuilt.
    ServedElsewhere,
    /// The node it was bound to was not eligible in the balancer's view.
    Unavailable,
    /// The hash led elsewhere: the set of eligible nodes changed, or under a bound their loads.
    Membership,
    /// The host did not accept the connection within the balancer's `connect_timeout`.
    ConnectTimeout,
    /// The node had `connections_max` connections already.
    ConnectionLimit,
    /// The client had no connection to send the request on.
    NoConnection,
    /// No reply came within `server_timeout`, or before TCP gave up on a silent host.
    NoAnswer,
    /// The node answered with an error at once.
    BadAnswer,
    /// The host that held the only current copy of the state is gone.
    HostLoss,
    /// The client's heartbeat was not answered in time.
    Heartbeat,
    /// Nothing moved on the connection for the balancer's `tunnel_timeout`.
    TunnelTimeout,
    /// TCP gave up on bytes that were never acknowledged.
    TcpGaveUp,
    /// The balancer marked the node down and cut everything that it had open to it.
    MarkedDown,
    /// The node was restarted by a change.
    Restart,
    /// The drain timeout, or the grace of a process that was told to stop, was over before the session was.
    DrainTimeout,
    /// The node was put into maintenance and its sessions shut down.
    Maintenance,
    /// The node was taken away for good.
    ScaleIn,
    /// The session did not come back within the resume window.
    NotResumed,
    /// The balancer no longer remembered where the session belonged: its entry had expired, been evicted or been
    /// lost in a reload, or never been this instance's.
    Forgotten,
    /// The rebuild service's queue was full.
    RebuildFull,
    /// The node's process took more memory than its limit and was killed.
    OutOfMemory,
    /// All places at the node were taken, and nobody more could wait for one.
    NoRoom,
    /// It waited in line at the balancer until `queue.timeout` was over.
    QueueTimeout,
    /// The cookie that named the session's node had expired.
    Expired,
    /// What remembered the session named another node than the one that served it last.
    Recalled,
    /// Nothing binds the session, whose connection was opened anew.
    Unbound,
    /// The balancer process that the connection went through was stopped.
    BalancerStopped,
    /// The store did not answer: its primary was down, cut off or being replaced.
    StoreDown,
    /// The store had not answered in time.
    StoreTimeout,
    /// The store's new primary had not had it yet when the old one went.
    Failover,
    /// It was written on the side of a partition that was given up.
    Partition,
    /// The store that held it has lost everything, or all since its last backup.
    StoreLost,
    /// The node lets in no more clients a second.
    RateLimited,
    /// Its turn in the node's line came after the line's deadline.
    Overdue,
    /// The copy that was read, or is left, had not had the latest writes yet.
    Lagging,
    /// The store had no memory left for it, and throws nothing out.
    StoreMemory,
    /// The store threw it out for others, since it was used least recently.
    StoreEvicted,
    /// The node's own copy was older than a write through another node.
    NearCopy,
    /// The node asked the session to leave: it was being emptied, or had too many connections.
    Evicted,
    /// The node ended the connection for its age.
    MaxAge,
    /// The node had been told to go and listened no more, and the balancer had not heard of it.
    DeregistrationRace,
    /// The version that runs on the node answered with an error.
    BadVersion,
    /// A canary release sent it to the other version.
    OtherVersion,
    /// Its state was in the form of another version, which the node's cannot read.
    Incompatible,
}

impl Cause {
    /// Every cause, in the order of their numbers.
    pub const ALL: [Cause; 54] = [
        Cause::Refused,
        Cause::Reset,
        Cause::Timeout,
        Cause::QueueFull,
        Cause::AcceptFull,
        Cause::NoNode,
        Cause::NodeDown,
        Cause::SessionUnknown,
        Cause::StoreFull,
        Cause::Crash,
        Cause::ServedElsewhere,
        Cause::Unavailable,
        Cause::Membership,
        Cause::ConnectTimeout,
        Cause::ConnectionLimit,
        Cause::NoConnection,
        Cause::NoAnswer,
        Cause::BadAnswer,
        Cause::HostLoss,
        Cause::Heartbeat,
        Cause::TunnelTimeout,
        Cause::TcpGaveUp,
        Cause::MarkedDown,
        Cause::Restart,
        Cause::DrainTimeout,
        Cause::Maintenance,
        Cause::ScaleIn,
        Cause::NotResumed,
        Cause::Forgotten,
        Cause::RebuildFull,
        Cause::OutOfMemory,
        Cause::NoRoom,
        Cause::QueueTimeout,
        Cause::Expired,
        Cause::Recalled,
        Cause::Unbound,
        Cause::BalancerStopped,
        Cause::StoreDown,
        Cause::StoreTimeout,
        Cause::Failover,
        Cause::Partition,
        Cause::StoreLost,
        Cause::RateLimited,
        Cause::Overdue,
        Cause::Lagging,
        Cause::StoreMemory,
        Cause::StoreEvicted,
        Cause::NearCopy,
        Cause::Evicted,
        Cause::MaxAge,
        Cause::DeregistrationRace,
        Cause::BadVersion,
        Cause::OtherVersion,
        Cause::Incompatible,
    ];

    /// How many causes there are.
    pub const COUNT: usize = Cause::ALL.len();

    /// Its name in CSV files and scenario files.
    pub const fn name(self) -> &'static str {
        match self {
            Cause::Refused => "refused",
            Cause::Reset => "reset",
            Cause::Timeout => "timeout",
            Cause::QueueFull => "queue_full",
            Cause::AcceptFull => "accept_full",
            Cause::NoNode => "no_node",
            Cause::NodeDown => "node_down",
            Cause::SessionUnknown => "session_unknown",
            Cause::StoreFull => "store_full",
            Cause::Crash => "crash",
            Cause::ServedElsewhere => "served_elsewhere",
            Cause::Unavailable => "unavailable",
            Cause::Membership => "membership",
            Cause::ConnectTimeout => "connect_timeout",
            Cause::ConnectionLimit => "connection_limit",
            Cause::NoConnection => "no_connection",
            Cause::NoAnswer => "no_answer",
            Cause::BadAnswer => "bad_answer",
            Cause::HostLoss => "host_loss",
            Cause::Heartbeat => "heartbeat",
            Cause::TunnelTimeout => "tunnel_timeout",
            Cause::TcpGaveUp => "tcp_gave_up",
            Cause::MarkedDown => "marked_down",
            Cause::Restart => "restart",
            Cause::DrainTimeout => "drain_timeout",
            Cause::Maintenance => "maintenance",
            Cause::ScaleIn => "scale_in",
            Cause::NotResumed => "not_resumed",
            Cause::Forgotten => "forgotten",
            Cause::RebuildFull => "rebuild_full",
            Cause::OutOfMemory => "out_of_memory",
            Cause::NoRoom => "no_room",
            Cause::QueueTimeout => "queue_timeout",
            Cause::Expired => "expired",
            Cause::Recalled => "recalled",
            Cause::Unbound => "unbound",
            Cause::BalancerStopped => "balancer_stopped",
            Cause::StoreDown => "store_down",
            Cause::StoreTimeout => "store_timeout",
            Cause::Failover => "failover",
            Cause::Partition => "partition",
            Cause::StoreLost => "store_lost",
            Cause::RateLimited => "rate_limited",
            Cause::Overdue => "overdue",
            Cause::Lagging => "lagging",
            Cause::StoreMemory => "store_memory",
            Cause::StoreEvicted => "store_evicted",
            Cause::NearCopy => "near_copy",
            Cause::Evicted => "evicted",
            Cause::MaxAge => "max_age",
            Cause::DeregistrationRace => "deregistration_race",
            Cause::BadVersion => "bad_version",
            Cause::OtherVersion => "other_version",
            Cause::Incompatible => "incompatible",
        }
    }

    /// Whether it is an answer of the node's, which the balancer passes on to the client.
    pub const fn is_answer(self) -> bool {
        matches!(self, Cause::SessionUnknown | Cause::BadAnswer | Cause::BadVersion)
    }

    /// Whether a node says it to somebody whom it has no room or time for.
    pub const fn turns_away(self) -> bool {
        matches!(self, Cause::QueueFull | Cause::RateLimited | Cause::Overdue)
    }

    /// One sentence for people.
    pub const fn meaning(self) -> &'static str {
        match self {
            Cause::Refused => "Nothing listened on the node: its process was down.",
            Cause::Reset => "The node's process died with the request in hand, or the connection was cut.",
            Cause::Timeout => "The client waited `request_timeout` and left.",
            Cause::QueueFull => "The node's request queue was full: 503 at once.",
            Cause::AcceptFull => "The node's accept queue was full.",
            Cause::NoNode => "The balancer knew of no eligible node.",
            Cause::NodeDown => "The session's node was not eligible and the balancer is `strict`.",
            Cause::SessionUnknown => "The node did not know the session (`on_missing = \"error\"`).",
            Cause::StoreFull => "The session store's queue was full.",
            Cause::Crash => "The process that held the only current copy of the state died.",
            Cause::ServedElsewhere => "A node without the state served the request; the state was rebuilt.",
            Cause::Unavailable => "The session's node was not eligible in the balancer's view.",
            Cause::Membership => {
                "The hash led elsewhere: the set of eligible nodes changed, or under a bound their loads."
            }
            Cause::ConnectTimeout => "The host did not accept the connection within the balancer's `connect_timeout`.",
            Cause::ConnectionLimit => "The node had `connections_max` connections already.",
            Cause::NoConnection => "The client had no connection to send the request on.",
            Cause::NoAnswer => "No reply came within `server_timeout`, or before TCP gave up on a silent host.",
            Cause::BadAnswer => "The node answered with an error at once.",
            Cause::HostLoss => "The host that held the only current copy of the state is gone.",
            Cause::Heartbeat => "The client's heartbeat was not answered in time.",
            Cause::TunnelTimeout => "Nothing moved on the connection for the balancer's `tunnel_timeout`.",
            Cause::TcpGaveUp => "TCP gave up on bytes that were never acknowledged.",
            Cause::MarkedDown => "The balancer marked the node down and cut what it had open to it.",
            Cause::Restart => "The node was restarted by a change.",
            Cause::DrainTimeout => {
                "The drain timeout, or the grace of a process told to stop, was over before the session was."
            }
            Cause::Maintenance => "The node was put into maintenance and its sessions shut down.",
            Cause::ScaleIn => "The node was taken away for good.",
            Cause::NotResumed => "The session did not come back within the resume window.",
            Cause::NoRoom => "All places at the node (`in_flight_max`) were taken, and nobody more could wait.",
            Cause::QueueTimeout => "It waited in line at the balancer for `queue.timeout`.",
            Cause::RebuildFull => "The session's state was missing, and the rebuild service's queue was full.",
            Cause::OutOfMemory => "The node's process took more memory than its limit and was killed.",
            Cause::Forgotten => {
                "The balancer did not know the session's node: its entry had expired, been evicted or been lost in a \
                 reload, or another instance has it."
            }
            Cause::Expired => "The cookie that named the session's node had expired.",
            Cause::Recalled => {
                "Affinity named another node than the last: a cookie that was not rewritten, another instance's table, or a connection that is still open."
            }
            Cause::Unbound => {
                "Nothing binds it: a connection that hangs on its node was opened anew, at whichever the balancing led to."
            }
            Cause::BalancerStopped => "The balancer process that the connection went through was stopped.",
            Cause::StoreDown => "The store did not answer: its primary was down, cut off or being replaced.",
            Cause::StoreTimeout => "The store had not answered when `timeout` was over.",
            Cause::Failover => "The store's new primary had not had it yet when the old one went.",
            Cause::Partition => "It was written on the side of a partition that was given up.",
            Cause::StoreLost => "The store that held it has lost everything, or all since its last backup.",
            Cause::RateLimited => "The node let in `accept_rate` clients a second already.",
            Cause::Overdue => "When its turn came it had waited for longer than `accept_deadline` or `queue_deadline`.",
            Cause::Lagging => "The copy that was read, or is left, had not had the latest writes yet.",
            Cause::StoreMemory => "The store's `memory_max` left no room for it, and its `eviction` is `noeviction`.",
            Cause::StoreEvicted => "The store's `memory_max` was needed for others, and it was used least recently.",
            Cause::NearCopy => "The node's near cache had it as it was before a write through another node.",
            Cause::Evicted => "The node asked it to leave: it was being emptied, or had too many connections.",
            Cause::MaxAge => "The node ended the connection for its age.",
            Cause::DeregistrationRace => "The node listened no more, told to go; the balancer had not heard of it yet.",
            Cause::BadVersion => "The version that runs on the node answered with an error (`error_ratio`).",
            Cause::OtherVersion => "A canary release sent the request to the other version.",
            Cause::Incompatible => "The state was in the form of another version, which the node's cannot read.",
        }
    }
}

/// What kind of event a cause explains.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[repr(u8)]
pub enum Harm {
    /// A request failed for good.
    Failed,
    /// A session was cut off.
    Dropped,
    /// A session's binding changed to another node.
    Moved,
    /// A session's state was lost.
    Lost,
    /// What a request had written, and was told is kept, was lost.
    WriteLost,
    /// A request was served with state that was not as last written.
    StaleRead,
}

impl Harm {
    /// Every kind, in the order of their numbers.
    pub const ALL: [Harm; 6] = [Harm::Failed, Harm::Dropped, Harm::Moved, Harm::Lost, Harm::WriteLost, Harm::StaleRead];

    /// Its name in `causes.csv`.
    pub const fn name(self) -> &'static str {
        match self {
            Harm::Failed => "failed",
            Harm::Dropped => "dropped",
            Harm::Moved => "moved",
            Harm::Lost => "lost",
            Harm::WriteLost => "write_lost",
            Harm::StaleRead => "stale_read",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_its_numbers_without_gaps() {
        for (number, cause) in Cause::ALL.into_iter().enumerate() {
            assert_eq!(cause as usize, number);
        }
        for (number, harm) in Harm::ALL.into_iter().enumerate() {
            assert_eq!(harm as usize, number);
        }
    }
}
