//! Which record? Small integers with a type, so that a node cannot be taken for a session.
//!
//! All count from zero within one run. Slots of sessions and attempts are used again and therefore
//! never shown to people nor used as a key of random draws.

/// A node; identifiers are never used again within a run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(pub u32);

/// The slot of a live session.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct SessionId(pub u32);

/// The slot of an attempt under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct AttemptId(pub u32);

/// A population, in the order of their names.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PopulationId(pub u16);

/// "No such record" in a packed field.
pub const NONE: u32 = u32::MAX;

impl NodeId {
    /// Marks "no node" in a packed record.
    pub const NONE: NodeId = NodeId(NONE);

    /// Position in a vector that has one entry per node.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// `None` for [`NodeId::NONE`].
    pub fn some(self) -> Option<NodeId> {
        (self != NodeId::NONE).then_some(self)
    }
}

impl SessionId {
    /// Marks "no session" in a packed record.
    pub const NONE: SessionId = SessionId(NONE);

    /// Position in a vector that has one entry per slot.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// `None` for [`SessionId::NONE`].
    pub fn some(self) -> Option<SessionId> {
        (self != SessionId::NONE).then_some(self)
    }
}

impl AttemptId {
    /// Marks "no attempt" in a packed record.
    pub const NONE: AttemptId = AttemptId(NONE);

    /// Position in a vector that has one entry per slot.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// `None` for [`AttemptId::NONE`].
    pub fn some(self) -> Option<AttemptId> {
        (self != AttemptId::NONE).then_some(self)
    }
}

impl PopulationId {
    /// Position in a vector that has one entry per population.
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
