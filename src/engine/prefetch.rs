//! Asks the processor to fetch a record that will be needed soon.
//!
//! With a million sessions nearly every event meets a record that is in no cache; fetching it some events
//! ahead hides most of that wait. `benches/scenarios.rs` shows what it is worth. A hint changes no result.

/// Hints that `records[index]` will be read soon; does nothing where the index is out of range or the
/// processor has no such instruction.
#[inline(always)]
#[allow(unsafe_code)]
pub fn prefetch<T>(records: &[T], index: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(record) = records.get(index) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch of any address is allowed and has no effect but on caches; this one is valid.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(record).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (records, index);
}
