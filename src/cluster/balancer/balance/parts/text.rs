//! What does a product see of a key? Bytes: the text of a cookie, a parameter or a header, or an address.
//!
//! A session's number and that of its header are written as 16 hexadecimal digits, as many session cookies are;
//! an address as dotted decimals, as NGINX's `$remote_addr` and Envoy's source address are.

use super::super::{Ask, Key};
use std::ops::Deref;

const DIGITS: &[u8; 16] = b"0123456789abcdef";

/// A short text, on the stack.
#[derive(Clone, Copy, Debug)]
pub struct Text {
    bytes: [u8; 16],
    length: u8,
}

impl Deref for Text {
    type Target = [u8];
    #[inline]
    fn deref(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// The bytes of `key` in a request.
#[inline]
pub fn text(key: Key, ask: &Ask) -> Text {
    match key {
        Key::Session | Key::Header => hexadecimal(key.of(ask)),
        Key::Address => dotted(ask.ipv4()),
    }
}

#[inline]
fn hexadecimal(number: u64) -> Text {
    let bytes = std::array::from_fn(|i| DIGITS[(number >> (60 - 4 * i)) as usize & 15]);
    Text { bytes, length: 16 }
}

/// Each octet in decimal digits with a dot behind, and how long that is.
const OCTETS: [([u8; 4], u8); 256] = octets();

const fn octets() -> [([u8; 4], u8); 256] {
    let mut octets = [([b'.'; 4], 0); 256];
    let mut octet = 0;
    while octet < 256 {
        let digits = [b'0' + (octet / 100) as u8, b'0' + (octet / 10 % 10) as u8, b'0' + (octet % 10) as u8];
        let skipped = if octet < 10 { 2 } else { (octet < 100) as usize };
        let mut i = skipped;
        while i < 3 {
            octets[octet].0[i - skipped] = digits[i];
            i += 1;
        }
        octets[octet].1 = 4 - skipped as u8;
        octet += 1;
    }
    octets
}

#[inline]
fn dotted(address: u32) -> Text {
    let (mut bytes, mut length) = ([0; 16], 0);
    for octet in address.to_be_bytes() {
        let (digits, long) = OCTETS[usize::from(octet)];
        // Four at once: what is too much is overwritten by the next.
        bytes[length..length + 4].copy_from_slice(&digits);
        length += usize::from(long);
    }
    Text { bytes, length: length as u8 - 1 }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::asking;
    use super::*;

    #[test]
    fn numbers_are_sixteen_digits_and_addresses_dotted_decimals() {
        assert_eq!(&*text(Key::Session, &asking(0x0123_4567_89ab_cdef)), b"0123456789abcdef");
        assert_eq!(&*text(Key::Header, &asking(7)), b"0000000000000007");
        let addresses: [(u64, &[u8]); 3] =
            [(0x7f00_0a64, b"127.0.10.100"), (0x0009_6364, b"0.9.99.100"), (0xffff_ffff, b"255.255.255.255")];
        for (address, dotted) in addresses {
            assert_eq!(&*text(Key::Address, &asking(address << 32 | 0xffff)), dotted);
        }
    }
}
