//! What was used least recently? Things by key, in the order of their use, within room for so much of them.
//!
//! Exact LRU: a use makes a thing the newest, and what is put in pushes out the oldest until all fits. Each takes
//! constant time: a doubly linked list for the order, hash chains for the keys, both in slots that are used again.

use crate::base::draw::mix;
use crate::base::id::NONE;

/// Things by key, the oldest of which make room for new ones.
#[derive(Clone, Debug)]
pub struct Lru<T> {
    slots: Vec<Slot<T>>,
    // By hash, a power of two of them: the first slot of each chain.
    heads: Vec<u32>,
    // The first slot that is free; the others hang on it.
    free: u32,
    newest: u32,
    oldest: u32,
    len: usize,
    room: u64,
    taken: u64,
}

#[derive(Clone, Debug)]
struct Slot<T> {
    key: u32,
    // The next slot of its chain.
    next: u32,
    newer: u32,
    older: u32,
    weight: u64,
    value: T,
}

impl<T: Copy> Lru<T> {
    /// Nothing, and room for so much.
    pub fn new(room: u64) -> Lru<T> {
        Lru { slots: Vec::new(), heads: vec![NONE; 8], free: NONE, newest: NONE, oldest: NONE, len: 0, room, taken: 0 }
    }

    /// How many things there are.
    pub fn count(&self) -> usize {
        self.len
    }

    /// What they weigh together.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether a thing of this weight is within the room that is left.
    pub fn fits(&self, weight: u64) -> bool {
        self.taken.saturating_add(weight) <= self.room
    }

    /// What is under a key; that is no use.
    pub fn get(&self, key: u32) -> Option<T> {
        self.find(key).map(|slot| self.slots[slot as usize].value)
    }

    /// Uses what is under a key, if it is there.
    pub fn touch(&mut self, key: u32) {
        if let Some(slot) = self.find(key) {
            self.unlink(slot);
            self.link(slot);
        }
    }

    /// Puts a thing under a key, as the newest, in place of what was there; `pushed_out` hears of each that had to make
    /// room. What is too heavy for all the room is not kept.
    pub fn put(&mut self, key: u32, weight: u64, value: T, mut pushed_out: impl FnMut(u32)) {
        self.remove(key);
        if weight > self.room {
            return pushed_out(key);
        }
        while !self.fits(weight) {
            let oldest = self.slots[self.oldest as usize].key;
            self.remove(oldest);
            pushed_out(oldest);
        }
        self.add(key, weight, value);
    }

    /// Takes what is under a key away; whether there was anything.
    pub fn remove(&mut self, key: u32) -> bool {
        let Some(slot) = self.find(key) else { return false };
        let next = self.slots[slot as usize].next;
        let head = self.head(key);
        if self.heads[head] == slot {
            self.heads[head] = next;
        } else {
            let mut before = self.heads[head];
            while self.slots[before as usize].next != slot {
                before = self.slots[before as usize].next;
            }
            self.slots[before as usize].next = next;
        }
        self.unlink(slot);
        self.len -= 1;
        self.taken -= self.slots[slot as usize].weight;
        self.slots[slot as usize].next = std::mem::replace(&mut self.free, slot);
        true
    }

    /// Takes everything away.
    pub fn clear(&mut self) {
        *self = Lru::new(self.room);
    }

    fn head(&self, key: u32) -> usize {
        mix(u64::from(key)) as usize & (self.heads.len() - 1)
    }

    fn find(&self, key: u32) -> Option<u32> {
        let mut slot = self.heads[self.head(key)];
        while slot != NONE && self.slots[slot as usize].key != key {
            slot = self.slots[slot as usize].next;
        }
        (slot != NONE).then_some(slot)
    }

    fn add(&mut self, key: u32, weight: u64, value: T) {
        if self.len == self.heads.len() {
            self.widen();
        }
        let head = self.head(key);
        let entry = Slot { key, next: self.heads[head], newer: NONE, older: NONE, weight, value };
        let slot = match self.free {
            NONE => {
                self.slots.push(entry);
                self.slots.len() as u32 - 1
            }
            free => {
                self.free = self.slots[free as usize].next;
                self.slots[free as usize] = entry;
                free
            }
        };
        self.heads[head] = slot;
        self.link(slot);
        self.len += 1;
        self.taken += weight;
    }

