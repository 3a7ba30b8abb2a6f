//! Asks the processor to fetch a record that will be needed soon.
//!
//! With a million sessions nearly every event meets a record that is in no cache; fetching it some events
//! ahead hides most of that wait. `benches/scenarios.rs` shows what it is worth. A hint changes no result.

/// Bytes that are fetched at once.
const LINE: usize = 64;

/// Hints that `records[index]` will be needed soon; does nothing where the index is out of range or the
/// processor has no such instruction.
#[inline(always)]
pub fn prefetch<T>(records: &[T], index: usize) {
    if let Some(record) = records.get(index) {
        prefetch_all(record);
    }
}

/// Hints that all of `record` will be needed soon.
#[inline(always)]
pub fn prefetch_all<T>(record: &T) {
    let mut offset = 0;
    while offset < size_of::<T>() {
        line_of(record, offset);
        offset += LINE;
    }
    // One that does not begin with a line may end in one more; small ones seldom do.
    if align_of::<T>() < LINE && size_of::<T>() > LINE / 4 {
        line_of(record, size_of::<T>() - 1);
    }
}

/// Hints that the line with this byte of `record` will be needed soon.
#[inline(always)]
#[allow(unsafe_code)]
fn line_of<T>(record: &T, offset: usize) {
    let byte = std::ptr::from_ref(record).cast::<i8>().wrapping_add(offset);
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is allowed and has no effect but on caches; this one is within the record.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(byte);
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = byte;
}
