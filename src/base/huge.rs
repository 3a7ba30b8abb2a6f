//! Large arrays on large pages.
//!
//! Records of millions of sessions are met in no order. With pages of 4 KiB the processor then has to look up where nearly
//! each of them is; with pages of 2 MiB it knows. Linux gives these to whoever asks, if it has any
//! (`/sys/kernel/mm/transparent_hugepage/enabled` is `madvise` or `always`). No result depends on it.

/// A page worth asking for.
#[cfg(target_os = "linux")]
const PAGE: usize = 2 << 20;

/// Makes room for `additional` records more, on large pages where there are any and the room fills some.
pub fn reserve<T>(records: &mut Vec<T>, additional: usize) {
    records.reserve_exact(additional);
    #[cfg(target_os = "linux")]
    ask(records);
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn ask<T>(records: &Vec<T>) {
    let start = records.as_ptr().addr();
    let (first, end) = (start.next_multiple_of(PAGE), start + records.capacity() * size_of::<T>());
    if end.saturating_sub(first) < PAGE {
        return;
    }
    // SAFETY: the range lies within one allocation, and the advice changes nothing but the size of its pages. If it is not
    // heeded nothing is lost, so nobody looks at what comes back.
    unsafe {
        libc::madvise(
            records.as_ptr().cast_mut().cast::<u8>().with_addr(first).cast(),
            end - first,
            libc::MADV_HUGEPAGE,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_is_made_and_what_was_there_stays() {
        let mut records = vec![7_u64; 3];
        for additional in [0, 5, 3 << 20] {
            reserve(&mut records, additional);
            assert!(records.capacity() >= 3 + additional);
            assert_eq!(records, [7, 7, 7]);
        }
    }
}