    /// Twice as many chains, so that each stays short.
    fn widen(&mut self) {
        self.heads = vec![NONE; 2 * self.heads.len()];
        let mut slot = self.oldest;
        while slot != NONE {
            let head = self.head(self.slots[slot as usize].key);
            self.slots[slot as usize].next = std::mem::replace(&mut self.heads[head], slot);
            slot = self.slots[slot as usize].newer;
        }
    }

    /// Makes a slot the newest.
    fn link(&mut self, slot: u32) {
        let older = std::mem::replace(&mut self.newest, slot);
        (self.slots[slot as usize].older, self.slots[slot as usize].newer) = (older, NONE);
        match older {
            NONE => self.oldest = slot,
            older => self.slots[older as usize].newer = slot,
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Slot { newer, older, .. } = self.slots[slot as usize];
        match newer {
            NONE => self.newest = older,
            newer => self.slots[newer as usize].older = older,
        }
        match older {
            NONE => self.oldest = newer,
            older => self.slots[older as usize].newer = newer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same as a list, the oldest first.
    #[derive(Debug, Default)]
    struct Naive {
        room: u64,
        things: Vec<(u32, u64, u8)>,
    }

    impl Naive {
        fn take(&mut self, key: u32) -> Option<(u32, u64, u8)> {
            let place = self.things.iter().position(|thing| thing.0 == key)?;
            Some(self.things.remove(place))
        }

        fn put(&mut self, key: u32, weight: u64, value: u8) -> Vec<u32> {
            self.take(key);
            if weight > self.room {
                return vec![key];
            }
            let mut pushed_out = Vec::new();
            while self.weight() + weight > self.room {
                pushed_out.push(self.things.remove(0).0);
            }
            self.things.push((key, weight, value));
            pushed_out
        }

        fn weight(&self) -> u64 {
            self.things.iter().map(|thing| thing.1).sum()
        }
    }

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Put(u32, u64, u8),
        Touch(u32),
        Remove(u32),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        let key = 0u32..40;
        prop_oneof![
            12 => (key.clone(), 0u64..7, any::<u8>()).prop_map(|(key, weight, value)| Step::Put(key, weight, value)),
            6 => key.clone().prop_map(Step::Touch),
            4 => key.prop_map(Step::Remove),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        #[test]
        fn it_is_a_list_in_the_order_of_use(room in 0u64..60, steps in prop::collection::vec(step(), 0..400)) {
            let (mut lru, mut naive) = (Lru::new(room), Naive { room, ..Naive::default() });
            for step in steps {
                match step {
                    Step::Put(key, weight, value) => {
                        let mut pushed_out = Vec::new();
                        lru.put(key, weight, value, |key| pushed_out.push(key));
                        prop_assert_eq!(pushed_out, naive.put(key, weight, value));
                    }
                    Step::Touch(key) => {
                        lru.touch(key);
                        let thing = naive.take(key);
                        naive.things.extend(thing);
                    }
                    Step::Remove(key) => prop_assert_eq!(lru.remove(key), naive.take(key).is_some()),
                    Step::Clear => {
                        lru.clear();
                        naive.things.clear();
                    }
                }
                prop_assert_eq!((lru.count(), lru.taken()), (naive.things.len(), naive.weight()));
                for key in 0..40 {
                    let thing = naive.things.iter().find(|thing| thing.0 == key);
                    prop_assert_eq!(lru.get(key), thing.map(|thing| thing.2));
                }
            }
        }
    }

    #[test]
    fn slots_are_used_again() {
        let mut lru = Lru::new(10);
        for key in 0..10_000 {
            lru.put(key, 1, (), |_| {});
        }
        assert_eq!((lru.count(), lru.slots.len()), (10, 10));
        assert!((9_990..10_000).all(|key| lru.get(key).is_some()));
    }
}
